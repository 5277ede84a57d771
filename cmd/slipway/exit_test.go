package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/engine"
	"github.com/slipway-k8s/slipway/workflow"
)

// startsAgain is what a failed trial says is to be done.
const startsAgain = "started again by: slipway init"

func TestExitCodes(t *testing.T) {
	lease := &hosts.Error{Kind: hosts.KindLease, Host: "cp-1", Op: "take the lease", Err: hosts.LeaseHolder{Holder: "a@b"}}
	held := &engine.NotBegun{Err: &engine.NotLeased{Host: "cp-1", Err: lease}}
	midway := &engine.RunError{Failed: []*engine.StepError{{Host: "cp-1", Err: lease}}}
	for name, test := range map[string]struct {
		err  error
		want int
	}{
		"done":                     {nil, 0},
		"failed":                   {errors.New("x"), 1},
		"usage":                    {usagef("x"), 2},
		"a wrong cluster file":     {fmt.Errorf("f: %w", &cluster.Invalid{}), 2},
		"cobra's required flag":    {errors.New(`required flag(s) "file" not set`), 2},
		"cobra's unknown command":  {errors.New(`unknown command "x" for "slipway"`), 2},
		"changes":                  {&exitError{exitChanges}, 3},
		"refused":                  {fmt.Errorf("plan: %w", &checks.Refused{}), 4},
		"refused when all is done": {&workflow.ChangedError{Err: fmt.Errorf("verify: %w", &checks.Refused{})}, 1},
		"held":                     {errors.Join(held), 6},
		"held by another midway":   {midway, 1},
		"stale":                    {fmt.Errorf("apply: %w", workflow.ErrStale), 5},
		"interrupted":              {fmt.Errorf("x: %w", context.Canceled), 130},
		"the engine interrupted":   {engine.ErrInterrupted, 130},
	} {
		if got := exitCode(test.err); got != test.want {
			t.Errorf("%s: want %d, got %d", name, test.want, got)
		}
	}
}

func TestReportTellsEachFixOnce(t *testing.T) {
	one := &hosts.Error{Kind: hosts.KindUnreachable, Host: "a", Op: "connect", Err: errors.New("refused"), Fix: "start sshd"}
	two := &hosts.Error{Kind: hosts.KindUnreachable, Host: "b", Op: "connect", Err: errors.New("refused"), Fix: "start sshd"}
	var out strings.Builder
	report(&out, fmt.Errorf("reach: %w", errors.Join(one, two)), false)
	if got := strings.Count(out.String(), "start sshd"); got != 1 {
		t.Errorf("want the fix once, got %d times:\n%s", got, out.String())
	}
	for _, host := range []string{"on a", "on b"} {
		if !strings.Contains(out.String(), host) {
			t.Errorf("%q is not told:\n%s", host, out.String())
		}
	}
}

func TestReportOfARefusalNamesHostCheckAndFix(t *testing.T) {
	var out strings.Builder
	code := report(&out, &checks.Refused{Findings: []checks.Finding{
		{Check: "ports", Host: "cp-1", Severity: checks.Error, Seen: "6443 is taken by nginx", Fix: "stop it"},
		{Check: "clock", Host: "w-1", Severity: checks.Warning, Seen: "6 s ahead"},
	}}, false)
	want := "slipway: refused, and nothing was changed:\n" +
		"  ✗ cp-1: ports: 6443 is taken by nginx\n      → stop it\n" +
		"  ! w-1: clock: 6 s ahead\n"
	if code != exitRefused || out.String() != want {
		t.Errorf("want exit code %d and\n%s\ngot %d and\n%s", exitRefused, want, code, out.String())
	}
}

