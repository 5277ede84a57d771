package engine_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/engine"
	"github.com/slipway-k8s/slipway/phases/plan"
)

func TestLanesKeepTheirOrderAndRunAtOnce(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		s.begin(t.Context(), step("a/1", work), step("a/2", work), step("a/3", images), step("b/1", work))
		s.now("a/1", "a/3", "b/1")
		s.end("a/1", nil)
		s.now("a/2", "a/3", "b/1")
		s.end("a/3", nil)
		s.end("b/1", nil)
		s.now("a/2")
		s.end("a/2", nil)
		if err := s.result(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestDependencyOnAllWaitsForTheLast(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		s.begin(t.Context(), step("a/1", work), step("b/1", work), step("c/1", work, plan.All("a/1", "b/1")))
		s.now("a/1", "b/1")
		s.end("b/1", nil)
		s.now("a/1")
		s.end("a/1", nil)
		s.now("c/1")
		s.end("c/1", nil)
		if err := s.result(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestDependencyOnAnyWaitsForTheFirst(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		s.begin(t.Context(), step("a/1", work), step("b/1", work), step("c/1", work, plan.Any("a/1", "b/1")))
		s.now("a/1", "b/1")
		s.end("a/1", errBroken)
		s.now("b/1")
		s.end("b/1", nil)
		s.now("c/1")
		s.end("c/1", nil)
		var run *engine.RunError
		if err := s.result(); !errors.As(err, &run) || len(run.Failed) != 1 || len(run.Skipped) != 0 {
			t.Fatalf("only a/1 should have failed: %v", err)
		}
	})
}

func TestDependencyOnAnyFailsWithTheLast(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		s.begin(t.Context(), step("a/1", work), step("b/1", work), step("c/1", work, plan.Any("a/1", "b/1")))
		s.now("a/1", "b/1")
		s.end("b/1", errBroken)
		s.now("a/1")
		s.end("a/1", errBroken)
		var run *engine.RunError
		if err := s.result(); !errors.As(err, &run) || len(run.Skipped) != 1 || run.Skipped[0].Because != "a/1" {
			t.Fatalf("c/1 should be skipped because of a/1: %+v", run)
		}
	})
}

func TestFailureSkipsWhatHangsOnItAndNothingElse(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		s.begin(
			t.Context(),
			step("b/1", work), step("b/2", work), step("b/3", images),
			step("a/1", work, plan.All("b/2")), step("a/2", images), step("a/3", images),
		)
		s.now("b/1", "b/3", "a/2")
		s.end("b/1", errBroken)
		s.now("b/3", "a/2")
		s.end("a/2", nil)
		s.now("b/3", "a/3")
		s.end("a/3", errBroken)
		s.end("b/3", nil)
		err := s.result()
		var run *engine.RunError
		if !errors.As(err, &run) {
			t.Fatalf("no RunError: %v", err)
		}
		if len(run.Failed) != 2 || run.Failed[0].Step != "a/3" || run.Failed[1].Step != "b/1" {
			t.Errorf("failed steps are not sorted by host: %v", run.Failed)
		}
		skipped := []engine.SkippedStep{{Step: "b/2", Because: "b/1"}, {Step: "a/1", Because: "b/1"}}
		if !slices.Equal(run.Skipped, skipped) {
			t.Errorf("skipped %+v, should be %+v", run.Skipped, skipped)
		}
		if !errors.Is(err, errBroken) || errors.Is(err, engine.ErrInterrupted) {
			t.Errorf("the error should wrap its cause and no interrupt: %v", err)
		}
		if got := s.told(plan.EventStepSkipped); !slices.Equal(got, []string{"b/2", "a/1"}) {
			t.Errorf("events tell of skipped %v", got)
		}
	})
}

