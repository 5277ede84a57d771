package ssh

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestWhoIsThereHasMoreTime: sshd's greeting gives a login a minute from then on, where it had less.
func TestWhoIsThereHasMoreTime(t *testing.T) {
	for name, test := range map[string]struct {
		left, greeted time.Duration
		over          time.Duration // when the time is over, from the beginning
	}{
		"nobody said a timeout":        {10 * time.Second, time.Minute, 64 * time.Second},
		"a timeout was said":           {10 * time.Second, 0, 10 * time.Second},
		"more than a minute was there": {5 * time.Minute, time.Minute, 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				clock := newPatience(t.Context(), test.left)
				began := time.Now()
				time.Sleep(4 * time.Second)
				clock.atLeast(test.greeted)
				<-clock.Done()
				if got := time.Since(began); got != test.over {
					t.Errorf("the time was over after %s, want %s", got, test.over)
				}
				if got := test.left + clock.added; got != test.over {
					t.Errorf("it says that it gave %s, want %s", got, test.over)
				}
			})
		})
	}
}

// TestAWaitingClockTakesMoreTime: the time is added also while the operator is asked.
func TestAWaitingClockTakesMoreTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := newPatience(t.Context(), 10*time.Second)
		resume := clock.pause()
		clock.atLeast(time.Minute)
		time.Sleep(time.Hour)
		resume()
		began := time.Now()
		<-clock.Done()
		if got := time.Since(began); got != time.Minute {
			t.Errorf("after the answer %s were left, want a minute", got)
		}
	})
}
