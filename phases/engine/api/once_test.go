package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// TestAGetIsTriedOnce: a connection that is reset is the caller's to try again, who knows of other
// control planes; client-go would wait a second for the same one.
func TestAGetIsTriedOnce(t *testing.T) {
	service := hosts.ObjectKey{APIVersion: "v1", Kind: "Service", Namespace: "x", Name: "y"}
	for name, get := range map[string]func(context.Context, *Client){
		"the writer's object": func(ctx context.Context, c *Client) { _ = (&Gap{core: c.typed.CoreV1(), key: service}).reread(ctx) },
		"an address": func(ctx context.Context, c *Client) {
			c.freeAddress(ctx, service, []byte(`{"spec":{"clusterIP":"10.96.0.10"}}`))
		},
		"tokens": func(ctx context.Context, c *Client) { _, _ = c.Tokens(ctx) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tries := 0
				reset := roundTrip(func(request *http.Request) (*http.Response, error) {
					if request.URL.Path == "/version" {
						return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
					}
					tries++
					return nil, syscall.ECONNRESET
				})
				typed, err := kubernetes.NewForConfig(&rest.Config{Host: "https://kubernetes", Transport: reset, QPS: -1})
				if err != nil {
					t.Fatal(err)
				}
				way := newWay(theAPI, "cp-1", dialled{dial: answers}, "127.0.0.1:6443")
				c := &Client{typed: typed, dialer: newDialer(way), warming: make(chan struct{}, 1)}
				c.pace.try, c.pace.patience, c.pace.away = 10*time.Second, 20*time.Second, time.Minute
				if get(t.Context(), c); tries != 1 {
					t.Errorf("it was tried %d times", tries)
				}
			})
		})
	}
}

// TestHealthIsTheStatus: a component that says 200 is well, whatever becomes of the rest of its answer.
func TestHealthIsTheStatus(t *testing.T) {
	for status, want := range map[int]bool{http.StatusOK: true, http.StatusInternalServerError: false} {
		cut := roundTrip(func(*http.Request) (*http.Response, error) {
			body := io.MultiReader(strings.NewReader("o"), failing{})
			return &http.Response{StatusCode: status, Body: io.NopCloser(body)}, nil
		})
		if healthy, _, err := askHealth(t.Context(), cut, "http://127.0.0.1/readyz", "it"); healthy != want || (err == nil) != want {
			t.Errorf("%d: %t %v", status, healthy, err)
		}
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("it was cut") }

// TestOfANodeThatIsTooLargeNothingIsChanged: a hostile server may give it millions of parts.
func TestOfANodeThatIsTooLargeNothingIsChanged(t *testing.T) {
	play(t, one, func(t *testing.T, c *cluster, client *Client) {
		c.put("/api/v1/nodes/n-1", `{"metadata":{"name":"n-1"},"status":{"images":[{}`+strings.Repeat(",{}", mostParts)+`]}}`)
		if _, _, err := client.node(t.Context(), "n-1"); err == nil || !strings.Contains(err.Error(), "parts") {
			t.Errorf("it was taken in: %v", err)
		}
	})
}
