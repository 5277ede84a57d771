package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/workflow"
)

func TestItIsSaidWhomOneWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said []string
		began := time.Now()
		a := &awaited{say: func(line string) { said = append(said, time.Since(began).String()+" "+line) }}
		begin := func(name, host, what string) (end func()) {
			a.Event(plan.Event{Type: plan.EventStageStarted, Stage: name, Host: host, Detail: what})
			return func() { a.Event(plan.Event{Type: plan.EventStageFinished, Stage: name, Host: host}) }
		}
		quick, slow := begin("connect", "cp-1", "logging in"), begin("connect", "worker-1", "logging in")
		time.Sleep(time.Second) // of the bubble's clock, as all below
		quick()
		a.Event(plan.Event{Type: plan.EventStageProgress, Stage: "connect", Host: "worker-1", Detail: "looking at it"})
		api := begin(workflow.StageCluster, "", "asking")
		time.Sleep(20 * time.Second)
		slow()
		api()
		time.Sleep(time.Minute)
		synctest.Wait() // for who says it, which holds no lock meanwhile
		want := []string{
			"5s waiting for worker-1 (looking at it, 5 s)",
			"20s waiting for the cluster's API (asking, 19 s), worker-1 (looking at it, 20 s)",
		}
		if !slices.Equal(said, want) {
			t.Errorf("said is %q", said)
		}
		end := begin("close", "cp-1", "closing")
		time.Sleep(6 * time.Second)
		end()
		synctest.Wait()
		if len(said) != 3 || !strings.Contains(said[2], "cp-1 (closing, 5 s)") {
			t.Errorf("later: %q", said)
		}
		time.Sleep(time.Minute)
	})
}

// TestTheFirstIsSaidWithinASecond to who looks at a terminal, and nothing while a question is open there.
func TestTheFirstIsSaidWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said []string
		began := time.Now()
		a := &awaited{watched: true, say: func(line string) { said = append(said, time.Since(began).String()+" "+line) }}
		a.Event(plan.Event{Type: plan.EventStageStarted, Stage: workflow.StageConnect, Detail: "connecting to cp-1"})
		a.Event(plan.Event{Type: plan.EventStageStarted, Stage: workflow.StageConnect, Host: "cp-1", Detail: "logging in"})
		time.Sleep(10 * time.Second)
		end := a.hush()
		time.Sleep(20 * time.Second)
		end()
		time.Sleep(10 * time.Second)
		a.Event(plan.Event{Type: plan.EventStageFinished, Stage: workflow.StageConnect, Host: "cp-1"})
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(said) < 2 || said[0] != "800ms waiting for cp-1 (logging in, 1 s)" || !strings.HasPrefix(said[1], "3") {
			t.Errorf("said is %q", said)
		}
	})
}

// TestOfOneHostTheLongestWaitIsSaid, every time.
func TestOfOneHostTheLongestWaitIsSaid(t *testing.T) {
	now := time.Now()
	a := &awaited{waits: map[stage]*wait{}}
	for i := range 20 {
		a.waits[stage{fmt.Sprint(i), "cp-1"}] = &wait{who: "cp-1", what: "closing the connection", since: now.Add(-time.Duration(i) * time.Second)}
	}
	a.waits[stage{"observe hosts", "cp-1"}] = &wait{who: "cp-1", what: "looking at the host", since: now.Add(-40 * time.Second)}
	if list := a.list(0); list != "cp-1 (looking at the host, 40 s)" {
		t.Errorf("said is %s", list)
	}
}

// TestAnInterruptEndsWithinTwoSeconds whoever is waited for; only what has to be put back
// is.
func TestAnInterruptEndsWithinTwoSeconds(t *testing.T) {
	for name, test := range map[string]struct {
		must time.Duration
		want time.Duration
		said []string
		goes bool // on, by the same command
	}{
		"a host is stuck":          {0, 2 * time.Second, []string{"not waited for any longer: cp-1 (looking at it"}, true},
		"something is put back":    {10 * time.Second, 13 * time.Second, []string{"still putting cp-2 back: a second Ctrl-C", "leaves it undone; put back by: slipway init"}, true},
		"what is put back hangs":   {24 * time.Hour, mustPatience + 4*time.Second, []string{"left undone: putting cp-2 back; put back by: slipway init"}, false},
		"what is put back is done": {time.Second, 2 * time.Second, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &awaited{say: func(string) {}}
				looking, back := stage{"observe hosts", "cp-1"}, stage{workflow.StagePutBack, "cp-2"}
				a.begin(looking, "looking at it")
				if test.must > 0 {
					a.Event(plan.Event{Type: plan.EventStageStarted, Stage: back.name, Host: back.host, Detail: "putting cp-2 back", Fix: "put back by: slipway init"})
					time.AfterFunc(test.must, func() { a.end(back) })
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
				for _, want := range test.said {
					if !strings.Contains(out.String(), want) {
						t.Errorf("%q is not in %q", want, out.String())
					}
				}
				if goes := strings.HasSuffix(out.String(), goesOn); goes != test.goes {
					t.Errorf("the same command goes on: want %v, said is %q", test.goes, out.String())
				}
				a.end(looking)
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
		looking := stage{"observe hosts", "cp-1"}
		a.begin(looking, "looking at it")
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
		a.end(looking)
		time.Sleep(time.Minute)
	})
}

// TestAnInterruptSaysWhatIsTrueOfTheCommand: where the same command does again what is done, it does not
// say that it goes on.
func TestAnInterruptSaysWhatIsTrueOfTheCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &awaited{say: func(string) {}, ends: "interrupted; name only the others\n"}
		var out strings.Builder
		exited := make(chan int)
		a.interrupted(&out, func(code int) { exited <- code })
		if code := <-exited; code != exitInterrupted || out.String() != a.ends {
			t.Errorf("exit code %d, and it says %q", code, out.String())
		}
	})
}