func TestInterruptAwaitsWhatIsInHandAndBeginsNoMore(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		ctx, interrupt := context.WithCancel(t.Context())
		s.deaf["b/1"] = true
		s.begin(ctx, step("a/1", work), step("a/2", work), step("b/1", work), step("b/2", work), step("c/1", work, plan.All("b/2")))
		s.now("a/1", "b/1")
		interrupt()
		s.now("b/1") // a/1 heeded its context, b/1 goes on to its end
		s.end("b/1", nil)
		err := s.result()
		var run *engine.RunError
		if !errors.Is(err, engine.ErrInterrupted) || !errors.As(err, &run) || len(run.Failed) != 0 {
			t.Fatalf("not an interrupted run: %v", err)
		}
		if want := []string{"a/1", "a/2", "b/2", "c/1"}; !slices.Equal(run.Canceled, want) {
			t.Errorf("cancelled %v, should be %v", run.Canceled, want)
		}
		if got := slices.Sorted(slices.Values(s.told(plan.EventStepCanceled))); !slices.Equal(got, []string{"a/1", "a/2", "b/2", "c/1"}) {
			t.Errorf("events tell of cancelled %v", got)
		}
		if got := s.told(plan.EventStepFinished); !slices.Equal(got, []string{"b/1"}) {
			t.Errorf("events tell of finished %v", got)
		}
		if !slices.Contains(s.log, "release a") || !slices.Contains(s.log, "release c") {
			t.Errorf("the lease was not released: %v", s.log)
		}
	})
}

func TestInterruptDoesNotHideAFailure(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		ctx, interrupt := context.WithCancel(t.Context())
		s.deaf["a/1"] = true
		s.begin(ctx, step("a/1", work), step("b/1", work))
		s.now("a/1", "b/1")
		interrupt()
		s.now("a/1")
		s.end("a/1", errBroken)
		err := s.result()
		if !errors.Is(err, engine.ErrInterrupted) || !errors.Is(err, errBroken) {
			t.Fatalf("both the interrupt and the failure should be told: %v", err)
		}
	})
}

func TestConnectionLostInTheMiddleOfAnAction(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		s.begin(t.Context(), step("a/1", work), step("a/2", work), step("b/1", work), step("b/2", work))
		s.now("a/1", "b/1")
		s.end("a/1", &hosts.Error{Kind: hosts.KindCut, Host: "a", Op: "set a/1", Err: errors.New("EOF")})
		s.now("b/1")
		s.end("b/1", nil)
		s.now("b/2")
		s.end("b/2", nil)
		var run *engine.RunError
		if err := s.result(); !errors.As(err, &run) || len(run.Failed) != 1 || run.Failed[0].Host != "a" {
			t.Fatalf("only a should have failed: %v", err)
		}
		if run.Failed[0].Fix == "" {
			t.Error("nothing says what to do about a lost connection")
		}
	})
}

func TestLeaseIsTakenInOneOrderBeforeAnything(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		s.auto, s.lease = true, []string{"d"}
		s.begin(t.Context(), step("c/1", work), step("a/1", work), step("b/1", work))
		if err := s.result(); err != nil {
			t.Fatal(err)
		}
		if want := []string{"take a", "take b", "take c", "take d"}; !slices.Equal(s.log[:4], want) {
			t.Errorf("began with %v, should be %v", s.log[:4], want)
		}
		last := slices.Sorted(slices.Values(s.log[len(s.log)-4:]))
		if want := []string{"release a", "release b", "release c", "release d"}; !slices.Equal(last, want) {
			t.Errorf("ended with %v, should be %v", last, want)
		}
	})
}

// TestItIsToldWhoIsAskedForItsLease: a host that is refused, as any, is waited for no longer.
func TestItIsToldWhoIsAskedForItsLease(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		s.holders["b"] = hosts.LeaseHolder{Holder: "lee@lab"}
		_, err := engine.Hold(t.Context(), engine.Options{
			Hosts: map[string]hosts.Host{"a": host{s, "a"}, "b": host{s, "b"}, "c": host{s, "c"}},
			Waits: func(host, what string) func() {
				s.note(host + ": " + what)
				return func() { s.note(host + " has answered") }
			},
		})
		if err == nil {
			t.Error("b is leased to two")
		}
		want := []string{"a: taking the lease", "take a", "a has answered", "b: taking the lease", "take b", "b has answered", "release a"}
		if !slices.Equal(s.log, want) {
			t.Errorf("told is %q, should be %q", s.log, want)
		}
	})
}

