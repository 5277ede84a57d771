package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/workflow"
)

const (
	// longStep is how long a step runs before it is told that it does.
	longStep = 10 * time.Second
	// newsPause is between two tellings of a step that has something new to say, and
	// samePause of one that has not.
	newsPause = 10 * time.Second
	samePause = 30 * time.Second
)

// longSteps is every step that runs, and what it waits for.
type longSteps map[string]*runningStep

type runningStep struct {
	id, host string // no host: it is the cluster's
	since    time.Time
	progress *hosts.Progress // the latest: how far it is, or what it waits for; may be nil
	carried  workflow.Transfer
	status   string // how what it waits for stands on the hosts
	cause    string // known to make it last
	fix      string

	told     time.Time
	toldWhat string
}

// fold takes one event into the picture.
func (w longSteps) fold(event plan.Event, now time.Time) {
	if event.Step == "" {
		return
	}
	switch event.Type {
	case plan.EventStepStarted, plan.EventStepProgress:
	default:
		delete(w, event.Step)
		return
	}
	step, known := w[event.Step]
	if !known {
		step = &runningStep{id: event.Step, host: event.Host, since: now}
		w[event.Step] = step
	}
	switch {
	case event.Type == plan.EventStepProgress && event.Progress == nil:
		step.cause, step.fix, step.status = event.Detail, event.Fix, event.Status
	case event.Progress != nil:
		step.progress = event.Progress
		if workflow.Carries(event) {
			step.carried.Note(*event.Progress, now)
		} else {
			step.carried = workflow.Transfer{}
		}
	}
}

// sorted are the steps, those that run longest first.
func (w longSteps) sorted() []*runningStep {
	return slices.SortedFunc(maps.Values(w), func(a, b *runningStep) int {
		return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.id, b.id))
	})
}

// on are the steps of one host, in the order of their names.
func (w longSteps) on(host string) []*runningStep {
	var steps []*runningStep
	for _, id := range slices.Sorted(maps.Keys(w)) {
		if w[id].host == host {
			steps = append(steps, w[id])
		}
	}
	return steps
}

// due gives the lines that are to be told now: of steps that run long, what they wait for
// and, as soon as it is known, what makes them wait.
func (w longSteps) due(now time.Time) []string {
	var lines []string
	for _, step := range w.sorted() {
		what := step.what()
		pause := samePause
		if what != step.toldWhat {
			pause = newsPause
		}
		first := step.told.IsZero() && now.Sub(step.since) >= longStep
		again := !step.told.IsZero() && now.Sub(step.told) >= pause
		discovery := step.cause != "" && step.toldWhat != what
		if !first && !again && !discovery {
			continue
		}
		line := fmt.Sprintf("… %s (%s)%s", step.id, now.Sub(step.since).Round(time.Second), suffix(what))
		if step.fix != "" && step.toldWhat != what {
			line += "\n    → " + step.fix
		}
		step.told, step.toldWhat = now, what
		lines = append(lines, hosts.Clean(line))
	}
	return lines
}

// what says what the step waits for: the known cause before all else, then how the hosts stand.
func (s *runningStep) what() string {
	switch {
	case s.cause != "":
		return s.cause
	case s.status != "":
		return hosts.CleanLine(s.status)
	case s.progress != nil && s.progress.Note != "":
		return hosts.CleanLine(s.progress.Note)
	}
	return cmp.Or(s.carried.String(), s.percent())
}

// percent is how much of the step is done; empty where that is not known.
func (s *runningStep) percent() string {
	if s.progress == nil || s.progress.Total <= 0 {
		return ""
	}
	return fmt.Sprintf("%d%%", 100*s.progress.Done/s.progress.Total)
}

func suffix(detail string) string {
	if detail == "" {
		return ""
	}
	return ": " + detail
}
