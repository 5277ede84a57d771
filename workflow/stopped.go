package workflow

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/slipway-k8s/slipway/phases"
	"github.com/slipway-k8s/slipway/phases/engine"
	"github.com/slipway-k8s/slipway/phases/view"
)

// What is said of a run that has stopped on its way: how each host stands, and what to type.

// undone lists the steps of a run, without those that put something back, that are not done.
func undone(run *engine.RunError) []string {
	var steps []string
	for _, failed := range run.Failed {
		steps = append(steps, failed.Step)
	}
	for _, skipped := range run.Skipped {
		steps = append(steps, skipped.Step)
	}
	return append(steps, run.Canceled...)
}

// isAbout tells whether a step's ID names a host.
func isAbout(step, host string) bool { return slices.Contains(strings.Split(step, "/"), host) }

// turn is how a host stands whose version was to change.
type turn int

const (
	notTouched turn = iota
	hasNew
	hasOld // again: its change had begun, and was put back
	isHalf
)

// turnOf is how a host stands after a run that has stopped.
func (s *Session) turnOf(r *Run, run *engine.RunError, host string) turn {
	of := func(id string) bool { return isAbout(id, host) }
	open, changes, done, began := undone(run), 0, 0, false
	for _, step := range r.planned.Steps {
		if step.Host != host || !phases.ChangesVersion(step) {
			continue
		}
		changes++
		if !slices.Contains(open, step.ID) {
			done++
		}
		began = began || slices.Contains(run.BrokenOff, step.ID) ||
			slices.ContainsFunc(run.Failed, func(failed *engine.StepError) bool { return failed.Step == step.ID })
	}
	switch {
	case slices.ContainsFunc(run.NotRescued, func(failed *engine.StepError) bool { return of(failed.Step) }):
		return isHalf
	case changes > 0 && done == 0 && !began: // at most its node was cordoned, and is not any more
		return notTouched
	case slices.ContainsFunc(run.Rescued, of):
		return hasOld
	case changes == 0 && s.kubeletOf(host) == s.bill.KubernetesVersion, changes > 0 && done == changes:
		return hasNew
	case began || done > 0:
		return isHalf
	}
	return notTouched
}

// stoppedInTurn adds to the error of an upgrade, or of a way back, that has stopped on its way how each host
// stands and what to type now.
func (s *Session) stoppedInTurn(r *Run, err error) error {
	run, stopped := errors.AsType[*engine.RunError](err)
	if !stopped {
		return err
	}
	by := map[turn][]string{}
	for _, name := range s.HostNames() {
		if !slices.Contains(r.Without, name) {
			at := s.turnOf(r, run, name)
			by[at] = append(by[at], name)
		}
	}
	last := []string{"how the hosts stand now:"}
	tell := func(what string, names []string) {
		if len(names) > 0 {
			last = append(last, fmt.Sprintf("  %s: %s", what, namedHosts(names)))
		}
	}
	tell("with Kubernetes "+s.bill.KubernetesVersion, by[hasNew])
	tell("as before, since its change was put back", by[hasOld])
	tell("changed in part, and perhaps cordoned", by[isHalf])
	tell("not changed", by[notTouched])
	tell("left out", r.Without)
	last = append(last, "remove the cause, then go on by: "+s.typed(r, nil))
	switch {
	case r.inChecks() == view.Rollback:
		last = append(last, "or go forward again by: slipway upgrade apply, with the bundle of the newer version")
	case len(by[hasNew])+len(by[isHalf]) > 0:
		last = append(last, fmt.Sprintf("or go back by: slipway upgrade rollback -f %s", Quoted(s.File)))
	}
	return &StoppedError{Err: err, Last: last}
}

// Typed is the command line that does what the run does, as it is typed in a shell. It needs no session.
// Its consent is in it, where it was given and the workflow asks for it. The file's name has to be that of
// a file: what was read from elsewhere is not there when the command is typed.
func (r *Run) Typed(file, bundle string) string {
	arguments := append(slices.Clone(r.Hosts), r.Archives...)
	line := r.typed(file, bundle, arguments)
	if r.ImageName != "" {
		line += " --name " + Quoted(r.ImageName)
	}
	if r.Yes && !r.Unasked {
		line += " --yes"
	}
	return line
}

// Typed is Run.Typed for the session's file and bundle.
func (s *Session) Typed(r *Run) string { return r.Typed(s.File, s.Bundle) }

// typed is the command of a run as it is to be typed to go on, for hosts that may be others, and without some
// options. Consent is not repeated: who goes on is to see what is left.
func (s *Session) typed(r *Run, hosts []string, but ...string) string {
	return r.typed(s.File, s.Bundle, hosts, but...)
}

// typed is a command line with these arguments, and without some options.
func (r *Run) typed(file, bundle string, arguments []string, but ...string) string {
	words := []string{"slipway", r.Name, "-f", Quoted(file)}
	if bundle != "" && r.Bundle {
		words = append(words, "--bundle", Quoted(bundle))
	}
	for _, argument := range arguments {
		if strings.HasPrefix(argument, "-") { // a file's name that would be taken for a flag
			argument = "./" + argument
		}
		words = append(words, Quoted(argument))
	}
	for _, option := range r.Options {
		if value, said := valueOf(option, &r.Request); said && !slices.Contains(but, option.Name) {
			words = append(words, "--"+option.Name+value)
		}
	}
	if len(r.IgnoreChecks) > 0 {
		words = append(words, "--ignore-checks "+Quoted(strings.Join(r.IgnoreChecks, ",")))
	}
	return strings.Join(words, " ")
}

// valueOf is what stands behind an option's name, and whether the option was said.
func valueOf(option Option, request *Request) (value string, said bool) {
	switch at := option.Of(request).(type) {
	case *bool:
		return "", *at
	case *int:
		return fmt.Sprintf(" %d", *at), *at != 0
	case *string:
		return " " + Quoted(*at), *at != ""
	case *[]string:
		return " " + Quoted(strings.Join(*at, ",")), len(*at) > 0
	case *time.Duration:
		return " " + at.String(), *at != 0
	case **int:
		if *at != nil {
			return fmt.Sprintf("=%d", **at), true // it may be less than 0
		}
	case **time.Duration:
		if *at != nil {
			return " " + (*at).String(), true
		}
	}
	return "", false
}

// Quoted is a word as it is typed in a POSIX shell, which reads exactly that word back: in single quotes where it needs them.
func Quoted(word string) string {
	plain := func(r rune) bool {
		return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-_./,:%+@=", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
