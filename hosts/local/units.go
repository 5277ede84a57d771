//go:build linux

package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

// errNoSystemd is the error on a host that another init booted.
var errNoSystemd = errors.New("the host was not booted by systemd")

const (
	// journalTail is how many of a unit's lines an error carries.
	journalTail = 15
	// journalTimeout bounds reading them.
	journalTimeout = 5 * time.Second
)

// unitIfAny is a unit's state; on a host that systemd did not boot it is the zero one.
func (h *Host) unitIfAny(ctx context.Context, name string) (UnitState, error) {
	state, err := h.systemd.Unit(ctx, name)
	if errors.Is(err, errNoSystemd) {
		return UnitState{}, nil
	}
	return state, err
}

// readUnits has systemd, where there is one, read its unit files again.
func (h *Host) readUnits(ctx context.Context) error {
	if err := h.systemd.Reload(ctx); !errors.Is(err, errNoSystemd) {
		return err
	}
	return nil
}

// setUnit brings a unit into a state.
func (h *Host) setUnit(ctx context.Context, a hosts.SetUnit) (hosts.Outcome, error) {
	unlock, err := h.lockUnit(a.Name)
	if err != nil {
		return hosts.Outcome{}, err
	}
	defer unlock()
	todo, note, err := h.compareUnit(ctx, a)
	if err != nil {
		return hosts.Outcome{}, err
	}
	if todo.empty() {
		return unchanged, nil
	}
	return h.apply(ctx, change{
		action: a,
		detail: todo.String(),
		note:   note,
		act:    func(ctx context.Context) error { return h.workUnit(ctx, a, todo) },
	})
}

// stopUnits stops units. It disables and notes all of them before it stops the first, so that the
// stops follow each other without a pause.
func (h *Host) stopUnits(ctx context.Context, a hosts.StopUnits) (hosts.Outcome, error) {
	var details []string
	var notes []func(*hosts.Record)
	var before, stops []func(context.Context) error
	for _, name := range a.Names {
		unlock, err := h.lockUnit(name)
		if err != nil {
			return hosts.Outcome{}, err
		}
		defer unlock()
		want := hosts.SetUnit{Name: name, Enabled: a.Enabled}
		todo, note, err := h.compareUnit(ctx, want)
		if err != nil {
			return hosts.Outcome{}, err
		}
		if todo.empty() {
			continue
		}
		detail := todo.String()
		if len(a.Names) > 1 {
			detail = name + ": " + detail
		}
		details = append(details, detail)
		notes = append(notes, note)
		before = append(before, func(ctx context.Context) error {
			return h.workUnit(ctx, want, unitWork{reload: todo.reload, change: todo.change})
		})
		stops = append(stops, func(ctx context.Context) error {
			return h.workUnit(ctx, want, unitWork{job: todo.job})
		})
	}
	if len(details) == 0 {
		return unchanged, nil
	}
	return h.apply(ctx, change{
		action: a,
		detail: strings.Join(details, "; "),
		note: func(r *hosts.Record) {
			for _, note := range notes {
				note(r)
			}
		},
		act: func(ctx context.Context) error { return together(ctx, before, stops) },
	})
}

// together does what comes before, and then all stops: also when one fails and, if there is more
// than one, when the context ends. To stop only some of them is worse than to stop none.
func together(ctx context.Context, before, stops []func(context.Context) error) error {
	for _, act := range before {
		if err := act(ctx); err != nil {
			return err
		}
	}
	if len(stops) > 1 {
		ctx = context.WithoutCancel(ctx)
	}
	var failures []error
	for _, stop := range stops {
		failures = append(failures, stop(ctx))
	}
	return errors.Join(failures...)
}

// lockUnit lets one action at a time work on a unit.
func (h *Host) lockUnit(name string) (unlock func(), err error) {
	if !hosts.IsUnitName(name) {
		return nil, fmt.Errorf("%q is not a unit's name", name)
	}
	return h.paths.lock("unit " + name), nil
}

