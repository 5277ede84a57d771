package main

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

func started(step string) plan.Event { return plan.Event{Type: plan.EventStepStarted, Step: step} }

func noted(step, note string) plan.Event {
	return plan.Event{Type: plan.EventStepProgress, Step: step, Progress: &hosts.Progress{Note: note}}
}

func suspected(step, cause, fix string) plan.Event {
	return plan.Event{Type: plan.EventStepProgress, Step: step, Detail: cause, Fix: fix}
}

// TestPipeLearnsWhatIsWaitedFor: of what runs long, and its cause as soon as it is known.
func TestPipeLearnsWhatIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		f := newProgram().newFront(formatText, false, &out)
		f.Event(plan.Event{Type: plan.EventRunStarted})
		f.Event(started("cluster/wait/cp-1"))
		f.Event(started("cp-1/etcd/manifest"))
		f.Event(noted("cluster/wait/cp-1", "no answer"))
		time.Sleep(3 * time.Second) // of the test's own clock
		f.Event(plan.Event{Type: plan.EventStepFinished, Step: "cp-1/etcd/manifest", Seconds: 3})
		time.Sleep(8500 * time.Millisecond)
		f.Event(noted("cluster/wait/cp-1", "not ready: etcd"))
		time.Sleep(10 * time.Second)
		f.Event(suspected("cluster/wait/cp-1", "on cp-1 a disk is full", "make room"))
		time.Sleep(33 * time.Second)
		f.Event(plan.Event{Type: plan.EventStepFinished, Step: "cluster/wait/cp-1", Seconds: 54.5})
		time.Sleep(time.Minute)
		f.Event(plan.Event{Type: plan.EventRunFinished})
		want := `✓ cp-1/etcd/manifest (3.0s)
… cluster/wait/cp-1 (10s): no answer
… cluster/wait/cp-1 (20s): not ready: etcd
… cluster/wait/cp-1 (22s): on cp-1 a disk is full
    → make room
… cluster/wait/cp-1 (52s): on cp-1 a disk is full
✓ cluster/wait/cp-1 (54.5s)
`
		if out.String() != want {
			t.Errorf("want\n%s\ngot\n%s", want, out.String())
		}
	})
}

func TestPipeLearnsHowFarALongStepIs(t *testing.T) {
	began := time.Now()
	w := longSteps{}
	w.fold(started("cp-1/images/kube"), began)
	w.fold(plan.Event{Type: plan.EventStepProgress, Step: "cp-1/images/kube", Progress: &hosts.Progress{Done: 30, Total: 60}}, began.Add(time.Second))
	if lines := w.due(began.Add(9 * time.Second)); lines != nil {
		t.Errorf("too early: %q", lines)
	}
	if lines := w.due(began.Add(10 * time.Second)); len(lines) != 1 || lines[0] != "… cp-1/images/kube (10s): 50%" {
		t.Errorf("told %q", lines)
	}
	if lines := w.due(began.Add(12 * time.Second)); lines != nil {
		t.Errorf("told twice: %q", lines)
	}
	w.fold(plan.Event{Type: plan.EventStepCanceled, Step: "cp-1/images/kube"}, began)
	if lines := w.due(began.Add(time.Hour)); lines != nil {
		t.Errorf("it has ended: %q", lines)
	}
}

// TestLiveFrontShowsWhatIsWaitedFor, the known cause with what to do before the note.
func TestLiveFrontShowsWhatIsWaitedFor(t *testing.T) {
	f := newLiveFront(&textFront{steps: longSteps{}}, nil)
	f.places, f.started = map[string]*place{}, time.Now()
	f.fold(started("cluster/wait/cp-1"))
	f.fold(started("cluster/wait/cp-2"))
	f.fold(noted("cluster/wait/cp-1", "not ready: etcd"))
	f.fold(suspected("cluster/wait/cp-2", "on cp-2 containerd does not answer", "restart it"))
	f.steps["cluster/wait/cp-1"].since = time.Now().Add(-7 * time.Second)
	lines := strings.Join(f.lines(), "\n")
	for _, want := range []string{
		"cluster    0 done  wait/cp-1, wait/cp-2",
		"  … cluster/wait/cp-1 (7s): not ready: etcd",
		"  … cluster/wait/cp-2 (0s): on cp-2 containerd does not answer",
		"  → restart it",
	} {
		if !strings.Contains(lines, want) {
			t.Errorf("%q is missing in\n%s", want, lines)
		}
	}
}

// TestStatusOfAWaitIsTold: how the hosts stand says more than what the wait itself sees, and a known cause more
// than that. What changes is told at most every ten seconds.
func TestStatusOfAWaitIsTold(t *testing.T) {
	began := time.Now()
	w := longSteps{}
	stands := func(status, cause, fix string) plan.Event {
		return plan.Event{Type: plan.EventStepProgress, Step: "cluster/wait/cp-1", Status: status, Detail: cause, Fix: fix}
	}
	told := func(after time.Duration, want ...string) {
		t.Helper()
		if lines := w.due(began.Add(after)); strings.Join(lines, "|") != strings.Join(want, "|") {
			t.Errorf("after %s it told %q, should tell %q", after, lines, want)
		}
	}
	w.fold(started("cluster/wait/cp-1"), began)
	w.fold(stands("kube-apiserver is running, started 5 s ago", "", ""), began)
	w.fold(noted("cluster/wait/cp-1", "connection refused"), began)
	told(20*time.Second, "… cluster/wait/cp-1 (20s): kube-apiserver is running, started 5 s ago")
	w.fold(stands("kube-apiserver is running, started 14 s ago", "", ""), began)
	told(29 * time.Second)
	told(30*time.Second, "… cluster/wait/cp-1 (30s): kube-apiserver is running, started 14 s ago")
	w.fold(stands("kube-apiserver ended", "on cp-1 a port is taken", "stop it"), began)
	told(32*time.Second, "… cluster/wait/cp-1 (32s): on cp-1 a port is taken\n    → stop it")
	w.fold(stands("kube-apiserver is running", "", ""), began)
	told(42*time.Second, "… cluster/wait/cp-1 (42s): kube-apiserver is running")
}

// TestContentOnItsWayIsTold: how much there is, how fast it comes, and how long it still takes.
func TestContentOnItsWayIsTold(t *testing.T) {
	began := time.Now().Add(-30 * time.Second)
	w := longSteps{}
	w.fold(started("cp-1/images/kube"), began)
	for i := range 31 {
		w.fold(plan.Event{
			Type: plan.EventStepProgress, Step: "cp-1/images/kube", Kind: "upload",
			Progress: &hosts.Progress{Done: int64(i) * 250 << 10, Total: 98 << 20},
		}, began.Add(time.Duration(i)*time.Second))
	}
	lines := w.due(time.Now())
	if len(lines) != 1 || !strings.Contains(lines[0], "7% of 98 MiB, 2") || !strings.Contains(lines[0], "KiB/s, 6 min") || !strings.HasSuffix(lines[0], "s left") {
		t.Errorf("told %q", lines)
	}
}
