package engine_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/engine"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// swap is a host's upgrade in small: two steps and a gate, with what puts the host back.
func swap(host string, after ...plan.Dependency) []plan.Step {
	all := []string{host + "/1", host + "/2", host + "/gate"}
	return []plan.Step{
		step(all[0], work, after...), step(all[1], work), step(all[2], work),
		rescuing(host+"/back", all), rescuing(host+"/again", all),
	}
}

func TestRescueStepsAreNotNeededWhereAllIsDone(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		s.auto = true
		s.begin(t.Context(), append(swap("a"), step("b/1", work, plan.All("a/gate")))...)
		if err := s.result(); err != nil {
			t.Fatal(err)
		}
		if slices.Contains(s.log, "a/back") {
			t.Errorf("a/back ran: %v", s.log)
		}
		if got := s.told(plan.EventStepNotNeeded); !slices.Equal(got, []string{"a/back", "a/again"}) {
			t.Errorf("events tell of %v as not needed", got)
		}
		if !strings.Contains(s.journal.String(), `"step":"a/back","host":"a","action":"set-sysctl","detail":"not needed"`) {
			t.Errorf("the journal does not tell of it:\n%s", s.journal.String())
		}
	})
}

func TestAFailedHostIsPutBackAtOnceAndTheNextIsNotTouched(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		steps := append(swap("a"), swap("b", plan.All("a/gate"))...)
		s.begin(t.Context(), append(steps, step("c/1", work))...)
		s.now("a/1", "c/1")
		s.end("a/1", nil)
		s.now("a/2", "c/1")
		s.end("a/2", nil)
		s.now("a/gate", "c/1")
		s.end("a/gate", errBroken)
		s.now("a/back", "c/1") // though c still works
		s.end("a/back", nil)
		s.now("a/again", "c/1")
		s.end("a/again", nil)
		s.end("c/1", nil)
		err := s.result()
		var run *engine.RunError
		if !errors.As(err, &run) || len(run.Failed) != 1 || run.Failed[0].Step != "a/gate" || len(run.NotRescued) != 0 {
			t.Fatalf("a/gate alone should have failed: %v", err)
		}
		if want := []string{"a/back", "a/again"}; !slices.Equal(run.Rescued, want) || !strings.Contains(err.Error(), "put back on a what had begun (2 steps)") {
			t.Errorf("put back is %v, should be %v: %v", run.Rescued, want, err)
		}
		if got := s.told(plan.EventStepNotNeeded); !slices.Equal(got, []string{"b/back", "b/again"}) {
			t.Errorf("nothing of b had begun, and not needed is %v", got)
		}
		for _, event := range s.events {
			if event.Type == plan.EventStepStarted && event.Step == "a/back" && event.Because != "a/gate" {
				t.Errorf("a/back says that it runs for %q", event.Because)
			}
		}
	})
}

func TestARescueWaitsUntilAllThatItRescuesHasEnded(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		s.begin(t.Context(), step("a/1", work), step("a/2", images), rescuing("a/back", []string{"a/1", "a/2"}))
		s.now("a/1", "a/2")
		s.end("a/1", errBroken)
		s.now("a/2")
		s.end("a/2", nil)
		s.now("a/back")
		s.end("a/back", nil)
		if err := s.result(); err == nil {
			t.Error("a run that was rescued is no success")
		}
	})
}

// TestWhatAnotherHostsFailureLeavesHalfDoneIsPutBack: it is skipped in the middle, and failed in nothing.
func TestWhatAnotherHostsFailureLeavesHalfDoneIsPutBack(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		s.auto = true
		s.fail["b/1"] = errBroken
		s.begin(t.Context(), step("b/1", work), step("a/1", work), step("a/2", work, plan.All("b/1")), rescuing("a/back", []string{"a/1", "a/2"}))
		var run *engine.RunError
		if err := s.result(); !errors.As(err, &run) || !slices.Equal(run.Rescued, []string{"a/back"}) {
			t.Fatalf("a should be put back: %v", err)
		}
	})
}

