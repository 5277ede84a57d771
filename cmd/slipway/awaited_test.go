package main

import (
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestItIsSaidWhomOneWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said []string
		began := time.Now()
		a := &awaited{say: func(line string) { said = append(said, time.Since(began).String()+" "+line) }}
		_, quick := a.begin("cp-1", "logging in")
		at, slow := a.begin("worker-1", "logging in")
		time.Sleep(time.Second) // of the bubble's clock, as all below
		quick()
		at("looking at it")
		_, api := a.begin("the API", "asking")
		time.Sleep(20 * time.Second)
		slow()
		api()
		time.Sleep(time.Minute)
		synctest.Wait() // for who says it, which holds no lock meanwhile
		want := []string{
			"5s waiting for worker-1 (looking at it, 5 s)",
			"20s waiting for the API (asking, 19 s), worker-1 (looking at it, 20 s)",
		}
		if !slices.Equal(said, want) {
			t.Errorf("said is %q", said)
		}
		_, end := a.begin("cp-1", "closing")
		time.Sleep(6 * time.Second)
		end()
		synctest.Wait()
		if len(said) != 3 || !strings.Contains(said[2], "cp-1 (closing, 5 s)") {
			t.Errorf("later: %q", said)
		}
		time.Sleep(time.Minute)
	})
}

// TestAnInterruptEndsWithinTwoSeconds whoever is waited for; only what has to be put back
// is.
func TestAnInterruptEndsWithinTwoSeconds(t *testing.T) {
	for name, test := range map[string]struct {
		must time.Duration
		want time.Duration
		said string
	}{
		"a host is stuck":          {0, 2 * time.Second, "not waited for any longer: cp-1 (looking at it"},
		"something is put back":    {10 * time.Second, 13 * time.Second, "still putting cp-2 back: a second Ctrl-C"},
		"what is put back hangs":   {24 * time.Hour, mustPatience + 4*time.Second, "left undone: putting cp-2 back"},
		"what is put back is done": {time.Second, 2 * time.Second, "interrupted"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &awaited{say: func(string) {}}
				_, end := a.begin("cp-1", "looking at it")
				if test.must > 0 {
					time.AfterFunc(test.must, a.mustEnd("putting cp-2 back"))
				}
				var out strings.Builder
				exited, began := make(chan int), time.Now()
				a.interrupted(&out, func(code int) { exited <- code })
				if code := <-exited; code != exitInterrupted {
					t.Errorf("exit code %d", code)
				}
				if took := time.Since(began); took > test.want {
					t.Errorf("it took %s", took)
				}
				if !strings.Contains(out.String(), test.said) {
					t.Errorf("it says %q", out.String())
				}
				end()
				time.Sleep(time.Minute) // of the bubble's clock
			})
		})
	}
}

// standing is a reader that takes nothing any more.
type standing chan struct{}

func (s standing) Write([]byte) (int, error) {
	<-s
	return 0, io.ErrClosedPipe
}

// TestAnInterruptEndsWhereNobodyReads: neither what is said meanwhile nor the last words
// hold the end up.
func TestAnInterruptEndsWhereNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := make(standing)
		a := &awaited{say: func(string) { <-out }}
		_, end := a.begin("cp-1", "looking at it")
		time.Sleep(awaitedAfter + time.Second) // of the bubble's clock
		exited, began := make(chan int, 1), time.Now()
		a.interrupted(out, func(code int) { exited <- code })
		select {
		case <-exited:
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("it took %s", took)
			}
		case <-time.After(time.Hour):
			t.Error("it does not end")
		}
		close(out)
		end()
		time.Sleep(time.Minute)
	})
}
