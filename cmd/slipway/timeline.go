package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/slipway-k8s/slipway/phases/plan"
)

// timeline keeps what a run did when, for a picture. A nil timeline keeps nothing.
type timeline struct {
	mu    sync.Mutex
	hosts []string
	began time.Time
	open  map[string]plan.Event // steps under way, by id
	bars  []bar
}

// operator is the place of what is done on the operator's own machine.
const operator = "operator"

func newTimeline(hosts []string) *timeline {
	return &timeline{hosts: hosts, began: time.Now(), open: map[string]plan.Event{}}
}

// span notes work of the operator's machine, until the function that it gives is called.
func (t *timeline) span(name string) func() {
	if t == nil {
		return func() {}
	}
	from := time.Now()
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.bars = append(t.bars, bar{place: operator, name: name, phase: name, from: from.Sub(t.began), to: time.Since(t.began)})
	}
}

// Event notes a step's beginning and end.
func (t *timeline) Event(event plan.Event) {
	if t == nil || event.Step == "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch event.Type {
	case plan.EventStepStarted:
		t.open[event.Step] = event
	case plan.EventStepFinished, plan.EventStepFailed, plan.EventStepCanceled:
		begun, running := t.open[event.Step]
		if !running {
			return
		}
		delete(t.open, event.Step)
		t.bars = append(t.bars, bar{
			place: t.place(event), name: event.Step, phase: string(event.Phase),
			waits: waits(event.Kind), failed: event.Type == plan.EventStepFailed,
			from: begun.Time.Sub(t.began), to: event.Time.Sub(t.began),
		})
	}
}

// place is the host that a step is about.
func (t *timeline) place(event plan.Event) string {
	if slices.Contains(t.hosts, event.Subject.Host) {
		return event.Subject.Host
	}
	return "cluster"
}

// waits tells the actions that only wait from those that work.
func waits(kind string) bool { return strings.HasPrefix(kind, "wait-") || kind == "member-promote" }

// save draws the picture into a file.
func (t *timeline) save(file string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	places := append(append([]string{operator}, t.hosts...), "cluster")
	if err := os.WriteFile(file, drawTimeline(places, t.bars), 0o644); err != nil {
		return fmt.Errorf("write the timeline: %w", err)
	}
	return nil
}