// compareUnit tells what has to be done to a unit, and what the record must say before.
func (h *Host) compareUnit(ctx context.Context, a hosts.SetUnit) (unitWork, func(*hosts.Record), error) {
	state, err := h.systemd.Unit(ctx, a.Name)
	if err != nil {
		return unitWork{}, nil, err
	}
	if state, err = h.readAgain(ctx, a, state); err != nil {
		return unitWork{}, nil, err
	}
	if state.Load == "masked" && (a.Active || a.Enabled) {
		return unitWork{}, nil, &hosts.Error{
			Kind: hosts.KindForeign, Err: errors.New("the unit is masked"), Fix: "systemctl unmask " + a.Name,
		}
	}
	todo := h.unitWork(a, state)
	if todo.empty() {
		return todo, nil, nil
	}
	note, err := h.noteUnit(a.Name, state)
	return todo, note, err
}

// readAgain has systemd read its unit files where it does not know the unit yet, or knows the
// distribution's although Slipway has put its own unit file in front of it.
func (h *Host) readAgain(ctx context.Context, a hosts.SetUnit, state UnitState) (UnitState, error) {
	missing := state.Load == "not-found" && (a.Active || a.Enabled)
	if !missing {
		hidden, err := h.isHidden(a.Name, state)
		if err != nil || !hidden {
			return state, err
		}
	}
	if err := h.systemd.Reload(ctx); err != nil {
		return state, err
	}
	state, err := h.systemd.Unit(ctx, a.Name)
	if err == nil && missing && state.Load == "not-found" {
		err = errors.New("the host has no such unit")
	}
	return state, err
}

// isHidden tells whether Slipway's unit file now takes precedence over the one that systemd knows.
func (h *Host) isHidden(name string, state UnitState) (bool, error) {
	path := filepath.Join(unitDirectory, name)
	if state.Fragment == "" || state.Fragment == path || !h.exists(path) {
		return false, nil
	}
	record, err := h.record.read()
	if err != nil {
		return false, err
	}
	_, ours := record.OwnedAt(path)
	return ours, nil
}

// unitWork is what has to be done to a unit.
type unitWork struct {
	reload  bool // systemd's own
	change  UnitChange
	job     UnitJob
	because string
}

func (w unitWork) empty() bool { return w.change == "" && w.job == "" }

func (w unitWork) String() string {
	var parts []string
	if w.change != "" {
		parts = append(parts, string(w.change))
	}
	if w.job != "" {
		parts = append(parts, string(w.job)+w.because)
	}
	return strings.Join(parts, ", ")
}

// unitWork compares a unit with what is asked.
func (h *Host) unitWork(a hosts.SetUnit, state UnitState) unitWork {
	todo := unitWork{reload: state.NeedsReload}
	enabled := state.Enabled == "enabled" || state.Enabled == "enabled-runtime"
	switch {
	case a.Enabled && !enabled && canEnable(state.Enabled):
		todo.change = UnitEnable
	case !a.Enabled && enabled:
		todo.change = UnitDisable
	}
	running := state.Active == "active" || state.Active == "reloading"
	switch {
	case a.Active && !running:
		todo.job = JobStart
		if state.Active != "inactive" {
			todo.because = ": it was " + state.Active
		}
	case a.Active && a.Inputs != "" && h.unitInputs(a.Name, state) != a.Inputs:
		todo.job, todo.because = JobRestart, ": its inputs changed"
		if a.Reload {
			todo.job = JobReload
		}
	case a.Active && a.Restart:
		todo.job, todo.because = JobRestart, ": a file that it reads was corrected"
		if a.Reload {
			todo.job = JobReload
		}
	case a.Active && state.NeedsReload && a.Inputs == "":
		todo.job, todo.because = JobRestart, ": its unit file changed"
	case !a.Active && state.Active != "inactive": // stopping a failed unit clears its failure
		todo.job = JobStop
	}
	return todo
}

// canEnable tells whether enabling means something: a static or generated unit has
// nothing to enable.
func canEnable(enabled string) bool {
	switch enabled {
	case "static", "indirect", "generated", "transient", "alias":
		return false
	default:
		return true
	}
}

