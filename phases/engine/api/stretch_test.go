package api

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest/slowline"
)

// TestADistantHostIsGivenTheTime: where a round trip takes 900 ms, as beside an upload over a slow line, the
// cluster is looked at all the same.
func TestADistantHostIsGivenTheTime(t *testing.T) {
	play(t, []string{"cp-1"}, func(t *testing.T, c *cluster, client *Client) {
		const way = 450 * time.Millisecond
		c.mu.Lock()
		c.routes["cp-1:6443"] = func(ctx context.Context, _ string) (net.Conn, error) {
			time.Sleep(2 * way)
			return slowline.Between(c.planes["cp-1"].accept(), &slowline.Line{Delay: way}, &slowline.Line{Delay: way}), nil
		}
		c.mu.Unlock()
		began := time.Now()
		facts, err := client.Observe(t.Context(), hosts.ClusterQuery{})
		if err != nil || !facts.Reachable {
			t.Errorf("after %s: %v %s", time.Since(began), err, facts.Cause)
		}
		if took := time.Since(began); took <= usualPace.observe {
			t.Errorf("it took %s, and proves nothing", took)
		}
	})
}

func TestWithinReach(t *testing.T) {
	const second = time.Second
	for name, test := range map[string]struct {
		trip        time.Duration
		known, want time.Duration
	}{
		"a host nearby":                      {time.Millisecond, 0, 3010 * time.Millisecond},
		"a distant host":                     {300 * time.Millisecond, 0, 6 * second},
		"one that is known to be so in time": {300 * time.Millisecond, 2 * second, 6 * second},
		"one that is known too late":         {300 * time.Millisecond, 4 * second, 3 * second},
		"one that is further than any":       {time.Minute, 0, 33 * second},
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			ctx, cancel := withinReach(t.Context(), 3*second, func() time.Duration {
				if time.Since(began) < test.known {
					return 0
				}
				return test.trip
			})
			defer cancel()
			<-ctx.Done()
			if took := time.Since(began); took != test.want || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
				t.Errorf("%s: it ended after %s: %v", name, took, ctx.Err())
			}
		})
	}
}

// TestWithinReachEndsWithItsParent, and when it is told to.
func TestWithinReachEndsWithItsParent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		none := func() time.Duration { return 0 }
		parent, end := context.WithCancelCause(t.Context())
		ctx, cancel := withinReach(parent, time.Hour, none)
		defer cancel()
		cause := errors.New("stuck")
		end(cause)
		<-ctx.Done()
		if !errors.Is(ctx.Err(), context.Canceled) || !errors.Is(context.Cause(ctx), cause) {
			t.Errorf("it ended with %v, for %v", ctx.Err(), context.Cause(ctx))
		}
		ctx, cancel = withinReach(t.Context(), time.Hour, none)
		cancel()
		if <-ctx.Done(); !errors.Is(ctx.Err(), context.Canceled) {
			t.Errorf("it ended with %v", ctx.Err())
		}
	})
}
