//go:build linux

package local

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
)

// firewall is a firewall that Slipway opens.
type firewall interface {
	// changes are what has to be done so that the firewall lets through what is wanted, and nothing more of what
	// Slipway opened before.
	changes(ctx context.Context, want hosts.OpenFirewall, before []hosts.OpenFirewall) (firewallChanges, error)
}

// firewallChanges are what has to be done to a firewall.
type firewallChanges struct {
	what  []string // for people; nothing: all is well
	cause error    // why it cannot be done now; nil where it can
	apply func(ctx context.Context) error
}

// firewallNote is what the record keeps, as the setting's last value, of what was opened.
type firewallNote struct {
	Opened hosts.OpenFirewall `json:"opened"`
	// Earlier is what was opened before, until it is closed.
	Earlier *hosts.OpenFirewall `json:"earlier,omitempty"`
	// Made are firewalld's zones that had no file of the machine's own before.
	Made []string `json:"made,omitempty"`
}

// opened are the openings that a note speaks of.
func (n *firewallNote) opened() []hosts.OpenFirewall {
	if n == nil {
		return nil
	}
	all := []hosts.OpenFirewall{n.Opened}
	if n.Earlier != nil {
		all = append(all, *n.Earlier)
	}
	return all
}

// prior is the note as the record keeps it. What was there before is nothing of Slipway's.
func (n firewallNote) prior() hosts.Prior {
	text, err := json.Marshal(n)
	if err != nil {
		panic(err) // it is made of texts
	}
	return hosts.Prior{Setting: hosts.FirewallSetting(n.Opened.Kind), Absent: true, Set: string(text)}
}

// noteOf reads what the record keeps of a firewall; nil where Slipway has opened nothing.
func noteOf(record *hosts.Record, kind string) (*firewallNote, error) {
	prior, found := record.PriorOf(hosts.FirewallSetting(kind))
	if !found {
		return nil, nil
	}
	var note firewallNote
	if err := json.Unmarshal([]byte(prior.Set), &note); err != nil {
		return nil, fmt.Errorf("the record's value of %s is not understood: %w", prior.Setting, err)
	}
	return &note, nil
}

// firewall gives the firewall of a kind, of which a note speaks.
func (h *Host) firewall(ctx context.Context, kind string, note *firewallNote) (firewall, error) {
	switch kind {
	case hosts.Firewalld:
		state, err := h.unitIfAny(ctx, "firewalld.service")
		tool := &firewalld{host: h, runs: state.Active == "active" || state.Active == "reloading"}
		if note != nil {
			tool.made = note.Made
		}
		return tool, err
	case hosts.UFW:
		return &ufw{host: h}, nil
	}
	return nil, fmt.Errorf("this version of Slipway knows no firewall %q", kind)
}

// openFirewall opens in a firewall what the cluster needs, and closes what it no longer does.
func (h *Host) openFirewall(ctx context.Context, a hosts.OpenFirewall) (hosts.Outcome, error) {
	record, err := h.record.read()
	if err != nil {
		return hosts.Outcome{}, err
	}
	note, err := noteOf(record, a.Kind)
	if err != nil {
		return hosts.Outcome{}, err
	}
	tool, err := h.firewall(ctx, a.Kind, note)
	if err != nil {
		return hosts.Outcome{}, err
	}
	todo, err := tool.changes(ctx, a, note.opened())
	if err = cmp.Or(err, todo.cause); err != nil {
		return hosts.Outcome{}, err
	}
	if len(todo.what) == 0 && note != nil && note.Earlier == nil && reflect.DeepEqual(note.Opened, a) {
		return unchanged, nil
	}
	made := h.makesZones(a, note)
	coming, settled := firewallNote{Opened: a, Made: made}, firewallNote{Opened: a}
	for _, zone := range made {
		if slices.Contains(a.Zones, zone) { // else its file is gone, or has become its user's
			settled.Made = append(settled.Made, zone)
		}
	}
	if note != nil {
		coming.Earlier = &note.Opened
	}
	return h.apply(ctx, change{
		action: a,
		detail: strings.Join(todo.what, ", "),
		note:   remember(coming.prior()),
		act:    todo.apply,
		settle: remember(settled.prior()),
	})
}

// makesZones are firewalld's zones of which only the package's file is there when they are opened, or was when they were.
func (h *Host) makesZones(a hosts.OpenFirewall, note *firewallNote) []string {
	var made []string
	if note != nil {
		made = note.Made
	}
	for _, zone := range a.Zones {
		if !h.exists(ownZoneFile(zone)) {
			made = addOnce(made, zone)
		}
	}
	return made
}

// restoreFirewall closes what Slipway has opened. Others' openings stay.
func (h *Host) restoreFirewall(ctx context.Context, kind string, prior hosts.Prior) error {
	note, err := noteOf(&hosts.Record{Priors: []hosts.Prior{prior}}, kind)
	if err != nil {
		return err
	}
	tool, err := h.firewall(ctx, kind, note)
	if err != nil {
		return err
	}
	todo, err := tool.changes(ctx, hosts.OpenFirewall{Kind: kind}, note.opened())
	if err != nil || len(todo.what) == 0 {
		return err
	}
	return todo.apply(ctx)
}

// observeFirewall looks at the firewall that runs, or will after the next boot, and at the chains that drop.
func (h *Host) observeFirewall(ctx context.Context, _ hosts.Query, facts *hosts.Facts) error {
	kind, err := h.enabledFirewall(ctx)
	if err != nil {
		return err
	}
	if facts.Filters, err = h.droppingChains(ctx, kind); err != nil {
		facts.FirewallState.Problem = err.Error()
		return nil
	}
	if kind == "" {
		return nil
	}
	lookingAt(ctx, kind)
	state, err := h.firewallState(ctx, facts.Record, kind)
	if err != nil {
		state.Problem = err.Error()
	}
	facts.FirewallState = state
	return nil
}

// enabledFirewall is the firewall that runs or, where none does, the one that the next boot starts.
func (h *Host) enabledFirewall(ctx context.Context) (string, error) {
	enabled := ""
	for _, kind := range []string{hosts.Firewalld, hosts.UFW} {
		if kind == hosts.UFW && !h.ufwEnabled() {
			continue
		}
		state, err := h.unitIfAny(ctx, kind+".service")
		switch {
		case errors.Is(err, errNoSystemd):
			return "", nil
		case err != nil:
			return "", err
		case state.Active == "active", state.Active == "reloading", state.Active == "activating":
			return kind, nil
		case state.Enabled == "enabled" && enabled == "":
			enabled = kind
		}
	}
	return enabled, nil
}

func (h *Host) firewallState(ctx context.Context, record *hosts.Record, kind string) (hosts.FirewallState, error) {
	note, noteErr := noteOf(record, kind)
	tool, err := h.firewall(ctx, kind, note)
	if err != nil {
		return hosts.FirewallState{}, err
	}
	var state hosts.FirewallState
	switch tool := tool.(type) {
	case *firewalld:
		state, err = tool.look(ctx)
	case *ufw:
		state.Rules, err = tool.rulesIn()
	}
	if err != nil {
		return state, err
	}
	if note == nil || noteErr != nil {
		return state, noteErr
	}
	todo, err := tool.changes(ctx, note.Opened, note.opened())
	if err != nil {
		return state, err
	}
	state.Opened, state.Missing = &note.Opened, todo.what
	if note.Earlier != nil {
		state.Missing = append(state.Missing, "what was opened before is to be closed")
	}
	return state, nil
}