// TestARefusalAfterAChangeIsAFailure: who reads that nothing was changed goes on wrongly.
func TestARefusalAfterAChangeIsAFailure(t *testing.T) {
	refused := &checks.Refused{Findings: []checks.Finding{{
		Check: "connection", Host: "cp-2", Severity: checks.Error, Seen: "no answer", Fix: "see that it is up",
	}}}
	undone := &workflow.UndoneError{Err: fmt.Errorf("put cp-1 back: %w", errors.Join(refused, errors.New("no space"))), Fix: startsAgain}
	for name, test := range map[string]struct {
		err         error
		interrupted bool
		code        int
		says        []string
	}{
		"verify":                      {fmt.Errorf("verify: plan init of prod: %w", refused), false, exitFailed, []string{"verify: ", "cp-2: connection: no answer (see that it is up)"}},
		"what was not put back":       {fmt.Errorf("ha test: %w", undone), false, exitFailed, []string{"put cp-1 back: ", "no space", startsAgain}},
		"the same, after a Ctrl-C":    {errors.Join(context.Canceled, undone), true, exitInterrupted, []string{"put cp-1 back: ", "no space", startsAgain, "interrupted\n"}},
		"a Ctrl-C, and all is as was": {fmt.Errorf("verify: %w", context.Canceled), true, exitInterrupted, []string{goesOn}},
	} {
		t.Run(name, func(t *testing.T) {
			err := errors.Join(&workflow.ChangedError{Err: test.err}, nil)
			var out, told strings.Builder
			if code := report(&out, err, test.interrupted); code != test.code {
				t.Errorf("want exit code %d, got %d", test.code, code)
			}
			for _, want := range test.says {
				if !strings.Contains(out.String(), want) {
					t.Errorf("%q is not said:\n%s", want, out.String())
				}
			}
			goes := test.interrupted && !errors.Is(test.err, undone)
			if strings.Contains(out.String(), "nothing was changed") || strings.Contains(out.String(), goesOn) != goes {
				t.Errorf("it says\n%s", out.String())
			}
			if tellJSON(&told, formatJSON, err); !strings.HasPrefix(told.String(), `{"error":`) {
				t.Errorf("as JSON: %s", told.String())
			}
		})
	}
}

// TestAnInterruptTellsWhatWasPutBackForIt, and what was not.
func TestAnInterruptTellsWhatWasPutBackForIt(t *testing.T) {
	back := &engine.RunError{Interrupted: true, Canceled: []string{"cp-1/gate"}, Rescued: []string{"cp-1/back"}}
	not := &engine.RunError{Interrupted: true, NotRescued: []*engine.StepError{{Step: "cp-1/back", Err: errors.New("no space")}}}
	for want, err := range map[string]error{"put back on cp-1 what had begun (1 step)": back, "not put back: cp-1/back: no space": not} {
		var out strings.Builder
		if code := report(&out, err, true); code != exitInterrupted || !strings.Contains(out.String(), want) {
			t.Errorf("exit code %d, and it says\n%s", code, out.String())
		}
	}
}

func TestAHostsCancellationIsNoInterrupt(t *testing.T) {
	err := fmt.Errorf("write /etc/x on cp-1: %w", context.Canceled)
	var out strings.Builder
	if code := report(&out, err, false); code != exitFailed || !strings.Contains(out.String(), "cp-1") {
		t.Errorf("want exit code 1 and the host, got %d: %s", code, out.String())
	}
	if code := report(&out, err, true); code != exitInterrupted {
		t.Errorf("after Ctrl-C: want 130, got %d", code)
	}
}

// TestHowToGoOnIsTheLastThingSaid, of a failure and of an interrupt; a program is told it too.
func TestHowToGoOnIsTheLastThingSaid(t *testing.T) {
	cut := &hosts.Error{Kind: hosts.KindCut, Host: "a", Op: "connect", Err: errors.New("cut"), Fix: "start sshd"}
	stopped := func(run *engine.RunError) error {
		return fmt.Errorf("reboot: %w", &workflow.StoppedError{Err: run, Last: []string{"left: a", "to go on: slipway reboot a"}})
	}
	failed := stopped(&engine.RunError{Failed: []*engine.StepError{{Step: "a/1", Err: cut}}})
	interrupted := stopped(&engine.RunError{Interrupted: true, Canceled: []string{"a/1"}})
	for name, err := range map[string]error{"failed": failed, "interrupted": interrupted} {
		var out, told strings.Builder
		report(&out, err, name == "interrupted")
		if text := out.String(); !strings.HasSuffix(text, "\nleft: a\nto go on: slipway reboot a\n") || strings.Contains(text, goesOn) {
			t.Errorf("%s: it says\n%s", name, text)
		}
		if tellJSON(&told, formatJSON, err); !strings.Contains(told.String(), `"last":["left: a","to go on: slipway reboot a"]`) {
			t.Errorf("%s: as JSON: %s", name, told.String())
		}
	}
}
