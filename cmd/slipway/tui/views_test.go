package tui

import (
	"fmt"
	"strings"
	"testing"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/workflow"
)

// TestMuchAboveAPlan: however much there is to be said above a plan, or asked below it, the question stays on the screen.
func TestMuchAboveAPlan(t *testing.T) {
	warned := planOnPaper()
	for i := range 12 {
		warned.Warnings = append(warned.Warnings, fmt.Sprintf("worker-%d: EtcdDisk: 99 of 100 writes to the disk below /var/lib/etcd take up to 31 ms, which is more than etcd is made for", i))
	}
	for name, tell := range map[string][]func(*job){
		"warnings": {func(j *job) { _ = j.Plan(workflow.Prepared{Plan: warned}) }, asked},
		"a long question": {planned, func(j *job) {
			j.question = &question{text: strings.Repeat("  worker-1: take the API server out\n", 25) + "Apply this plan?", answer: make(chan bool, 1)}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if r := recover(); r != nil {
					t.Errorf("it panics: %v", r)
				}
			}()
			j := jobOnPaper(onPaper(t, Terminal{}, text.English), tell...)
			a := newApp(j.shared, j)
			a.Update(tea.WindowSizeMsg{Width: 80, Height: 24})
			for n := range 6 {
				a.Update(keyOf(fmt.Sprint(n + 1)))
				if shown := a.View(); !strings.Contains(shown, "Apply this plan?") {
					t.Errorf("in view %d the question is cut off:\n%s", n+1, shown)
				}
			}
		})
	}
}

// TestAStepThatEndsTwice: what is told twice is counted once.
func TestAStepThatEndsTwice(t *testing.T) {
	j := jobOnPaper(onPaper(t, Terminal{}, text.English), planned, ran, ran, ran, ran, ran)
	a := newApp(j.shared, j)
	a.Update(tea.WindowSizeMsg{Width: 80, Height: 24})
	if shown := a.View(); !strings.Contains(shown, "4 of 13 steps") {
		t.Errorf("it shows:\n%s", shown)
	}
}

// TestWhatWasNotDoneIsNotDone: steps that were skipped are no steps done.
func TestWhatWasNotDoneIsNotDone(t *testing.T) {
	j := jobOnPaper(onPaper(t, Terminal{}, text.English), planned, ran, func(j *job) {
		for _, step := range j.plan.Steps {
			if j.steps[step.ID].status == "" {
				j.Event(canceledEvent(step.ID, step.Host))
			}
		}
	}, failed)
	a := newApp(j.shared, j)
	a.Update(tea.WindowSizeMsg{Width: 80, Height: 24})
	a.Update(keyOf("4"))
	shown := a.View()
	if strings.Contains(shown, "cluster     1/1    done") || strings.Contains(shown, "3/3    done") {
		t.Errorf("what was canceled is shown as done:\n%s", shown)
	}
}

func canceledEvent(step, host string) plan.Event {
	return plan.Event{Type: plan.EventStepCanceled, Step: step, Host: host, Time: at}
}
