package api

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const gapPath = "/api/v1/namespaces/default/configmaps/" + gapObject

// measure runs a test with a writer that goes through the endpoint, which leads to cp-2.
func measure(t *testing.T, test func(t *testing.T, c *cluster, gap *Gap)) {
	t.Helper()
	playEndpoint(t, func(t *testing.T, c *cluster, client *Client) {
		c.lead(c.planes["cp-2"].take)
		gap, err := client.Gap(GapOptions{Host: "worker-1", Address: endpointAddress, Namespace: "default"})
		if err != nil {
			t.Fatal(err)
		}
		c.put(gapPath, `{"data":{"writes":"99999"}}`) // an earlier writer's
		if err := gap.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		test(t, c, gap)
	})
}

func length(t *testing.T, what string, got, low, high time.Duration) {
	t.Helper()
	if got < low || got > high {
		t.Errorf("%s is %s, should be from %s to %s", what, got, low, high)
	}
}

func TestGapIsMeasuredWhereItHappens(t *testing.T) {
	measure(t, func(t *testing.T, c *cluster, gap *Gap) {
		elapse(5 * second)
		died := time.Now()
		c.lead(nobody)
		c.planes["cp-2"].cut(nil)
		elapse(1500 * time.Millisecond)
		c.lead(c.planes["cp-3"].take)
		if err := gap.Await(t.Context()); err != nil {
			t.Fatal(err)
		}
		elapse(3 * second)
		report, err := gap.Stop(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		length(t, "the gap", report.Longest, 1500*time.Millisecond, 2600*time.Millisecond)
		if report.Cause == "" || report.Failures == 0 || report.At.Sub(died).Abs() > 40*time.Millisecond {
			t.Errorf("%+v", report)
		}
		if report.Writes < 380 || report.Held < report.Writes {
			t.Errorf("%+v", report)
		}
		if c.objects[gapPath] != nil {
			t.Error("the object is left behind")
		}
	})
}

func TestWriterKeepsItsConnection(t *testing.T) {
	measure(t, func(t *testing.T, c *cluster, gap *Gap) {
		elapse(20 * second)
		c.planes["cp-2"].cut(nil) // a reset: the next write connects anew
		elapse(20 * second)
		report, err := gap.Stop(t.Context())
		if err != nil || report.Connections != 2 || report.Writes < 1900 {
			t.Errorf("%+v %v", report, err)
		}
	})
}

func TestWriteIsBounded(t *testing.T) {
	measure(t, func(t *testing.T, c *cluster, gap *Gap) {
		elapse(second)
		held := make(chan struct{})
		c.mu.Lock()
		c.held = held
		c.mu.Unlock()
		after(10*second, func() { close(held) })
		elapse(20 * second)
		report, err := gap.Stop(t.Context())
		length(t, "the gap", report.Longest, 10*second, 11*second+100*time.Millisecond)
		if err != nil || report.Failures < 9 || report.Failures > 11 || !strings.Contains(report.Cause, "no answer within 1s") {
			t.Errorf("%+v %v", report, err)
		}
	})
}

func TestGapThatLastsIsToldToo(t *testing.T) {
	measure(t, func(t *testing.T, c *cluster, gap *Gap) {
		elapse(second)
		c.lead(refuses)
		c.planes["cp-2"].cut(nil)
		elapse(30 * second)
		waiting, cancel := context.WithTimeout(t.Context(), second)
		defer cancel()
		if err := gap.Await(waiting); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("no write came, but: %v", err)
		}
		report, err := gap.Stop(t.Context()) // through another control plane
		if err != nil {
			t.Fatal(err)
		}
		length(t, "the gap", report.Longest, 31*second, 32*second)
		if report.Cause == "" || report.Failures < 1000 || report.Writes > 60 {
			t.Errorf("%+v", report)
		}
	})
}

func TestLostWriteIsFound(t *testing.T) {
	for name, lose := range map[string]func(c *cluster){
		"while it writes": func(c *cluster) { c.put(gapPath, `{"data":{"writes":"7"}}`) },
		"at the end": func(c *cluster) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.answer = func(_ string, r *http.Request) *metav1.Status {
				if r.Method == http.MethodPut {
					return status(503, metav1.StatusReasonServiceUnavailable, "down")
				}
				return nil
			}
			c.objects[gapPath]["data"] = map[string]any{gapKey: "7"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			measure(t, func(t *testing.T, c *cluster, gap *Gap) {
				elapse(second)
				lose(c)
				elapse(second)
				_, err := gap.Stop(t.Context())
				var lost *LostWriteError
				if !errors.As(err, &lost) || lost.Held != 7 || lost.Acknowledged < 40 || c.objects[gapPath] != nil {
					t.Errorf("%v", err)
				}
			})
		})
	}
}

func TestWriteThatComesThroughWithoutAnAnswerIsNoLoss(t *testing.T) {
	measure(t, func(t *testing.T, c *cluster, gap *Gap) {
		elapse(second)
		c.mu.Lock()
		c.mute = 1
		c.mu.Unlock()
		elapse(4 * second)
		report, err := gap.Stop(t.Context())
		if err != nil || report.Failures != 1 {
			t.Errorf("%+v %v", report, err)
		}
	})
}

func TestWriterThatCannotBeginLeavesNothing(t *testing.T) {
	playEndpoint(t, func(t *testing.T, c *cluster, client *Client) {
		if _, err := client.Gap(GapOptions{Host: "worker-2", Address: endpointAddress}); err == nil {
			t.Error("worker-2 is not connected")
		}
		c.lead(func(context.Context, string) (net.Conn, error) { return nil, errDown })
		gap, err := client.Gap(GapOptions{Host: "worker-1", Address: endpointAddress, Namespace: "default"})
		if err != nil {
			t.Fatal(err)
		}
		if err := gap.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "connection refused") || c.objects[gapPath] != nil {
			t.Errorf("%v, left %v", err, c.objects)
		}
		if _, err := gap.Stop(t.Context()); err == nil {
			t.Error("a writer that was not started cannot be stopped")
		}
	})
}
