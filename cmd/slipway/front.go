package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/engine/api"
	"github.com/slipway-k8s/slipway/phases/forecast"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/workflow"
)

// silentFront shows nothing of a command but for whom it waits. It is what the others are
// made of.
type silentFront struct{ program *program }

func (p *program) silent() silentFront { return silentFront{p} }

func (f silentFront) Event(event plan.Event) { f.program.waits.Event(event) }

// Preflight shows nothing: what a check has found is told with the plan, or with the refusal.
func (f silentFront) Preflight(workflow.Preflight) {}

func (f silentFront) Forecast(forecast.Forecast) error { return nil }

func (f silentFront) Plan(workflow.Prepared) error { return nil }

func (f silentFront) Ask(ctx context.Context, question string) (bool, error) {
	return f.program.confirm(ctx, newShown(os.Stderr), question)
}

func (f silentFront) Secret(ctx context.Context, question workflow.Secret) (string, error) {
	defer f.program.waits.hush()()
	return f.program.secrets.ask(ctx, question)
}

func (f silentFront) Promise(api.SmokeResult) {}

func (f silentFront) Trial(workflow.Trial) {}

func (f silentFront) Note(format string, args ...any) {
	fmt.Fprintln(os.Stderr, hosts.Clean(fmt.Sprintf(format, args...)))
}

// during has what is said of waits go the way of notes while a plan is applied.
func (f silentFront) during(event plan.Event, note func(format string, args ...any)) {
	switch event.Type {
	case plan.EventRunStarted:
		f.program.waits.through(func(line string) { note("%s", line) })
	case plan.EventRunFinished:
		f.program.waits.through(nil)
	}
}

// jsonFront writes one JSON object per event.
type jsonFront struct {
	silentFront
	yes     bool
	mu      sync.Mutex
	encoder *json.Encoder
}

func (f *jsonFront) Event(event plan.Event) {
	f.silentFront.Event(event)
	f.during(event, f.Note)
	if event.Stage != workflow.StageClose { // what a command says last is how it ended
		f.encode(event)
	}
}

func (f *jsonFront) encode(value any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = f.encoder.Encode(value) // a reader that went away stops no run
}

func (f *jsonFront) Forecast(made forecast.Forecast) error {
	f.encode(struct {
		Type string `json:"type"`
		forecast.Forecast
	}{"forecast", made})
	return nil
}

func (f *jsonFront) Plan(ready workflow.Prepared) error {
	p := ready.Plan
	if !f.yes {
		return usagef("--output json asks nothing: say --yes")
	}
	if p.Versions != "" {
		f.Note("%s", p.Versions)
	}
	if from := p.Bundle; from != nil {
		f.Note("bundle %s: %s", from.Digest, from.Signature)
	}
	for _, warning := range p.Warnings {
		f.Note("warning: %s", warning)
	}
	return nil
}

func (f *jsonFront) Secret(_ context.Context, question workflow.Secret) (string, error) {
	return "", nobodyTypes("--output json asks nothing", question)
}

func (f *jsonFront) Promise(one api.SmokeResult) {
	f.encode(struct {
		Type string `json:"type"`
		api.SmokeResult
	}{"promise", one})
}

func (f *jsonFront) Trial(one workflow.Trial) {
	f.encode(struct {
		Type string `json:"type"`
		workflow.Trial
	}{"trial", one})
}

func (f *jsonFront) Note(format string, args ...any) {
	f.encode(map[string]string{"type": "note", "detail": fmt.Sprintf(format, args...)})
}

// textFront is what a front end for people is made of.
type textFront struct {
	silentFront
	yes   bool
	out   io.Writer
	mu    sync.Mutex
	steps longSteps
}

func (f *textFront) Forecast(made forecast.Forecast) error { return writeShortForecast(f.out, made) }

// Plan shows all of a plan to whom is asked, and else how much it is.
func (f *textFront) Plan(ready workflow.Prepared) error {
	text := plan.Text(ready.Plan)
	if f.yes {
		text = plan.Summary(ready.Plan) + "\n"
	}
	_, err := io.WriteString(f.out, text)
	return err
}

func (f *textFront) Ask(ctx context.Context, question string) (bool, error) {
	return f.program.confirm(ctx, f.out, question)
}

// plainFront writes one line per event that says something new, and of a step that runs
// long what it waits for.
type plainFront struct {
	*textFront
	stop func()
}

// waitInterval is how often is looked whether there is something to tell of steps that run.
const waitInterval = time.Second

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
	f.silentFront.Event(event)
	f.during(event, f.Note)
	switch event.Type {
	case plan.EventRunStarted:
		f.stop = every(waitInterval, f.tell)
	case plan.EventRunFinished:
		f.stop()
	}
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

func (f *plainFront) Promise(one api.SmokeResult) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fmt.Fprintln(f.out, smokeText(one))
}

func (f *plainFront) Trial(one workflow.Trial) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fmt.Fprintln(f.out, trialText(one))
}

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
	case plan.EventStageStarted:
		if event.Stage == workflow.StageConnect && event.Host == "" {
			return event.Detail // the first that is told: something is going on
		}
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
