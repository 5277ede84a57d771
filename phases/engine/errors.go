package engine

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// ErrInterrupted is in the error of a run that was told to stop.
var ErrInterrupted = errors.New("interrupted")

// ActionUpload is what a StepError and an event call bringing content to a host.
const ActionUpload = "upload"

// NotBegun is the error of a run that ended before its first step: nothing was done on any
// host or to the cluster.
type NotBegun struct{ Err error }

func (e *NotBegun) Error() string { return e.Err.Error() }

func (e *NotBegun) Unwrap() error { return e.Err }

// NotLeased is a host whose lease was not taken, because another operator is at work there.
// A step that finds a host leased to another is a failure like others.
type NotLeased struct {
	Host string
	Err  error
}

func (e *NotLeased) Error() string { return e.Err.Error() }

func (e *NotLeased) Unwrap() error { return e.Err }

// StepError is one step that failed.
type StepError struct {
	Step   string
	Phase  plan.Phase
	Host   string // empty for the cluster
	Action string // the action's kind, or upload
	Err    error
	// Cause is what the hosts showed to be the reason; nil where nothing known was seen.
	Cause *checks.Finding
	// Fix is what to do about it; may be empty.
	Fix      string
	Evidence []hosts.Evidence
}

func (e *StepError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %v", e.Step, e.Err)
	if e.Cause != nil {
		fmt.Fprintf(&b, "; %s", seenOn(*e.Cause))
	}
	if e.Fix != "" {
		fmt.Fprintf(&b, " (%s)", e.Fix)
	}
	return b.String()
}

func (e *StepError) Unwrap() error { return e.Err }

// seenOn tells a cause without what to do about it, which has a place of its own.
func seenOn(cause checks.Finding) string { return fmt.Sprintf("on %s %s", cause.Host, cause.Seen) }

// newStepError is how a step failed, with what to do about it where that is known.
func newStepError(step plan.Step, action string, err error) *StepError {
	failure := &StepError{Step: step.ID, Phase: step.Phase, Host: step.Host, Action: action, Err: err}
	var known *hosts.Error
	if errors.As(err, &known) {
		failure.Fix = cmp.Or(known.Fix, fixes[known.Kind])
	}
	return failure
}

// fixes is what to do about a host's error that does not say so itself.
var fixes = map[hosts.ErrorKind]string{
	hosts.KindCut:         "see that the host is up, then run the same command again: it goes on from here",
	hosts.KindUnreachable: "see that the host is up and reached by SSH, then run the same command again",
	hosts.KindStuck:       "see what the host waits for, a disk or a network file system, then run the same command again",
	hosts.KindDiskFull:    "make room on the host's disk, then run the same command again",
}

// SkippedStep is a step that was not begun because another failed.
type SkippedStep struct {
	Step    string
	Because string // the failed step
}

// RunError says what became of a plan of which not all was applied.
type RunError struct {
	Failed      []*StepError // by host, then in the plan's order
	Skipped     []SkippedStep
	Canceled    []string // steps that were not begun, or broken off, when the run was interrupted
	BrokenOff   []string // those of them that had begun
	Interrupted bool
	// Rescued are the rescue steps that were done; NotRescued those that failed.
	Rescued    []string
	NotRescued []*StepError
}

// runAgain is what is to be done where what had begun is half done still.
const runAgain = "what had begun there is left as it is: see the cause, then run the same command again"

func (e *RunError) Error() string {
	var lines []string
	for _, failure := range e.Failed {
		lines = append(lines, failure.Error())
	}
	if len(e.Skipped) > 0 {
		lines = append(lines, notBegun(len(e.Skipped)))
	}
	if e.Interrupted {
		lines = append(lines, fmt.Sprintf("%v with %s left", ErrInterrupted, hosts.Count(len(e.Canceled), "step")))
	}
	if len(e.Rescued) > 0 {
		lines = append(lines, putBack(e.Rescued))
	}
	for _, failure := range e.NotRescued {
		lines = append(lines, fmt.Sprintf("not put back: %v; %s", failure, runAgain))
	}
	return strings.Join(lines, "\n")
}

// notBegun says of how many steps the failure has kept the run.
func notBegun(steps int) string {
	if steps == 1 {
		return "1 later step was not begun"
	}
	return fmt.Sprintf("%d later steps were not begun", steps)
}

// putBack says how much was put back, and on which hosts: which steps those were is in the journal.
func putBack(rescued []string) string {
	var on []string
	for _, id := range rescued {
		if host, ofHost := hostOf(id); ofHost && !slices.Contains(on, host) {
			on = append(on, host)
		}
	}
	where := ""
	if len(on) > 0 {
		where = " on " + strings.Join(on, ", ")
	}
	return fmt.Sprintf("put back%s what had begun (%s)", where, hosts.Count(len(rescued), "step"))
}

// hostOf is the host that an ID names first; a step of the cluster has none, or its host comes later.
func hostOf(id string) (host string, is bool) {
	host, _, _ = strings.Cut(id, "/")
	return host, host != "cluster"
}

// Unwrap gives the failed steps' errors, and ErrInterrupted where the run was.
func (e *RunError) Unwrap() []error {
	var all []error
	for _, failure := range slices.Concat(e.Failed, e.NotRescued) {
		all = append(all, failure)
	}
	if e.Interrupted {
		all = append(all, ErrInterrupted)
	}
	return all
}