func TestAHeldLeaseSpansPlans(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		s.auto, s.held = true, true
		release, err := engine.Hold(t.Context(), engine.Options{
			Hosts: map[string]hosts.Host{"b": host{s, "b"}, "a": host{s, "a"}}, Holder: "kim@desk",
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"a/1", "a/2"} {
			s.begin(t.Context(), step(id, work))
			if err := s.result(); err != nil {
				t.Fatal(err)
			}
		}
		release()
		slices.Sort(s.log[6:])
		if want := []string{"take a", "take b", "take a", "a/1", "take a", "a/2", "release a", "release b"}; !slices.Equal(s.log, want) {
			t.Errorf("hosts were asked %v, should be %v", s.log, want)
		}
	})
}

func TestLeaseIsTakenOnAllHostsOrNone(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		s.auto = true
		s.holders["c"] = hosts.LeaseHolder{Holder: "lee@lab, process 7", Since: "2026-01-02T03:04:05Z", Heard: "2026-01-02T03:05:00Z"}
		s.begin(t.Context(), step("c/1", work), step("a/1", work), step("b/1", work), step("d/1", work))
		err := s.result()
		var known *hosts.Error
		if !errors.As(err, &known) || known.Kind != hosts.KindLease || known.Host != "c" || known.Fix == "" {
			t.Fatalf("not a refused lease on c: %v", err)
		}
		wantNotBegun(t, err, true)
		for _, word := range []string{"lee@lab, process 7", "2026-01-02T03:04:05Z", "2026-01-02T03:05:00Z"} {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("the error does not name %s: %v", word, err)
			}
		}
		slices.Sort(s.log[3:])
		if want := []string{"take a", "take b", "take c", "release a", "release b"}; !slices.Equal(s.log, want) {
			t.Errorf("hosts were asked %v, should be %v", s.log, want)
		}
	})
}

// wantNotBegun wants the error of a run that came to no step, because of the lease or not.
func wantNotBegun(t *testing.T, err error, lease bool) {
	t.Helper()
	var unbegun *engine.NotBegun
	var held *engine.NotLeased
	if !errors.As(err, &unbegun) || errors.As(err, &held) != lease {
		t.Errorf("want a run that was not begun (for the lease: %v), got %#v", lease, err)
	}
}

// TestALeaseThatIsMissedMidwayIsAFailedStep: what has begun is never told as not begun.
func TestALeaseThatIsMissedMidwayIsAFailedStep(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		s.auto = true
		s.fail["a/2"] = &hosts.Error{Kind: hosts.KindLease, Op: "do a/2", Err: hosts.LeaseHolder{Holder: "lee@lab"}}
		s.begin(t.Context(), step("a/1", work), step("a/2", work, plan.All("a/1")))
		err := s.result()
		var run *engine.RunError
		var unbegun *engine.NotBegun
		var held *engine.NotLeased
		if !errors.As(err, &run) || errors.As(err, &unbegun) || errors.As(err, &held) {
			t.Errorf("want a failed run and nothing else, got %#v", err)
		}
	})
}

func TestAStalePlanTouchesNothingAndGivesTheLeaseBack(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		stale := errors.New("stale")
		s.auto, s.leased = true, func(context.Context) error { return stale }
		s.begin(t.Context(), step("a/1", work))
		err := s.result()
		if !errors.Is(err, stale) {
			t.Fatalf("want the stale plan's error, got %v", err)
		}
		wantNotBegun(t, err, false)
		if want := []string{"take a", "release a"}; !slices.Equal(s.log, want) {
			t.Errorf("hosts were asked %v, should be %v", s.log, want)
		}
	})
}

