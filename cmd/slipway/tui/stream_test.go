package tui

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/muesli/termenv"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/workflow"
)

// manySteps is a plan for so many hosts with so many steps in all, each waiting for the one before it on its host.
func manySteps(places, steps int) plan.Plan {
	p := plan.Plan{Workflow: "init", Cluster: hosts.Identity{Name: "ha"}}
	for n := range steps {
		host := fmt.Sprintf("worker-%d", n%places+1)
		step := plan.Step{
			ID: fmt.Sprintf("%s/phase-%d/file-%d", host, n/places/10, n), Phase: plan.Phase(fmt.Sprintf("phase-%d", n/places/10)), Host: host, Lane: plan.LaneWork,
			Change: plan.Create, Why: "the kubelet needs it", Action: hosts.SetUnit{},
		}
		if n >= places {
			step.After = []plan.Dependency{plan.All(p.Steps[n-places].ID)}
		}
		p.Steps = append(p.Steps, step)
	}
	return p
}

// stream tells of a plan's steps, again and again from the first, until it has told of n events. The last event is the end of
// the last step.
func stream(steps []plan.Step, n int, tell func(plan.Event)) {
	kinds := []plan.EventType{plan.EventStepStarted, plan.EventStepProgress, plan.EventStepProgress, plan.EventStepFinished}
	for i := range n {
		step := steps[(len(steps)-(n-i+len(kinds)-1)/len(kinds)%len(steps))%len(steps)]
		kind := kinds[len(kinds)-1-(n-1-i)%len(kinds)]
		event := plan.Event{Type: kind, Step: step.ID, Host: step.Host, Phase: step.Phase, Time: at, Seconds: 0.5}
		if kind == plan.EventStepProgress {
			event.Progress = &hosts.Progress{Done: int64(i), Total: int64(n), Note: fmt.Sprintf("blob %d of what comes from the bundle", i)}
		}
		tell(event)
	}
}

// busyJob is the screen of a job with 100 hosts and 5,000 steps, of which each host has one under way.
func busyJob(s *shared) *jobScreen {
	p := manySteps(100, 5000)
	j := jobOnPaper(s, func(j *job) { _ = j.Plan(workflow.Prepared{Plan: p}) })
	for i := range 100 {
		j.job.Event(plan.Event{Type: plan.EventStepStarted, Step: p.Steps[i].ID, Host: p.Steps[i].Host, Phase: p.Steps[i].Phase, Time: at})
	}
	j.follow()
	return j
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestFasterThanTheScreen: events that come faster than frames are drawn take no more memory than those that do not, and what is
// shown at last is how it is.
func TestFasterThanTheScreen(t *testing.T) {
	const most = 24 << 20
	s := onPaper(t, Terminal{Profile: termenv.ANSI256, Dark: true}, text.English)
	s.options.Line = func(e plan.Event) string { return fmt.Sprintf("%s %s: %v", e.Type, e.Step, e.Progress) }
	p := manySteps(100, 5000)
	before := heap()
	told := make(chan struct{}, 1<<20)
	s.send = func(tea.Msg) { told <- struct{}{} }
	j := jobOnPaper(s)
	j.job.notify = (&notifier{send: s.send}).notify
	_ = j.job.Plan(workflow.Prepared{Plan: p})
	a := newApp(s, j)
	a.Update(tea.WindowSizeMsg{Width: 120, Height: 40})
	began := time.Now()
	for range 20 {
		_ = j.job.Plan(workflow.Prepared{Plan: p}) // a step ends once
		stream(p.Steps, 20_000, j.job.Event)       // all steps once
		a.View()
	}
	took := time.Since(began)
	if now := heap(); now > before+most {
		t.Errorf("400,000 events hold %d MiB", (now-before)>>20)
	}
	if n, bound := len(told), int(took/frameInterval)+2; n > bound {
		t.Errorf("the screen is told %d times of what came in %s, at most %d times are wanted", n, took, bound)
	}
	if len(j.job.log.lines) > logLines || j.job.log.dropped+len(j.job.log.lines) != 400_000 {
		t.Errorf("the log has %d lines, and has dropped %d", len(j.job.log.lines), j.job.log.dropped)
	}
	if took > time.Minute {
		t.Errorf("400,000 events take %s", took)
	}
	a.Update(changedMsg{})
	if shown := a.View(); !strings.Contains(shown, "worker-1 ") || strings.Contains(shown, " 49/50 ") {
		t.Errorf("at last it shows:\n%s", shown)
	}
	for _, step := range p.Steps {
		if state := j.job.steps[step.ID]; state.status != plan.EventStepFinished {
			t.Fatalf("%s is %q", step.ID, state.status)
		}
	}
	runtime.KeepAlive(a)
}

// TestEveryEventCounts: at any rate the last state is right, with all the hosts' counts.
func TestEveryEventCounts(t *testing.T) {
	s := onPaper(t, Terminal{}, text.English)
	p := manySteps(100, 5000)
	j := jobOnPaper(s, func(j *job) { _ = j.Plan(workflow.Prepared{Plan: p}) })
	a := newApp(s, j)
	a.Update(tea.WindowSizeMsg{Width: 120, Height: 60})
	stream(p.Steps, 20_000, j.job.Event)
	a.Update(changedMsg{})
	a.Update(keyOf("4"))
	shown := a.View()
	if !strings.Contains(shown, "5000 of 5000 steps done") {
		t.Errorf("it shows:\n%s", shown)
	}
	if n := strings.Count(shown, "50/50"); n < 40 {
		t.Errorf("%d hosts are done, in:\n%s", n, shown)
	}
	a.Update(keyOf("end"))
	if shown := a.View(); !strings.Contains(shown, "worker-100 ") {
		t.Errorf("it shows:\n%s", shown)
	}
}
