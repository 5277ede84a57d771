package tui

import (
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// TestLaneSaysWhatIsOnItsWay: a host that waits for content shows how much there is of it, and how long it takes.
func TestLaneSaysWhatIsOnItsWay(t *testing.T) {
	j := newJob(Options{Line: func(plan.Event) string { return "" }}, func() {})
	planned(j)
	const id = "cp-1/containerd/containerd.service"
	begun := time.Now().Add(-20 * time.Second)
	for i := range 21 {
		j.Event(plan.Event{
			Type: plan.EventStepProgress, Step: id, Host: "cp-1", Kind: "upload", Time: begun.Add(time.Duration(i) * time.Second),
			Progress: &hosts.Progress{Done: int64(i) << 20, Total: 60 << 20},
		})
	}
	lane := j.lane("cp-1", text.English, time.Now())
	if !strings.Contains(lane.says, "33% of 60 MiB, ") || !strings.Contains(lane.says, "s left") || lane.runs != 0 {
		t.Errorf("the lane says %q, and %d run", lane.says, lane.runs)
	}
	j.Event(plan.Event{Type: plan.EventStepStarted, Step: id, Host: "cp-1", Time: time.Now()})
	if lane := j.lane("cp-1", text.English, time.Now()); strings.Contains(lane.says, "%") || lane.runs != 1 {
		t.Errorf("once it is there, the lane says %q", lane.says)
	}
}

// TestLaneSaysHowAWaitStands: what the hosts show, and not what the wait itself sees, which is less.
func TestLaneSaysHowAWaitStands(t *testing.T) {
	j := newJob(Options{Line: func(plan.Event) string { return "" }}, func() {})
	planned(j)
	tell := func(event plan.Event) {
		event.Step, event.Time = "cluster/addon/coredns", time.Now()
		j.Event(event)
	}
	says := func(want, fix string) {
		t.Helper()
		if lane := j.lane("", text.English, time.Now()); !strings.Contains(lane.says, want) || lane.fix != fix {
			t.Errorf("the lane says %q, and %q to do", lane.says, lane.fix)
		}
	}
	tell(plan.Event{Type: plan.EventStepStarted})
	tell(plan.Event{Type: plan.EventStepProgress, Progress: &hosts.Progress{Note: "connection refused"}})
	says("connection refused", "")
	tell(plan.Event{Type: plan.EventStepProgress, Status: "kube-apiserver is running, started 95 s ago"})
	tell(plan.Event{Type: plan.EventStepProgress, Progress: &hosts.Progress{Note: "no answer"}})
	says("kube-apiserver is running, started 95 s ago", "")
	tell(plan.Event{Type: plan.EventStepProgress, Status: "it ended", Detail: "on cp-1 a disk is full", Fix: "make room"})
	says("on cp-1 a disk is full", "make room")
	tell(plan.Event{Type: plan.EventStepProgress, Status: "it is running"})
	says("it is running", "")
}
