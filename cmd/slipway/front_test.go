package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/engine/api"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/workflow"
)

func TestPlainFrontSaysOneLinePerFinishedStep(t *testing.T) {
	var out bytes.Buffer
	f := newProgram().newFront(formatText, false, &out)
	f.Event(plan.Event{Type: plan.EventStepStarted, Step: "cp-1/certs/ca"})
	f.Event(plan.Event{Type: plan.EventStepProgress, Step: "cp-1/certs/ca", Progress: &hosts.Progress{Done: 1, Total: 2}})
	f.Event(plan.Event{Type: plan.EventStepFinished, Step: "cp-1/certs/ca", Detail: "new", Seconds: 0.12})
	f.Event(plan.Event{Type: plan.EventStepSkipped, Step: "w-1/kubelet/start", Because: "w-1/images/pause"})
	f.Event(plan.Event{Type: plan.EventStepNotNeeded, Step: "w-1/etcd/back"})
	want := "✓ cp-1/certs/ca: new (0.1s)\n- w-1/kubelet/start: skipped, since w-1/images/pause failed\n"
	if out.String() != want {
		t.Errorf("want\n%s\ngot\n%s", want, out.String())
	}
}

func TestFailureShowsTheFixOrElseTheLastWords(t *testing.T) {
	evidence := []hosts.Evidence{{Source: "cp-1: kubelet.service", Lines: []string{"one", "two", "three"}}}
	known := eventLine(plan.Event{Type: plan.EventStepFailed, Step: "s", Error: "e", Fix: "do this", Evidence: evidence})
	if !strings.Contains(known, "→ do this") || strings.Contains(known, "three") {
		t.Errorf("with a known cause: %s", known)
	}
	unknown := eventLine(plan.Event{Type: plan.EventStepFailed, Step: "s", Error: "e", Evidence: evidence})
	if strings.Contains(unknown, "one") || !strings.Contains(unknown, "two") || !strings.Contains(unknown, "three") {
		t.Errorf("with an unknown cause: %s", unknown)
	}
}

func TestJSONFrontGivesOneObjectPerEvent(t *testing.T) {
	var out bytes.Buffer
	f := newProgram().newFront(formatJSON, true, &out)
	f.Event(plan.Event{Type: plan.EventStepFinished, Step: "a"})
	f.Note("done: %d", 1)
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("want 2 lines, got %q", lines)
	}
	for _, line := range lines {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %s", line)
		}
	}
}

func TestFrontsTellOfPromises(t *testing.T) {
	broken := api.SmokeResult{Promise: "Job", Outcome: api.SmokeBroken, Object: "Job x/y", Cause: "it failed", Evidence: []string{"Pod y: \x1b[2J bad"}, Fix: "look"}
	var plain, encoded bytes.Buffer
	newProgram().newFront(formatText, true, &plain).Promise(broken)
	want := "✗ Job                          Job x/y: it failed\n"
	if text := plain.String(); !strings.HasPrefix(text, want) || !strings.HasSuffix(text, "bad\n      → look\n") || strings.Contains(text, "\x1b") {
		t.Errorf("want\n%sgot\n%s", want, text)
	}
	newProgram().newFront(formatJSON, true, &encoded).Promise(broken)
	var told map[string]any
	if err := json.Unmarshal(encoded.Bytes(), &told); err != nil || told["type"] != "promise" || told["outcome"] != "broken" || told["fix"] != "look" {
		t.Errorf("%v: %s", err, encoded.String())
	}
}

func TestFrontsTellOfTrials(t *testing.T) {
	one := workflow.Trial{What: "the control plane is taken out", Host: "cp-1", From: "w-1", Gap: 1.25, Writes: 40, Failures: 2, Cause: "\x1b[2J refused\nmore"}
	var plain, encoded bytes.Buffer
	newProgram().newFront(formatText, true, &plain).Trial(one)
	if text := plain.String(); !strings.HasPrefix(text, "cp-1: the control plane is taken out: no write was acknowledged for 1.25 s at most; 40 acknowledged, 2 refused, seen from w-1; the client was told: ") ||
		strings.Contains(text, "\x1b") || strings.Count(text, "\n") != 1 {
		t.Errorf("%q", text)
	}
	newProgram().newFront(formatJSON, true, &encoded).Trial(one)
	var told map[string]any
	if err := json.Unmarshal(encoded.Bytes(), &told); err != nil || told["type"] != "trial" || told["host"] != "cp-1" || told["gapSeconds"] != 1.25 {
		t.Errorf("%v: %s", err, encoded.String())
	}
}

func TestTheTimeLeftIsNotToldTooExactly(t *testing.T) {
	for left, want := range map[time.Duration]string{
		0: "1s", 1200 * time.Millisecond: "2s", 41 * time.Second: "45s", 58 * time.Second: "1m", 73 * time.Second: "1m20s",
		5 * time.Minute: "5m", 11*time.Minute + time.Second: "12m", 2 * time.Hour: "2h0m",
	} {
		if got := leftText(left); got != "about "+want+" left" {
			t.Errorf("%s: %q, want %q", left, got, want)
		}
	}
}

// TestTheLiveFrontTellsTheTimeLeft where steps of the kind were done before, and else the time that has passed alone.
func TestTheLiveFrontTellsTheTimeLeft(t *testing.T) {
	state := t.TempDir()
	t.Setenv("XDG_STATE_HOME", state)
	now := time.Now()
	p := plan.Plan{Steps: []plan.Step{{ID: "w-1/prepare/x", Host: "w-1", Lane: plan.LaneWork, Action: hosts.MakeDirectory{}}}}
	clock := func() string {
		f := newLiveFront(&textFront{silentFront: newProgram().silent(), yes: true, out: io.Discard, steps: longSteps{}}, nil)
		f.started, f.places = now.Add(-5*time.Second), map[string]*place{}
		if err := f.Plan(workflow.Prepared{Plan: p}); err != nil {
			t.Fatal(err)
		}
		f.fold(plan.Event{Type: plan.EventStepStarted, Time: now.Add(-5 * time.Second), Step: "w-1/prepare/x", Host: "w-1"})
		return f.clock(now)
	}
	if got := clock(); got != "5s" {
		t.Errorf("nothing is known: %q", got)
	}
	runs := filepath.Join(state, "slipway", "runs")
	if err := os.MkdirAll(runs, 0o700); err != nil {
		t.Fatal(err)
	}
	line := `{"mark":"end","step":"cp-1/prepare/x","host":"cp-1","action":"` + plan.Kind(p.Steps[0]) + `","result":"changed","seconds":21}` + "\n"
	if err := os.WriteFile(filepath.Join(runs, "20261201T120000.000Z-try.jsonl"), []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := clock(); got != "5s, about 16s left" {
		t.Errorf("an earlier run is known: %q", got)
	}
}

func TestClipNeverWraps(t *testing.T) {
	for _, test := range []struct {
		line  string
		width int
		want  string
	}{{"short", 10, "short"}, {"exactly ten", 11, "exactly ten"}, {"größer als das", 6, "größe…"}} {
		if got := clip(test.line, test.width); got != test.want {
			t.Errorf("clip(%q, %d): want %q, got %q", test.line, test.width, test.want, got)
		}
	}
}
