package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/engine"
	"github.com/slipway-k8s/slipway/workflow"
)

// Exit codes: part of the interface, and all of them.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2 // wrong usage, or a wrong cluster file
	exitChanges     = 3 // --exit-code: there are changes
	exitRefused     = 4 // by preflight, quorum or version skew
	exitStale       = 5 // the plan no longer fits what is there
	exitLeaseHeld   = 6 // another operator is at work
	exitInterrupted = 130
)

func usagef(format string, args ...any) error {
	return &workflow.UsageError{Err: fmt.Errorf(format, args...)}
}

// exitError ends the command with a code; what there was to say has been said.
type exitError struct{ code int }

func (e *exitError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// refusedAtOnce gives the refusal of a command that has changed nothing.
func refusedAtOnce(err error) (*checks.Refused, bool) {
	if _, late := errors.AsType[*workflow.ChangedError](err); late {
		return nil, false
	}
	return errors.AsType[*checks.Refused](err)
}

// refusal writes what stands in the way, a finding a line, with what to do below it.
func refusal(w io.Writer, refused *checks.Refused) {
	fmt.Fprintln(w, "slipway: refused, and nothing was changed:")
	for _, found := range checks.Together(refused.Findings) {
		where := ""
		if found.Host != "" {
			where = found.Host + ": "
		}
		fmt.Fprintf(w, "  %s %s%s: %s\n", mark(found.Severity), where, found.Check, hosts.Clean(found.Seen))
		if found.Fix != "" {
			fmt.Fprintf(w, "      → %s\n", hosts.Clean(found.Fix))
		}
	}
}

func mark(severity checks.Severity) string {
	if severity == checks.Error {
		return "✗"
	}
	return "!"
}

// report says what went wrong and what to do, and gives the exit code. interrupted tells
// that the user ended the command: what a host calls a cancellation is a failure.
func report(w io.Writer, err error, interrupted bool) int {
	w = newShown(w)
	code := exitCode(err)
	if _, said := errors.AsType[*exitError](err); err == nil || said {
		return code
	}
	if code == exitInterrupted && !interrupted {
		code = exitFailed
	}
	if code == exitInterrupted {
		interruption(w, err)
		return code
	}
	if refused, ok := refusedAtOnce(err); ok {
		refusal(w, refused)
		return code
	}
	fmt.Fprintf(w, "slipway: %s\n", hosts.Clean(err.Error()))
	for _, fix := range fixes(err) {
		fmt.Fprintf(w, "  → %s\n", hosts.Clean(fix))
	}
	lastWords(w, err)
	return code
}

// lastWords writes how things stand after a run that has stopped, and how to go on; it tells whether that
// is known.
func lastWords(w io.Writer, err error) bool {
	stopped, is := errors.AsType[*workflow.StoppedError](err)
	if !is {
		return false
	}
	for _, line := range stopped.Last {
		fmt.Fprintln(w, hosts.Clean(line))
	}
	return true
}

// goesOn is said of a command that was interrupted and has left nothing undone.
const goesOn = "interrupted; the same command goes on from here\n"

// interruption tells what failed before and what was put back, if anything was, and how it goes on.
func interruption(w io.Writer, err error) {
	if undone, ok := errors.AsType[*workflow.UndoneError](err); ok {
		fmt.Fprintf(w, "slipway: %s\ninterrupted\n", hosts.Clean(undone.Error()))
		return
	}
	if run, ok := errors.AsType[*engine.RunError](err); ok && (len(run.Failed) > 0 || len(run.Rescued) > 0 || len(run.NotRescued) > 0) {
		fmt.Fprintf(w, "slipway: %s\n", hosts.Clean(err.Error()))
	}
	if _, stopped := errors.AsType[*workflow.StoppedError](err); stopped {
		fmt.Fprintln(w, "interrupted")
		lastWords(w, err)
		return
	}
	fmt.Fprint(w, goesOn)
}

func exitCode(err error) int {
	var (
		done    *exitError
		usage   *workflow.UsageError
		invalid *cluster.Invalid
		syntax  *cluster.SyntaxError
		late    *workflow.ChangedError
		held    *engine.NotLeased
	)
	_, refused := refusedAtOnce(err)
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &done):
		return done.code
	case errors.Is(err, context.Canceled), errors.Is(err, engine.ErrInterrupted):
		return exitInterrupted
	case errors.As(err, &late):
		return exitFailed
	case errors.As(err, &usage), errors.As(err, &invalid), errors.As(err, &syntax), isCobrasUsage(err):
		return exitUsage
	case refused:
		return exitRefused
	case errors.Is(err, workflow.ErrStale):
		return exitStale
	case errors.As(err, &held):
		return exitLeaseHeld
	}
	return exitFailed
}

// isCobrasUsage tells cobra's own complaints about the command line, for which it has
// neither types nor a hook.
func isCobrasUsage(err error) bool {
	for _, begins := range []string{"required flag(s) ", "unknown command ", "at least one of the flags in the group ", "if any flags in the group "} {
		if strings.HasPrefix(err.Error(), begins) {
			return true
		}
	}
	return false
}

// fixes gathers what to do from every host error in the tree, each once.
func fixes(err error) []string {
	var found []string
	var walk func(error)
	walk = func(err error) {
		var host *hosts.Error
		switch e := err.(type) {
		case nil:
			return
		case interface{ Unwrap() []error }:
			for _, child := range e.Unwrap() {
				walk(child)
			}
			return
		case *hosts.Error:
			host = e
		}
		if host != nil && host.Fix != "" && !slices.Contains(found, host.Fix) {
			found = append(found, host.Fix)
		}
		walk(errors.Unwrap(err))
	}
	walk(err)
	return found
}
