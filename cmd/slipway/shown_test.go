package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// steering is what a host may send so that the terminal does something.
const steering = "\x1b[2J\x1b]0;title\x07\u009b31m\u202e\r\b"

// steers tells whether a text would.
func steers(text string) bool { return strings.ContainsAny(text, "\x1b\x07\u009b\u202e\r\b") }

func TestShownWriterKeepsTextAndShowsTheRest(t *testing.T) {
	text := "größer, 漢字, 🚢\n\tx" + steering
	for size := 1; size <= len(text); size++ {
		var out bytes.Buffer
		w := newShown(&out)
		for rest := []byte(text); len(rest) > 0; {
			n := min(size, len(rest))
			if wrote, err := w.Write(rest[:n]); err != nil || wrote != n {
				t.Fatalf("wrote %d of %d: %v", wrote, n, err)
			}
			rest = rest[n:]
		}
		if _, err := w.Write([]byte("cut \xe6\xbc")); err != nil { // the begin of 漢
			t.Fatal(err)
		}
		w.finish()
		if out.String() != hosts.Escape(text+"cut \xe6\xbc") {
			t.Fatalf("in pieces of %d bytes: %q", size, out.String())
		}
	}
}

// TestNoFrontLetsAHostSteerTheTerminal: whatever field of an event a host's words are in.
func TestNoFrontLetsAHostSteerTheTerminal(t *testing.T) {
	evil := "said" + steering
	events := []plan.Event{
		{Type: plan.EventStepStarted, Step: "cp-1/x", Host: "cp-1", Detail: evil},
		{Type: plan.EventStepProgress, Step: "cp-1/x", Host: "cp-1", Progress: &hosts.Progress{Note: evil}},
		{Type: plan.EventStepProgress, Step: "cp-1/x", Host: "cp-1", Detail: evil, Fix: evil},
		{Type: plan.EventStepFinished, Step: "cp-1/x", Host: "cp-1", Detail: evil},
		{Type: plan.EventStepFailed, Step: "cp-1/y", Error: evil, Evidence: []hosts.Evidence{{Source: evil, Lines: []string{evil}}}},
		{Type: plan.EventStepFailed, Step: "cp-1/z", Error: evil, Fix: evil},
	}
	for _, format := range []string{formatText, formatJSON} {
		var out bytes.Buffer
		f := newProgram().newFront(format, true, &out)
		for _, event := range events {
			f.Event(event)
		}
		f.Note("warning: %s", evil)
		if !strings.Contains(out.String(), "said") || steers(out.String()) {
			t.Errorf("%s: %q", format, out.String())
		}
		if format == formatJSON {
			var event plan.Event
			lines := strings.Split(out.String(), "\n")
			if err := json.Unmarshal([]byte(lines[3]), &event); err != nil || event.Detail != evil {
				t.Errorf("JSON says %q: %v", event.Detail, err)
			}
		}
	}
	live := newLiveFront(&textFront{steps: longSteps{}}, nil)
	live.places = map[string]*place{}
	for _, event := range events {
		live.fold(event)
	}
	if lines := strings.Join(live.lines(), "\n"); steers(lines) {
		t.Errorf("the live front: %q", lines)
	}
}

func TestNoErrorSteersTheTerminal(t *testing.T) {
	evil := errors.New("said" + steering)
	long := errors.New("banner " + strings.Repeat("x", 1<<20))
	for _, err := range []error{
		fmt.Errorf("connect: %w", evil),
		&hosts.Error{Kind: hosts.KindUnreachable, Op: evil.Error(), Host: "cp-1", Err: evil, Fix: evil.Error()},
		&checks.Refused{Findings: []checks.Finding{{Check: "c", Host: "h", Seen: evil.Error(), Fix: evil.Error(), Severity: checks.Error}}},
		long,
	} {
		var out bytes.Buffer
		report(&out, err, false)
		if steers(out.String()) || out.Len() > 2*hosts.MaxLine {
			t.Errorf("%d characters: %.200q", out.Len(), out.String())
		}
	}
}
