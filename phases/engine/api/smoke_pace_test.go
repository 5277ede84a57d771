package api

import (
	"context"
	"testing"
	"time"
)

// TestSmokeGoesAtThePaceOfTheControlPlane: promises that build on nothing begin at once where answers come at once, and
// one after another where they take long; one that never comes holds nobody up for ever.
func TestSmokeGoesAtThePaceOfTheControlPlane(t *testing.T) {
	for name, test := range map[string]struct {
		takes       time.Duration
		least, most time.Duration // until the last of five has begun
	}{
		"a host like others": {3 * time.Millisecond, 0, time.Second},
		"an emulated one":    {500 * time.Millisecond, 20 * time.Second, 25 * time.Second},
		"one that is stuck":  {time.Hour, 2 * time.Minute, 3 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, []string{"cp-1"}, func(t *testing.T, c *cluster, client *Client) {
				begun := make(chan time.Time, 5)
				begins := func(*Smoke, context.Context) (string, error) { begun <- time.Now(); return "", nil }
				var promises []smokePromise
				for _, name := range []string{"a", "b", "c", "d", "e"} {
					promises = append(promises, smokePromise{name, "", begins, ""})
				}
				s := smokeOn(t, c, client, promises...)
				c.mu.Lock()
				c.takes = func(string) time.Duration { return test.takes }
				c.mu.Unlock()
				began := time.Now()
				if _, err := s.Run(t.Context(), func(SmokeResult) {}); err != nil {
					t.Fatal(err)
				}
				var last time.Time
				for range promises {
					last = <-begun
				}
				if took := last.Sub(began); took < test.least || took > test.most {
					t.Errorf("the last begins after %s", took)
				}
				elapse(2 * time.Hour) // those that were asked still answer
			})
		})
	}
}
