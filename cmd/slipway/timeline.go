package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/slipway-k8s/slipway/phases/plan"
)

// timeline keeps what a run did when, for a picture.
type timeline struct {
	mu    sync.Mutex
	began time.Time
	open  map[string]plan.Event // steps and stages under way, by their names
	bars  []bar
}

// operator is the place of what is done on the operator's own machine.
const operator = "operator"

func newTimeline() *timeline {
	return &timeline{began: time.Now(), open: map[string]plan.Event{}}
}

// Event notes a beginning and an end. Of the stages those of single hosts are not drawn.
func (t *timeline) Event(event plan.Event) {
	name := cmp.Or(event.Step, event.Stage)
	if name == "" || event.Stage != "" && event.Host != "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch event.Type {
	case plan.EventStepStarted, plan.EventStageStarted:
		t.open[name] = event
	case plan.EventStepFinished, plan.EventStepFailed, plan.EventStepCanceled, plan.EventStageFinished:
		begun, running := t.open[name]
		if !running {
			return
		}
		delete(t.open, name)
		place := event.Subject.Host
		if event.Stage != "" {
			place = operator
		}
		t.bars = append(t.bars, bar{
			place: place, name: name, phase: cmp.Or(string(event.Phase), event.Stage),
			waits: waits(event.Kind), failed: event.Type == plan.EventStepFailed,
			from: begun.Time.Sub(t.began), to: event.Time.Sub(t.began),
		})
	}
}

// waits tells the actions that only wait from those that work.
func waits(kind string) bool { return strings.HasPrefix(kind, "wait-") || kind == "member-promote" }

// save draws the picture into a file.
func (t *timeline) save(file string, hosts []string) error {
	if err := os.WriteFile(file, t.draw(hosts), 0o644); err != nil {
		return fmt.Errorf("write the timeline: %w", err)
	}
	return nil
}

// draw draws what was done for a host beside it, and all else for the cluster.
func (t *timeline) draw(hosts []string) []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	bars := slices.Clone(t.bars)
	for i, b := range bars {
		if b.place != operator && !slices.Contains(hosts, b.place) {
			bars[i].place = "cluster"
		}
	}
	return drawTimeline(slices.Concat([]string{operator}, hosts, []string{"cluster"}), bars)
}