// TestRescueStepsWaitForEachOther: for one that is needed, and not for one that is not.
func TestRescueStepsWaitForEachOther(t *testing.T) {
	first, all := []string{"a/1"}, []string{"a/1", "a/2"}
	steps := []plan.Step{
		step("a/1", work), step("a/2", work),
		rescuing("a/back", first), rescuing("a/uncordon", all, plan.All("a/back")),
	}
	for name, test := range map[string]struct {
		fail   []string
		ran    []string
		not    []string // failed
		skip   []string
		unused []string
	}{
		"the first fails":          {[]string{"a/1"}, []string{"a/back", "a/uncordon"}, nil, []string{"a/2"}, nil},
		"the second fails":         {[]string{"a/2"}, []string{"a/uncordon"}, nil, nil, []string{"a/back"}},
		"putting back fails too":   {[]string{"a/1", "a/back"}, nil, []string{"a/back"}, []string{"a/2", "a/uncordon"}, nil},
		"what comes last fails":    {[]string{"a/2", "a/uncordon"}, nil, []string{"a/uncordon"}, nil, []string{"a/back"}},
		"what is not needed fails": {[]string{"a/back"}, nil, nil, nil, []string{"a/back", "a/uncordon"}},
	} {
		t.Run(name, func(t *testing.T) {
			act(t, func(t *testing.T, s *stage) {
				s.auto = true
				for _, id := range test.fail {
					s.fail[id] = errBroken
				}
				s.begin(t.Context(), steps...)
				run := &engine.RunError{}
				errors.As(s.result(), &run)
				var not, skip []string
				for _, failure := range run.NotRescued {
					not = append(not, failure.Step)
				}
				for _, one := range run.Skipped {
					skip = append(skip, one.Step)
				}
				if !slices.Equal(run.Rescued, test.ran) || !slices.Equal(not, test.not) || !slices.Equal(skip, test.skip) {
					t.Errorf("ran %v, failed %v, skipped %v; should be %v, %v, %v", run.Rescued, not, skip, test.ran, test.not, test.skip)
				}
				if got := s.told(plan.EventStepNotNeeded); !slices.Equal(got, test.unused) {
					t.Errorf("not needed were %v, should be %v", got, test.unused)
				}
			})
		})
	}
}

func TestPuttingBackThatFailsSaysWhatToDo(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		s.auto = true
		s.fail["a/gate"] = errBroken
		s.fail["a/back"] = &hosts.Error{Kind: hosts.KindDiskFull, Host: "a", Op: "write x", Err: errors.New("no space")}
		s.begin(t.Context(), swap("a")...)
		err := s.result()
		for _, says := range []string{"a/gate: it broke", "not put back: a/back: ", "no space", "make room on the host's disk", "run the same command again"} {
			if !strings.Contains(err.Error(), says) {
				t.Errorf("%q is not said: %v", says, err)
			}
		}
	})
}

// TestAnInterruptPutsBackWhatHadBegun at once, whatever else is still in hand, and under a
// context that the interrupt has not ended.
func TestAnInterruptPutsBackWhatHadBegun(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		ctx, interrupt := context.WithCancel(t.Context())
		s.deaf["c/1"] = true
		steps := append(swap("a"), swap("b", plan.All("a/gate"))...)
		s.begin(ctx, append(steps, step("c/1", work))...)
		s.now("a/1", "c/1")
		s.end("a/1", nil)
		s.now("a/2", "c/1")
		interrupt()
		s.now("a/back", "c/1")
		s.end("a/back", nil)
		s.now("a/again", "c/1")
		s.end("a/again", nil)
		s.end("c/1", nil)
		err := s.result()
		var run *engine.RunError
		if !errors.As(err, &run) || !errors.Is(err, engine.ErrInterrupted) || len(run.Failed) != 0 || !slices.Equal(run.Rescued, []string{"a/back", "a/again"}) {
			t.Fatalf("not an interrupted run that put a back: %v", err)
		}
		if want := []string{"a/2", "a/gate", "b/1", "b/2", "b/gate"}; !slices.Equal(run.Canceled, want) {
			t.Errorf("cancelled %v, should be %v", run.Canceled, want)
		}
		if want := []string{"a/2"}; !slices.Equal(run.BrokenOff, want) {
			t.Errorf("broken off %v, should be %v", run.BrokenOff, want)
		}
	})
}

