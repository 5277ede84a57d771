package api

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

// dialled is a host of which only Dial is asked.
type dialled struct {
	hosts.Host
	dial func(context.Context) (net.Conn, error)
}

func (d dialled) Dial(ctx context.Context, _, _ string) (net.Conn, error) { return d.dial(ctx) }

func mute(ctx context.Context) (net.Conn, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func shut(context.Context) (net.Conn, error) { return nil, errors.New("connection refused") }

func answers(context.Context) (net.Conn, error) {
	near, far := net.Pipe()
	_ = far.Close()
	return near, nil
}

// TestSilenceNamesWhoWasAsked: a deadline that passed is no cause by itself.
func TestSilenceNamesWhoWasAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDialer(newWay(theAPI, "cp-1", dialled{dial: mute}, "127.0.0.1:6443"))
		_, err := d.DialContext(t.Context(), "", "")
		if err == nil || brief(err) != "reach the API server on cp-1 (127.0.0.1:6443): no answer within 10s" {
			t.Errorf("it says: %v", err)
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error("it is not known as a call whose time was over")
		}
	})
	for text, want := range map[string]string{
		"rpc error: code = DeadlineExceeded desc = context deadline exceeded": "no answer in time",
		"Get x: context deadline exceeded":                                    "Get x: no answer in time",
		"connection refused":                                                  "connection refused",
	} {
		if got := plainly(text); got != want {
			t.Errorf("%q reads %q", text, got)
		}
	}
	for message, want := range map[string]string{
		"":                          "Why",
		"context deadline exceeded": "Why: the container runtime does not answer the kubelet: no answer in time",
		"rpc error: code = DeadlineExceeded desc = context deadline exceeded":                                                                          "Why: the container runtime does not answer the kubelet: no answer in time",
		`rpc error: code = DeadlineExceeded desc = failed to resolve reference "r.example/x": Head "https://r.example/v2/": context deadline exceeded`: `Why: failed to resolve reference "r.example/x": Head "https://r.example/v2/": no answer in time`,
	} {
		if got := worded("Why", message); got != want {
			t.Errorf("of a Pod %q: %q, want %q", message, got, want)
		}
	}
}

// TestSilenceIsOfWhoWasAsked: where the first host cannot be reached, it is another one that was
// asked and does not answer.
func TestSilenceIsOfWhoWasAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := func(context.Context) (net.Conn, error) {
			near, far := net.Pipe()
			go func() { _, _ = io.Copy(io.Discard, far) }()
			return near, nil
		}
		client, err := New(Options{
			Hosts:     map[string]hosts.Host{"cp-1": dialled{dial: shut}, "cp-2": dialled{dial: silent}},
			Endpoints: map[string]string{"cp-1": "a", "cp-2": "b"},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		err = client.once(t.Context(), time.Second, func(context.Context) error { return nil })
		if err == nil || brief(err) != "the API server on cp-2 (b): no answer within 1s" {
			t.Errorf("it says: %v", err)
		}
	})
}

// TestConnectionWaitsForControlPlanesThatMayStillCome, and for no others.
func TestConnectionWaitsForControlPlanesThatMayStillCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := func() *dialer {
			return newDialer(newWay(theAPI, "cp-1", dialled{dial: shut}, "a"))
		}
		d, began := begin(), time.Now()
		if _, err := d.DialContext(t.Context(), "", ""); err == nil || time.Since(began) != 0 {
			t.Errorf("without any to come: %v after %s", err, time.Since(began))
		}
		d = begin()
		d.await()
		go func() {
			time.Sleep(2 * time.Second)
			d.join(newWay(theAPI, "cp-2", dialled{dial: answers}, "b"))
		}()
		conn, err := d.DialContext(t.Context(), "", "")
		if err != nil || time.Since(began) != 2*time.Second {
			t.Fatalf("with one that comes: %v after %s", err, time.Since(began))
		}
		_ = conn.Close()
		d = begin()
		d.await()
		go func() {
			time.Sleep(3 * time.Second)
			d.settled()
		}()
		began = time.Now()
		if _, err := d.DialContext(t.Context(), "", ""); err == nil || time.Since(began) != 3*time.Second {
			t.Errorf("with none that came: %v after %s", err, time.Since(began))
		}
		d = begin()
		d.await()
		if _, err := d.DialContext(t.Context(), "", ""); err == nil || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("with one that never comes: %v", err)
		}
	})
}
