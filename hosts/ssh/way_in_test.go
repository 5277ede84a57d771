package ssh

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestAWayInFollowsWhatSSHDLetsIn.
func TestAWayInFollowsWhatSSHDLetsIn(t *testing.T) {
	w := &wayIn{most: loginsAtOnce}
	for _, want := range []int{4, 2, 1, 1} {
		if w.note(false, true); w.most != want {
			t.Errorf("turned away, %d may come at once, not %d", w.most, want)
		}
	}
	for range loginsAtOnce - 1 {
		w.note(true, false)
	}
	w.note(false, false) // a key that is refused says nothing of the way
	if w.most != 1 {
		t.Errorf("too early, %d may come at once", w.most)
	}
	if w.note(true, false); w.most != 2 {
		t.Errorf("after %d that were let in, %d may come at once", w.in, w.most)
	}
	for range 100 * loginsAtOnce {
		w.note(true, false)
	}
	if w.most != loginsAtOnce {
		t.Errorf("in the end %d may come at once", w.most)
	}
}

// TestATurnAtAWayIn: it is waited for in order, given up when it takes too long, and not in vain to come again
// while others are let in.
func TestATurnAtAWayIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, o := NewGate(), Options{Host: "192.0.2.1", Port: 22}
		var turns []*turn
		for range loginsAtOnce {
			one, err := g.login(t.Context(), o, nil)
			if err != nil {
				t.Fatal(err)
			}
			turns = append(turns, one)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := g.login(ctx, o, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("a place that is not there: %v", err)
		}
		if _, err := g.login(t.Context(), Options{Host: "192.0.2.2", Port: 22}, nil); err != nil {
			t.Errorf("another sshd: %v", err)
		}
		if turns[0].over(false, true) {
			t.Error("nobody was let in so far")
		}
		if turns[1].over(true, false); !turns[2].over(false, true) {
			t.Error("another one was let in meanwhile")
		}
		began := time.Now()
		last, err := g.login(t.Context(), o, turns[2]) // two may come at once now, and five are there
		if err != nil || time.Since(began) != loginPatience {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		time.Sleep(busyPatience)
		if last.way.note(true, false); last.over(false, true) {
			t.Error("it goes on without end")
		}
	})
	if one, err := (*Gate)(nil).login(t.Context(), Options{}, nil); err != nil || one.over(true, false) {
		t.Errorf("without a gate: %v", err)
	}
}
