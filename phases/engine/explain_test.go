package engine_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/engine"
	"github.com/slipway-k8s/slipway/phases/plan"
)

func TestFailedWaitShowsWhy(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		line := "listen tcp 0.0.0.0:6443: bind: address already in use"
		s.evidence["cp-1"] = []hosts.Evidence{{Source: "container kube-system/kube-apiserver-cp-1/kube-apiserver", Lines: []string{line}}}
		s.begin(t.Context(), step("cp-2/1", work), waitAPI("cp-1"))
		s.now("cp-2/1", "wait-api cp-1")
		s.end("wait-api cp-1", errBroken)
		s.now("cp-2/1")
		s.end("cp-2/1", nil)
		var failure *engine.StepError
		err := s.result()
		if !errors.As(err, &failure) || failure.Cause == nil {
			t.Fatalf("no cause was found: %v", err)
		}
		for _, word := range []string{"cp-1", "a port is taken", line, "container kube-system/kube-apiserver-cp-1/kube-apiserver", failure.Fix} {
			if word == "" || !strings.Contains(err.Error(), word) {
				t.Errorf("the error does not say %q: %v", word, err)
			}
		}
		for _, event := range s.events {
			if event.Type == plan.EventStepFailed && (len(event.Evidence) != 1 || event.Fix == "" || !strings.Contains(event.Detail, line)) {
				t.Errorf("the event does not show why: %+v", event)
			}
		}
		for _, asked := range s.log {
			if asked == "observe cp-2" {
				t.Error("a host that has nothing to do with it was asked")
			}
		}
	})
}

// TestWaitsThatLastAskAHostOnce: however many wait, a host gathers what it shows once.
func TestWaitsThatLastAskAHostOnce(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		s.evidence["cp-1"] = []hosts.Evidence{{Source: "container kube-system/etcd-cp-1/etcd", Lines: []string{"no space left on device"}}}
		var steps []plan.Step
		var waits []string
		for _, name := range []string{"coredns", "kube-proxy", "kube-flannel-ds"} {
			steps = append(steps, plan.Step{ID: "cluster/wait/" + name, Phase: "test", Lane: name,
				Cluster: plan.WaitAvailable{Object: hosts.ObjectKey{Kind: "DaemonSet", Name: name}}})
			waits = append(waits, "wait-available "+name)
		}
		s.begin(t.Context(), append(steps, step("cp-1/1", work), step("cp-2/1", work))...)
		s.now(append(waits, "cp-1/1", "cp-2/1")...)
		<-time.After(50 * time.Second) // of the test's own clock: each asks three times
		for _, wait := range append(waits, "cp-1/1", "cp-2/1") {
			s.end(wait, nil)
		}
		if err := s.result(); err != nil {
			t.Fatal(err)
		}
		asked, told := map[string]int{}, map[string]int{}
		for _, line := range s.log {
			asked[line]++
		}
		for _, event := range s.events {
			if event.Type == plan.EventStepProgress {
				told[event.Step]++
			}
		}
		if asked["observe cp-1"] != 3 || asked["observe cp-2"] != 3 {
			t.Errorf("the hosts were asked: %v", asked)
		}
		for _, step := range steps {
			if told[step.ID] != 1 {
				t.Errorf("%s told what is wrong %d times, not once: %v", step.ID, told[step.ID], told)
			}
		}
	})
}

// TestHostThatHangsHoldsUpNobody: others are heard meanwhile, by waits for one and for all.
func TestHostThatHangsHoldsUpNobody(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		s.hung = "cp-1"
		s.evidence["cp-2"] = []hosts.Evidence{{Source: "container kube-system/etcd-cp-1/etcd", Lines: []string{"no space left on device"}}}
		rollout := plan.Step{ID: "cluster/wait/coredns", Phase: "test", Lane: "coredns", Cluster: plan.WaitAvailable{Object: hosts.ObjectKey{Name: "coredns"}}}
		s.begin(t.Context(), rollout, waitAPI("cp-1"), waitAPI("cp-2", plan.All("cp-2/1")), step("cp-1/1", work), step("cp-2/1", work))
		s.now("wait-available coredns", "wait-api cp-1", "cp-1/1", "cp-2/1")
		<-time.After(time.Second) // of the test's own clock, so that cp-1 is asked first
		s.end("cp-2/1", nil)
		pending := []string{"wait-api cp-2", "wait-available coredns", "wait-api cp-1", "cp-1/1"}
		s.now(slices.Clone(pending)...)
		<-time.After(21 * time.Second)
		synctest.Wait()
		for _, wait := range pending {
			s.end(wait, nil)
		}
		if err := s.result(); err != nil {
			t.Fatal(err)
		}
		told := map[string]int{}
		for _, event := range s.events {
			if event.Type == plan.EventStepProgress {
				told[event.Step]++
			}
		}
		if told["cluster/wait/cp-2"] != 1 || told["cluster/wait/cp-1"] != 0 {
			t.Errorf("told were %v", told)
		}
	})
}

func TestWaitThatLastsTellsWhatItShows(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		s.evidence["cp-1"] = []hosts.Evidence{{Source: "container kube-system/etcd-cp-1/etcd", Lines: []string{"no space left on device"}}}
		s.begin(t.Context(), step("cp-2/1", work), waitAPI("cp-1"))
		s.now("cp-2/1", "wait-api cp-1")
		<-time.After(25 * time.Second) // of the test's own clock
		s.end("wait-api cp-1", nil)
		s.end("cp-2/1", nil)
		if err := s.result(); err != nil {
			t.Fatal(err)
		}
		var notes []string
		for _, event := range s.events {
			if event.Type == plan.EventStepProgress {
				notes = append(notes, event.Step+": "+event.Detail+" → "+event.Fix)
			}
		}
		if len(notes) != 1 || !strings.Contains(notes[0], "cluster/wait/cp-1: on cp-1 a disk is full") || !strings.Contains(notes[0], "→ make room") {
			t.Errorf("progress tells %q", notes)
		}
	})
}

func TestFailedRolloutAsksEveryHost(t *testing.T) {
	act(t, func(t *testing.T, s *stage) {
		s.evidence["b"] = []hosts.Evidence{{Source: "kubelet.service", Lines: []string{`"Error syncing pod" err="ErrImageNeverPull" pod="kube-system/coredns-1"`}}}
		wait := plan.Step{ID: "cluster/dns/wait", Phase: "dns", Lane: plan.LaneWait, Cluster: plan.WaitAvailable{Object: hosts.ObjectKey{Name: "coredns"}}}
		s.begin(t.Context(), step("a/1", work), step("b/1", work), wait)
		s.now("a/1", "b/1", "wait-available coredns")
		s.end("wait-available coredns", errBroken)
		s.end("a/1", nil)
		s.end("b/1", nil)
		var failure *engine.StepError
		if err := s.result(); !errors.As(err, &failure) || failure.Cause == nil || failure.Cause.Host != "b" {
			t.Fatalf("the cause on b was not found: %v", err)
		}
		if failure.Evidence[0].Source != "b: kubelet.service" {
			t.Errorf("evidence does not name its host: %+v", failure.Evidence)
		}
	})
}
