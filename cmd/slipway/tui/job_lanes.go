package tui

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/workflow"
)

// What a job's hosts are at: a line for each. The caller holds the job's lock.

// places are the hosts that have steps, in the order in which they came, and the cluster last.
func (j *job) places() []string {
	if len(j.hosts[""]) == 0 {
		return j.order
	}
	return append(slices.Clone(j.order), "")
}

// lane is how far one place is.
type lane struct {
	place        string
	done, all    int
	failed, runs int
	says         string // what it does, or waits for
	fix          string
}

func (j *job) lane(place string, l text.Language, now time.Time) lane {
	at := lane{place: place, all: len(j.hosts[place])}
	var running []*stepState
	for _, s := range j.hosts[place] {
		switch s.status {
		case "", plan.EventStepProgress:
			if s.note != "" { // its content is on its way
				running = append(running, s)
			}
		case plan.EventStepStarted:
			at.runs++
			running = append(running, s)
		case plan.EventStepFailed:
			at.failed++
		default:
			if isDone(s.status) {
				at.done++
			}
		}
	}
	switch {
	case len(running) > 0:
		at.says, at.fix = doing(running, now)
	case at.done == at.all:
		at.says = l.Say(text.LaneDone)
	case !j.ended.IsZero():
		at.says = l.Say(text.LaneStopped)
	default:
		at.says = j.waitsFor(place, l)
	}
	return at
}

// doing says what steps do, and of the one that has run longest what it waits for.
func doing(steps []*stepState, now time.Time) (says, fix string) {
	var names []string
	oldest := steps[0]
	for _, s := range steps {
		names = append(names, shortID(s.step.ID))
		if s.since.Before(oldest.since) {
			oldest = s
		}
		fix = cmp.Or(s.fix, fix)
	}
	says = strings.Join(names, ", ")
	if oldest.note != "" {
		says += ": " + oldest.note
	}
	if took := now.Sub(oldest.since); took >= 3*time.Second {
		says += fmt.Sprintf(" (%s)", took.Round(time.Second))
	}
	return says, fix
}

// shortID is a step's ID without its place, which stands before it already.
func shortID(id string) string {
	_, rest, _ := strings.Cut(id, "/")
	return clean(rest)
}

// waitsFor says which steps the first step of a place that has not begun waits for.
func (j *job) waitsFor(place string, l text.Language) string {
	for _, s := range j.hosts[place] {
		if s.status != "" || s.step.IsRescue() {
			continue
		}
		for _, dependency := range s.step.After {
			if open := j.open(dependency); len(open) > 0 {
				said := text.LaneWaits
				if dependency.Any && len(open) > 1 {
					said = text.LaneWaitsAny
				}
				return l.Say(said, clean(open[0])+more(len(open)-1))
			}
		}
	}
	return ""
}

// open are the steps of a dependency that have not ended; none where it is met.
func (j *job) open(dependency plan.Dependency) []string {
	var open []string
	for _, id := range dependency.Steps {
		s, known := j.steps[id]
		switch {
		case !known:
		case s.status == "" || s.status == plan.EventStepStarted:
			open = append(open, id)
		case dependency.Any:
			return nil
		}
	}
	return open
}

// works tells whether something is done by now, and not only looked at, though there are no steps: by smoke and ha test.
func (j *job) works() bool {
	return slices.ContainsFunc(j.stages, func(s stageState) bool {
		return s.name == workflow.StageSmoke || s.name == workflow.StageTrial || s.name == workflow.StageCleanUp
	})
}

// looking are the stages that are under way, the hosts' in the order of their names.
func (j *job) looking() []stageState {
	open := slices.DeleteFunc(slices.Clone(j.stages), func(s stageState) bool { return s.over && s.err == "" || s.what == "" && s.err == "" })
	slices.SortStableFunc(open, func(a, b stageState) int { return cmp.Compare(a.host, b.host) })
	return open
}