func TestPlanThatCannotBeAppliedTouchesNothing(t *testing.T) {
	tests := map[string]struct {
		steps []plan.Step
		says  string
	}{
		"content missing": {[]plan.Step{write("a/1", work, "sha256:00")}, "sha256:00"},
		"circle":          {[]plan.Step{step("a/1", work, plan.All("b/1")), step("b/1", work, plan.All("a/1"))}, "wait for each other"},
		"twice":           {[]plan.Step{step("a/1", work), step("a/1", images)}, "a/1"},
		"into the void":   {[]plan.Step{step("a/1", work, plan.All("a/0"))}, "a/0"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			act(t, func(t *testing.T, s *stage) {
				s.auto = true
				s.begin(t.Context(), test.steps...)
				if err := s.result(); err == nil || !strings.Contains(err.Error(), test.says) {
					t.Errorf("error %v should name %s", err, test.says)
				}
				if len(s.log) > 0 {
					t.Errorf("hosts were asked %v", s.log)
				}
			})
		})
	}
}

func TestHostThatIsNotConnectedIsRefused(t *testing.T) {
	err := engine.Apply(t.Context(), plan.Plan{Steps: []plan.Step{step("a/1", work), waitAPI("a")}}, engine.Options{})
	if err == nil || !strings.Contains(err.Error(), "host a is in the plan, but not connected") ||
		!strings.Contains(err.Error(), "no connection to the cluster") {
		t.Fatalf("both should be told at once: %v", err)
	}
}

func TestEmptyPlanTakesNoLease(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		s.lease = []string{"a"}
		s.begin(t.Context())
		if err := s.result(); err != nil || len(s.log) > 0 {
			t.Fatalf("error %v, asked %v", err, s.log)
		}
	})
}

func TestJournalHoldsEveryBeginAndEnd(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		s.auto = true
		s.fail["a/2"] = errBroken
		s.put("sha256:object", 10)
		apply := plan.Step{ID: "cluster/test/object", Phase: "test", Lane: work, After: []plan.Dependency{plan.All("a/1")}, Cluster: plan.Apply{Content: "sha256:object"}}
		steps := []plan.Step{step("a/1", work), step("a/2", work), step("a/3", work), apply}
		s.begin(t.Context(), steps...)
		if s.result() == nil {
			t.Fatal("a/2 should have failed")
		}
		digest := plan.Digest(plan.Plan{Workflow: "init", Steps: steps})
		marks := map[string]string{}
		for line := range strings.Lines(s.journal.String()) {
			var entry struct{ Mark, Plan, Holder, Step, Action, Error, Result string }
			if err := json.Unmarshal([]byte(line), &entry); err != nil {
				t.Fatalf("line %q: %v", line, err)
			}
			if entry.Plan != digest || entry.Holder != "kim@desk" {
				t.Errorf("line %q does not name plan and holder", line)
			}
			marks[entry.Step] += entry.Mark + " " + entry.Result + entry.Error + "; "
		}
		want := map[string]string{
			"":                    "begin ; end a/2: it broke\n1 later step was not begun; ",
			"a/1":                 "begin ; end changed; ",
			"a/2":                 "begin ; end it broke; ",
			"cluster/test/object": "begin ; end changed; ",
		}
		for step, line := range want {
			if marks[step] != line {
				t.Errorf("journal of %q is %q, should be %q", step, marks[step], line)
			}
		}
		if len(marks) != len(want) {
			t.Errorf("journal tells of %v", marks)
		}
	})
}

// TestWarningsStandInTheJournal: a check that was ignored is among them.
func TestWarningsStandInTheJournal(t *testing.T) {
	var journal bytes.Buffer
	warned := plan.Plan{Workflow: "init", Warnings: []string{"cp-1: Mem: little"}}
	if err := engine.Apply(t.Context(), warned, engine.Options{Journal: &journal}); err != nil {
		t.Fatal(err)
	}
	if begin, _, _ := strings.Cut(journal.String(), "\n"); !strings.Contains(begin, `"warnings":["cp-1: Mem: little"]`) {
		t.Errorf("it begins with %s", begin)
	}
}

func TestJournalThatCannotBeWrittenIsTold(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		s.auto = true
		err := engine.Apply(t.Context(), plan.Plan{Steps: []plan.Step{step("a/1", work)}}, engine.Options{
			Hosts: map[string]hosts.Host{"a": host{s, "a"}}, Journal: brokenWriter{},
		})
		if !errors.Is(err, errBroken) || !slices.Contains(s.log, "a/1") {
			t.Fatalf("the run should go on, and tell: %v, %v", err, s.log)
		}
	})
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }
