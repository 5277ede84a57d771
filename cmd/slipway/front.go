package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// front shows a run while it goes on. Event may be called from several goroutines.
type front interface {
	Event(plan.Event)
	// Note says something that belongs to no step.
	Note(format string, args ...any)
	// Close ends the live display; nothing moves after it.
	Close()
}

// newFront chooses how to show a run: JSON when asked, a live display on a terminal,
// else a line per event.
func newFront(format string, out io.Writer) front {
	if format == formatJSON {
		return &jsonFront{encoder: json.NewEncoder(newShown(out))}
	}
	if screen := terminal(out); screen != nil {
		return newLiveFront(screen)
	}
	return newPlainFront(newShown(out))
}

// jsonFront writes one JSON object per event.
type jsonFront struct {
	mu      sync.Mutex
	encoder *json.Encoder
}

func (f *jsonFront) Event(event plan.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = f.encoder.Encode(event) // a reader that went away stops no run
}

func (f *jsonFront) Note(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = f.encoder.Encode(map[string]string{"type": "note", "detail": fmt.Sprintf(format, args...)})
}

func (f *jsonFront) Close() {}

// plainFront writes one line per event that says something new, and of a step that runs
// long what it waits for.
type plainFront struct {
	mu    sync.Mutex
	out   io.Writer
	steps longSteps
	stop  func()
}

// waitInterval is how often is looked whether there is something to tell of steps that run.
const waitInterval = time.Second

func newPlainFront(out io.Writer) *plainFront {
	f := &plainFront{out: out, steps: longSteps{}}
	f.stop = every(waitInterval, f.tell)
	return f
}

// every calls a function again and again until it is stopped, and has it end first.
func every(interval time.Duration, call func()) (stop func()) {
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-ended:
				return
			case <-ticker.C:
				call()
			}
		}
	}()
	return sync.OnceFunc(func() { close(ended); <-done })
}

func (f *plainFront) Event(event plan.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.steps.fold(event, time.Now())
	if line := eventLine(event); line != "" {
		fmt.Fprintln(f.out, line)
	}
}

func (f *plainFront) tell() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, line := range f.steps.due(time.Now()) {
		fmt.Fprintln(f.out, line)
	}
}

func (f *plainFront) Note(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fmt.Fprintln(f.out, hosts.Clean(fmt.Sprintf(format, args...)))
}

func (f *plainFront) Close() { f.stop() }

// eventLine is one event in one line, and clean; empty for those that only move a display.
func eventLine(event plan.Event) string {
	return hosts.Clean(rawLine(event))
}

func rawLine(event plan.Event) string {
	switch event.Type {
	case plan.EventStepFinished:
		return fmt.Sprintf("✓ %s%s (%.1fs)", event.Step, suffix(event.Detail), event.Seconds)
	case plan.EventStepFailed:
		return failureLine(event)
	case plan.EventStepSkipped:
		return fmt.Sprintf("- %s: skipped, since %s failed", event.Step, event.Because)
	case plan.EventStepCanceled:
		return fmt.Sprintf("- %s: not done, interrupted", event.Step)
	}
	return ""
}

// shownEvidence is how many of a source's last lines are shown when the cause is not
// known. All of them are in the run's journal.
const shownEvidence = 2

// failureLine tells a failed step: its cause and what to do where that is known, else the
// last words of everything that may explain it.
func failureLine(event plan.Event) string {
	line := fmt.Sprintf("✗ %s: %s", event.Step, strings.ReplaceAll(event.Error, "\n", "\n    "))
	if event.Fix != "" {
		return line + "\n    → " + event.Fix
	}
	for _, evidence := range event.Evidence {
		for _, text := range evidence.Lines[max(0, len(evidence.Lines)-shownEvidence):] {
			line += fmt.Sprintf("\n    %s: %s", evidence.Source, text)
		}
	}
	return line
}

func suffix(detail string) string {
	if detail == "" {
		return ""
	}
	return ": " + detail
}
