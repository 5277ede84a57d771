package api

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

const endpointAddress = "10.0.0.100:16443"

// lead makes the endpoint lead to a control plane's API server, or nowhere.
func (c *cluster) lead(to func(ctx context.Context, from string) (net.Conn, error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.routes[endpointAddress] = to
}

func (p *plane) take(context.Context, string) (net.Conn, error) { return p.accept(), nil }

func nobody(ctx context.Context, _ string) (net.Conn, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func refuses(context.Context, string) (net.Conn, error) { return nil, errDown }

func closes(context.Context, string) (net.Conn, error) {
	near, far := pipe()
	_ = far.Close()
	return near, nil
}

// playEndpoint runs a test with a worker beside the control planes, from which the endpoint
// is looked at.
func playEndpoint(t *testing.T, test func(t *testing.T, c *cluster, client *Client)) {
	t.Helper()
	play(t, three, func(t *testing.T, c *cluster, _ *Client) {
		worker := c.newPlane("worker-1")
		worker.down = errDown // it runs no API server
		client := c.clientWith(c.ca, func(options *Options) {
			options.AllHosts = map[string]hosts.Host{"worker-1": worker}
			for name, p := range c.planes {
				options.AllHosts[name] = p
			}
		})
		defer func() { client.Close(); worker.stop() }()
		test(t, c, client)
	})
}

func TestWaitEndpoint(t *testing.T) {
	playEndpoint(t, func(t *testing.T, c *cluster, client *Client) {
		c.lead(nobody)
		after(3*second, func() { c.lead(refuses) })
		after(5*second, func() { c.lead(closes) })
		after(7*second, func() { c.lead(c.planes["cp-2"].take) })
		checks := "etcd"
		c.ready = func(string) string { return checks }
		after(9*second, func() { c.mu.Lock(); checks = ""; c.mu.Unlock() })
		wait := plan.WaitEndpoint{Host: "worker-1", Address: endpointAddress, Timeout: 60}
		began := time.Now()
		var notes []string
		done, err := client.Do(t.Context(), wait, nil, func(p hosts.Progress) { notes = append(notes, p.Note) })
		if took := time.Since(began); err != nil || done.Result != hosts.Changed || took < 9*second || took > 9200*time.Millisecond {
			t.Errorf("after %s: %v %v", took, done, err)
		}
		told := strings.Join(notes, "\n")
		for _, word := range []string{"no answer within 1s", "connection refused", "no API server is behind it", "not ready: etcd"} {
			if !strings.Contains(told, word) {
				t.Errorf("%q is not in the notes: %s", word, told)
			}
		}
		if done, err := client.Do(t.Context(), wait, nil, nil); err != nil || done.Result != hosts.Unchanged {
			t.Errorf("%v %v", done, err)
		}
	})
}

func TestWaitEndpointThatEnds(t *testing.T) {
	playEndpoint(t, func(t *testing.T, c *cluster, client *Client) {
		stranger := &cluster{t: t, ca: newAuthority(t)}
		other := stranger.newPlane("stranger")
		defer other.stop()
		cut := &hosts.Error{Kind: hosts.KindCut, Op: "connect", Err: errors.New("EOF")}
		tests := map[string]struct {
			host  string
			leads func(context.Context, string) (net.Conn, error)
			after time.Duration
			says  string
		}{
			"nobody is there":     {"worker-1", nobody, 5 * second, "not within 5 s; last seen: no answer within"},
			"not connected":       {"worker-2", nobody, 0, "the host is not connected"},
			"another cluster's":   {"worker-1", other.take, 0, "unknown authority"},
			"the host is cut off": {"worker-1", func(context.Context, string) (net.Conn, error) { return nil, cut }, 0, "EOF"},
		}
		for name, test := range tests {
			c.lead(test.leads)
			began := time.Now()
			_, err := client.Do(t.Context(), plan.WaitEndpoint{Host: test.host, Address: endpointAddress, Timeout: 5}, nil, nil)
			if took := time.Since(began); err == nil || !strings.Contains(err.Error(), test.says) || took > test.after+second {
				t.Errorf("%s: after %s: %v", name, took, err)
			}
			if err != nil && !strings.Contains(err.Error(), "wait for the API at 10.0.0.100:16443 as seen from "+test.host) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestPodsOfADeadNodeAreDeletedAtOnce(t *testing.T) {
	play(t, one, func(t *testing.T, c *cluster, client *Client) {
		c.put(podPath("web"), podObject("web", "ReplicaSet"))
		c.put(podPath("agent"), podObject("agent", "DaemonSet"))
		c.put(podPath("elsewhere"), strings.ReplaceAll(podObject("elsewhere", ""), "n-1", "n-2"))
		for _, want := range []hosts.Result{hosts.Changed, hosts.Unchanged} {
			if done, err := client.Do(t.Context(), plan.DeletePods{Node: "n-1"}, nil, nil); err != nil || done.Result != want {
				t.Errorf("%v %v, should be %s", done, err, want)
			}
		}
		if c.objects[podPath("web")] != nil || c.objects[podPath("agent")] != nil || c.objects[podPath("elsewhere")] == nil {
			t.Errorf("left: %v", c.objects)
		}
		for _, name := range []string{"web", "agent"} {
			options := c.bodies["DELETE "+podPath(name)]
			if !strings.Contains(options, `"gracePeriodSeconds":0`) || !strings.Contains(options, `"uid":"`+name+`"`) {
				t.Errorf("%s was deleted with %s", name, options)
			}
		}
	})
}

// elapse lets the bubble's time go by, which takes none.
func elapse(length time.Duration) {
	timer := time.NewTimer(length)
	<-timer.C
}

// TestWaitEndpointOfADistantHost: where an answer takes longer than the first looks have, later ones have
// the time for it.
func TestWaitEndpointOfADistantHost(t *testing.T) {
	playEndpoint(t, func(t *testing.T, c *cluster, client *Client) {
		near := c.planes["cp-1"].take
		c.lead(func(ctx context.Context, from string) (net.Conn, error) {
			select {
			case <-time.After(2500 * time.Millisecond):
				return near(ctx, from)
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		})
		wait := plan.WaitEndpoint{Host: "worker-1", Address: endpointAddress, Timeout: 60}
		if done, err := client.Do(t.Context(), wait, nil, nil); err != nil || done.Result != hosts.Changed {
			t.Errorf("%v %v", done, err)
		}
	})
}

// TestStuckWaitSaysSo: a wait that is ended as stuck says why, and what it last saw.
func TestStuckWaitSaysSo(t *testing.T) {
	playEndpoint(t, func(t *testing.T, c *cluster, client *Client) {
		c.lead(refuses)
		ctx, end := context.WithCancelCause(t.Context())
		after(20*second, func() { end(&plan.StuckError{Why: "on cp-1 a disk is full"}) })
		_, err := client.Do(ctx, plan.WaitEndpoint{Host: "worker-1", Address: endpointAddress, Timeout: 60}, nil, nil)
		const says = "as seen from worker-1: stuck, given up after 20 s: on cp-1 a disk is full; last seen: connect: connection refused"
		late, is := errors.AsType[*plan.WaitError](err)
		if !is || !strings.Contains(strings.ReplaceAll(err.Error(), errDown.Error(), "connect: connection refused"), says) || late.Stuck == "" {
			t.Errorf("it says %v", err)
		}
	})
}
