package engine_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/engine"
	"github.com/slipway-k8s/slipway/phases/plan"
)

const apiServer = "container kube-system/kube-apiserver-cp-1/kube-apiserver"

// patientWait waits for an API server: two minutes quiet, ten at work, thirty in all.
func patientWait(host string, after ...plan.Dependency) plan.Step {
	wait := waitAPI(host, after...)
	wait.Cluster = plan.WaitAPI{Host: host, Timeout: 1800, Patience: plan.Patience{Quiet: 120, Busy: 600}}
	return wait
}

// passes lets the test's own clock go on.
func passes(d time.Duration) { <-time.After(d) }

// failed is the failure that the run has ended with.
func (s *stage) failed() (*engine.StepError, *plan.WaitError) {
	s.t.Helper()
	err := s.result()
	failure, is := errors.AsType[*engine.StepError](err)
	late, waited := errors.AsType[*plan.WaitError](err)
	if !is || !waited {
		s.t.Fatalf("the run ended with %v", err)
	}
	return failure, late
}

func TestWaitEndsWhenNothingMoves(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		began := time.Now()
		s.signs = func(string) []hosts.Sign {
			return []hosts.Sign{{Source: apiServer, State: hosts.StateRunning, Seconds: time.Since(began).Seconds()}}
		}
		s.begin(t.Context(), patientWait("cp-1"))
		s.now("wait-api cp-1")
		passes(3 * time.Minute)
		failure, late := s.failed()
		for _, word := range []string{"stuck, given up after 2 min", "nothing has moved for 2 min", "kube-apiserver is running, started", "last seen: connection refused"} {
			if !strings.Contains(late.Error(), word) {
				t.Errorf("the error does not say %q: %v", word, late)
			}
		}
		if !strings.Contains(failure.Fix, "journalctl") || !strings.Contains(failure.Fix, "on cp-1") || !strings.Contains(failure.Fix, "timeouts.withoutProgress") {
			t.Errorf("the fix is %q", failure.Fix)
		}
		told := 0
		for _, event := range s.events {
			if event.Type == plan.EventStepProgress {
				told++
				if !strings.Contains(event.Status, "kube-apiserver is running") {
					t.Errorf("told is %+v", event)
				}
			}
		}
		if told == 0 || told > 5 {
			t.Errorf("its status was told %d times", told)
		}
	})
}

func TestWaitGoesOnWhileAnythingMoves(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		began := time.Now()
		s.signs = func(string) []hosts.Sign {
			passed := time.Since(began).Seconds()
			return []hosts.Sign{{Source: apiServer, State: hosts.StateRunning, Seconds: passed, CPU: passed}}
		}
		s.begin(t.Context(), patientWait("cp-1"))
		passes(9 * time.Minute)
		s.now("wait-api cp-1")
		s.end("wait-api cp-1", nil)
		if err := s.result(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestSlowWaitSaysSo: what was given up though it moved says what moved, and what to set.
func TestSlowWaitSaysSo(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		began := time.Now()
		s.signs = func(string) []hosts.Sign {
			return []hosts.Sign{{Source: hosts.SourceImages, Fetched: int64(time.Since(began)>>20) << 10}}
		}
		s.begin(t.Context(), patientWait("cp-1"))
		passes(31 * time.Minute)
		failure, late := s.failed()
		for _, word := range []string{"slow, given up at its limit of 30 min while there still was progress (images are being fetched (", "last seen: connection refused"} {
			if !strings.Contains(late.Error(), word) {
				t.Errorf("the error does not say %q: %v", word, late)
			}
		}
		if !strings.Contains(failure.Fix, "timeouts.limit") {
			t.Errorf("the fix is %q", failure.Fix)
		}
	})
}

// TestALimitIsNoProgress: where nothing has moved since it began, a wait that its limit ends was not slow.
func TestALimitIsNoProgress(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		s.signs = func(string) []hosts.Sign { return nil }
		wait := waitAPI("cp-1")
		wait.Cluster = plan.WaitAPI{Host: "cp-1", Timeout: 90, Patience: plan.Patience{Quiet: 120, Busy: 600}}
		s.begin(t.Context(), wait)
		passes(2 * time.Minute)
		failure, late := s.failed()
		if !strings.Contains(late.Error(), "stuck, given up after 90 s: its time was over, and nothing moved any more") || !strings.Contains(failure.Fix, "timeouts.limit") {
			t.Errorf("it ends with %v (%s)", late, failure.Fix)
		}
	})
}

// TestWaitEndsForWhatDoesNotHeal: with the cause, the line that proves it, and what to do.
func TestWaitEndsForWhatDoesNotHeal(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		s.evidence["cp-1"] = []hosts.Evidence{{Source: "port 6443 (kube-apiserver)", Lines: []string{"nginx listens"}}}
		s.begin(t.Context(), patientWait("cp-1"))
		passes(time.Minute)
		failure, late := s.failed()
		if late.Stuck == "" || failure.Cause == nil || failure.Fix != failure.Cause.Fix || !strings.Contains(failure.Error(), "nginx listens") {
			t.Errorf("it ended with %v, by %+v", failure, failure.Cause)
		}
		if strings.Count(failure.Error(), "nginx listens") != 1 {
			t.Errorf("the line that proves it is not told once: %v", failure)
		}
	})
}

// TestWaitGoesByWhatOthersDo: while a host is still being made ready, what waits is not stuck.
func TestWaitGoesByWhatOthersDo(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		s.signs = func(string) []hosts.Sign { return nil }
		s.begin(t.Context(), patientWait("cp-1"), step("cp-2/1", work))
		s.now("wait-api cp-1", "cp-2/1")
		passes(10 * time.Minute)
		s.now("wait-api cp-1", "cp-2/1")
		s.end("cp-2/1", nil)
		passes(time.Minute)
		s.now("wait-api cp-1")
		passes(2 * time.Minute)
		if _, late := s.failed(); !strings.Contains(late.Error(), "stuck, given up after 12 min") {
			t.Errorf("it ended with %v", late)
		}
	})
}

// TestASlowHostIsAskedLess: to gather what it shows takes it a third of its time at most.
func TestASlowHostIsAskedLess(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		asked := 0
		s.signs = func(string) []hosts.Sign {
			asked++
			passes(10 * time.Second)
			return []hosts.Sign{{Source: apiServer, State: hosts.StateRunning, CPU: float64(20 * asked)}}
		}
		s.begin(t.Context(), patientWait("cp-1"))
		passes(5 * time.Minute)
		s.end("wait-api cp-1", nil)
		passes(10 * time.Second) // it may just be asked
		if err := s.result(); err != nil {
			t.Fatal(err)
		}
		if asked < 5 || asked > 10 {
			t.Errorf("it was asked %d times in 5 min", asked)
		}
	})
}

// TestQuickWaitAsksNobody: looks cost the host something, and what comes as usual needs none.
func TestQuickWaitAsksNobody(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		s.begin(t.Context(), patientWait("cp-1"))
		passes(19 * time.Second)
		s.now("wait-api cp-1")
		s.end("wait-api cp-1", nil)
		if err := s.result(); err != nil {
			t.Fatal(err)
		}
		for _, line := range s.log {
			if strings.HasPrefix(line, "observe") {
				t.Error("a wait that takes no longer than usual has the host asked")
			}
		}
	})
}