// workUnit carries out what has to be done to a unit.
func (h *Host) workUnit(ctx context.Context, a hosts.SetUnit, todo unitWork) error {
	if todo.reload {
		if err := h.systemd.Reload(ctx); err != nil {
			return err
		}
	}
	if todo.change != "" {
		if err := h.systemd.Change(ctx, todo.change, a.Name); err != nil {
			return err
		}
	}
	if todo.job == "" {
		return nil
	}
	if err := h.systemd.Run(ctx, todo.job, a.Name); err != nil {
		return h.withJournal(ctx, a.Name, err)
	}
	if todo.job == JobStop {
		if a.Enabled {
			return nil // the next boot starts it, with what it read before or newer
		}
		return h.dropInputs(a.Name)
	}
	if err := h.staysUp(ctx, a.Name, time.Duration(a.Steady)*time.Second); err != nil {
		return h.withJournal(ctx, a.Name, err)
	}
	return h.noteInputs(a.Name, a.Inputs)
}

// withJournal adds the unit's last lines to an error.
func (h *Host) withJournal(ctx context.Context, name string, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), journalTimeout)
	defer cancel()
	lines, journalErr := h.systemd.Journal(ctx, name, journalTail)
	if journalErr != nil || len(lines) == 0 {
		return err
	}
	return fmt.Errorf("%w; its last lines:\n  %s", err, strings.Join(lines, "\n  "))
}

// noteUnit is what the record must say before a unit is changed: that it is Slipway's
// where its file is, else what state it was in.
func (h *Host) noteUnit(name string, state UnitState) (func(*hosts.Record), error) {
	record, err := h.record.read()
	if err != nil {
		return nil, err
	}
	if _, ours := record.OwnedAt(state.Fragment); ours {
		return func(r *hosts.Record) { r.Units = addOnce(r.Units, name) }, nil
	}
	return remember(hosts.Prior{Setting: "unit/" + name, Value: state.prior(), Absent: state.Load == "not-found"}), nil
}

// unitDirectory is where an administrator's unit files lie, which go before the
// distribution's of the same name.
const unitDirectory = "/etc/systemd/system"

// isUnitFile tells whether a path is that of a unit's file.
func isUnitFile(path string) bool {
	return filepath.Dir(path) == unitDirectory && hosts.IsUnitName(filepath.Base(path))
}

// overrides is what the record must say before a file becomes Slipway's that is a unit's:
// the state of the unit that goes by this name so far.
func (h *Host) overrides(ctx context.Context, path string, info os.FileInfo) (func(*hosts.Record), error) {
	name := filepath.Base(path)
	if !isUnitFile(path) {
		return nil, nil
	}
	state, err := h.unitIfAny(ctx, name)
	if err != nil || state.Load == "not-found" || state.Load == "" {
		return nil, err
	}
	if info == nil && state.Fragment == path {
		return nil, nil // its file went, and systemd has not looked since
	}
	return remember(hosts.Prior{Setting: "unit/" + name, Value: state.prior()}), nil
}

// prior says a unit's state in the record's words: "enabled active".
func (s UnitState) prior() string {
	if s.Load == "not-found" {
		return ""
	}
	active := "inactive"
	if s.Active == "active" || s.Active == "reloading" || s.Active == "activating" {
		active = "active"
	}
	enabled := cmp.Or(s.Enabled, "static")
	if s.Load == "masked" {
		enabled = "masked"
	}
	return enabled + " " + active
}

// unitInputs is the digest of the inputs that a unit was last started with: as noted in
// this boot or, for one that systemd started when it booted, as noted on disk before. The
// latter may be older than what the unit read, never newer.
func (h *Host) unitInputs(name string, state UnitState) string {
	if state.Active != "active" && state.Active != "reloading" {
		return ""
	}
	for _, path := range []string{h.run(inputsFile(name)), h.state(inputsFile(name))} {
		if data, err := os.ReadFile(path); err == nil {
			return strings.TrimSpace(string(data))
		}
	}
	return ""
}

func inputsFile(name string) string { return filepath.Join("units", name) }

func (h *Host) noteInputs(name, inputs string) error {
	if inputs == "" {
		return nil
	}
	for _, path := range []string{h.state(inputsFile(name)), h.run(inputsFile(name))} {
		if err := writeAtomically(path, []byte(inputs+"\n"), attributes{mode: 0o600}, modeParents); err != nil {
			return fmt.Errorf("note the unit's inputs: %w", err)
		}
	}
	return nil
}

func (h *Host) dropInputs(name string) error {
	for _, path := range []string{h.run(inputsFile(name)), h.state(inputsFile(name))} {
		if err := removeFile(path); err != nil {
			return fmt.Errorf("drop the unit's inputs: %w", err)
		}
	}
	return nil
}