// TestAnInterruptBetweenTwoStepsPutsBackTheFirst: no step was broken off.
func TestAnInterruptBetweenTwoStepsPutsBackTheFirst(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		ctx, interrupt := context.WithCancel(t.Context())
		s.deaf["a/1"] = true
		s.begin(ctx, swap("a")...)
		s.now("a/1")
		interrupt()
		s.now("a/1")
		s.end("a/1", nil)
		s.now("a/back")
		s.end("a/back", nil)
		s.now("a/again")
		s.end("a/again", nil)
		if err := s.result(); !errors.Is(err, engine.ErrInterrupted) {
			t.Fatalf("not an interrupted run: %v", err)
		}
	})
}

func TestAnInterruptDoesNotEndARescueButItsTimeDoes(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		ctx, interrupt := context.WithCancel(t.Context())
		s.begin(ctx, swap("a")...)
		s.now("a/1")
		s.end("a/1", errBroken)
		s.now("a/back")
		interrupt()
		s.now("a/back")
		time.Sleep(engine.RescueWithin) // of the bubble's clock
		err := s.result()
		var run *engine.RunError
		if !errors.As(err, &run) || len(run.NotRescued) != 1 || !strings.Contains(err.Error(), "not done within 5m0s of the interrupt") {
			t.Fatalf("a/back should have run out of time: %v", err)
		}
	})
}

// TestARescueGetsItsContentAfterAnInterrupt that broke off the upload of the same.
func TestARescueGetsItsContentAfterAnInterrupt(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		ctx, interrupt := context.WithCancel(t.Context())
		ref := s.put("sha256:old", 1)
		back := write("a/back", work, ref)
		back.Rescues = []string{"a/1"}
		s.begin(ctx, step("a/1", work), back)
		s.now("a/1", "upload a "+ref)
		interrupt()
		s.now("upload a " + ref)
		s.end("upload a "+ref, nil)
		s.now("a/back")
		s.end("a/back", nil)
		var run *engine.RunError
		if err := s.result(); !errors.As(err, &run) || !slices.Equal(run.Rescued, []string{"a/back"}) {
			t.Fatalf("a should be put back: %v", err)
		}
	})
}

// TestLargeContentOfARescueIsSentOnlyWhenItIsNeeded.
func TestLargeContentOfARescueIsSentOnlyWhenItIsNeeded(t *testing.T) {
	for name, fails := range map[string]error{"all is done": nil, "a step fails": errBroken} {
		t.Run(name, func(t *testing.T) {
			act(t, func(t *testing.T, s *stage) {
				ref := s.put("sha256:old", mega)
				back := write("a/back", work, ref)
				back.Rescues = []string{"a/1"}
				s.auto, s.fail["a/1"] = true, fails
				s.begin(t.Context(), step("a/1", work), back)
				_ = s.result()
				if sent := slices.Contains(s.log, "upload a "+ref); sent != (fails != nil) {
					t.Errorf("sent: %v, asked %v", sent, s.log)
				}
			})
		})
	}
}

// TestItIsToldFromWhenToWhenNothingMayBeCutShort: who is to interrupt a run learns of it before.
func TestItIsToldFromWhenToWhenNothingMayBeCutShort(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		s.auto = true
		s.fail["a/gate"] = errBroken
		s.begin(t.Context(), append([]plan.Step{step("c/1", work)}, swap("a", plan.All("c/1"))...)...)
		_ = s.result()
		var told []string
		for _, event := range s.events {
			switch {
			case event.Stage == plan.StageRescue && event.Type == plan.EventStageStarted && event.Fix != "":
				told = append(told, "begin")
			case event.Stage == plan.StageRescue && event.Type == plan.EventStageFinished:
				told = append(told, "end")
			case event.Type == plan.EventStepStarted:
				told = append(told, event.Step)
			}
		}
		if want := []string{"c/1", "begin", "a/1", "a/2", "a/gate", "a/back", "a/again", "end"}; !slices.Equal(told, want) {
			t.Errorf("told is %v, should be %v", told, want)
		}
	})
}

// TestContentThatDoesNotComePutsBackWhatHadBegun though nothing else runs any more.
func TestContentThatDoesNotComePutsBackWhatHadBegun(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		ref := s.put("sha256:new", mega)
		s.auto, s.fail["upload a "+ref] = true, errBroken
		s.begin(t.Context(), step("a/1", work), write("a/2", work, ref), rescuing("a/back", []string{"a/1", "a/2"}))
		var run *engine.RunError
		if err := s.result(); !errors.As(err, &run) || !slices.Equal(run.Rescued, []string{"a/back"}) {
			t.Fatalf("a should be put back: %v", err)
		}
	})
}
