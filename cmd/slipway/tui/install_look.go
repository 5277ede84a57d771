package tui

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/workflow"
)

// shown is how a host is, in a mark and a line.
func (in *installer) shown(at *look) (mark, string) {
	switch at.state {
	case lookTries:
		return markRuns, in.say(text.HostTrying, at.what)
	case lookKey:
		return markWarning, in.say(text.HostUnknown, clean(at.key.Fingerprint))
	case lookFailed:
		return markBad, clean(causeOf(at.err))
	case lookWell:
		return markWell, in.machine(at.facts)
	case lookNone:
	}
	return markWaits, in.say(text.HostWaits)
}

// causeOf is an error without the deed and the host that the row tells already.
func causeOf(err error) string {
	if host, is := errors.AsType[*hosts.Error](err); is && host.Err != nil {
		return fmt.Sprintf("%s: %v", host.Kind, host.Err)
	}
	return err.Error()
}

// ownAddress is the address by which the other hosts most likely reach a host: the first that is neither a loopback's
// nor link-local, of an interface that is no container network's.
func ownAddress(f hosts.Facts) string {
	for _, link := range f.Interfaces {
		if !link.Up || strings.HasPrefix(link.Name, "docker") || strings.HasPrefix(link.Name, "cni") || strings.HasPrefix(link.Name, "flannel") || strings.HasPrefix(link.Name, "virbr") {
			continue
		}
		for _, prefix := range link.Addresses {
			at, err := netip.ParsePrefix(prefix)
			if err == nil && at.Addr().IsGlobalUnicast() && at.Bits() < at.Addr().BitLen() {
				return at.Addr().String()
			}
		}
	}
	return ""
}

// of is what is known of a host.
func (in *installer) of(name string) *look {
	if in.looks[name] == nil {
		in.looks[name] = &look{}
	}
	return in.looks[name]
}

// tryAll looks at all hosts of which nothing is known yet, or that are reached in another way by now.
func (in *installer) tryAll() tea.Cmd {
	var all []tea.Cmd
	for _, h := range in.draft.Hosts {
		at := in.of(h.Name)
		if at.state == lookNone || at.isOther(h) {
			all = append(all, in.try(h))
		}
	}
	return tea.Batch(all...)
}

// isOther tells that a host is reached in another way by now than when it was tried.
func (l *look) isOther(h cluster.Host) bool {
	return !l.tried.SSH.Same(h.SSH) || l.tried.Address() != h.Address()
}

// try looks at a host, beside the program.
func (in *installer) try(h cluster.Host) tea.Cmd {
	at := in.of(h.Name)
	if at.state == lookTries && !at.isOther(h) {
		return nil
	}
	at.state, at.what, at.tried = lookTries, "", h
	at.tries++
	probe, ctx, send, number := in.probe, in.ctx, in.send, at.tries
	return func() tea.Msg {
		probed := probe.Try(ctx, h, func(what string) { send(probingMsg{at, number, what}) })
		return probedMsg{at, number, probed}
	}
}

// took takes note of what a look at a host has found. The host may be called otherwise by now, or be gone.
func (in *installer) took(msg probedMsg) tea.Cmd {
	at := msg.of
	h, there := in.hostOf(at)
	if !there || msg.number != at.tries {
		return nil
	}
	at.facts, at.err, at.key = msg.probed.Facts, msg.probed.Err, msg.probed.Key
	switch {
	case at.isOther(h): // it was changed meanwhile
		at.state = lookNone
		return in.try(h)
	case at.key != nil:
		at.state = lookKey
	case at.err != nil:
		at.state = lookFailed
	default:
		at.state = lookWell
		in.fillIn(h, at)
	}
	return nil
}

// hostOf is the host that a look is at.
func (in *installer) hostOf(at *look) (cluster.Host, bool) {
	for name, other := range in.looks {
		if other == at {
			return in.host(name)
		}
	}
	return cluster.Host{}, false
}

// fillIn takes from a host what the file does not say of it: its address, and its name.
func (in *installer) fillIn(h cluster.Host, at *look) {
	if h.Address() == "" {
		if address := ownAddress(at.facts); address != "" {
			h.Addresses = []string{address}
			if h.SSH.Host == address {
				h.SSH.Host = ""
			}
			if err := in.edit(func(e *cluster.Editor) error { return e.SetHost(h.Name, h) }); err == nil {
				at.tried.Addresses = h.Addresses
			}
		}
	}
	if !in.unnamed[h.Name] {
		return
	}
	name := freeName(at.facts.Hostname, in.namesBut(h.Name))
	delete(in.unnamed, h.Name)
	if name == h.Name || in.edit(func(e *cluster.Editor) error { return e.RenameHost(h.Name, name) }) != nil {
		return
	}
	in.looks[name] = at
	at.tried.Name = name
	delete(in.looks, h.Name)
}

// tellOf takes messages about hosts; it tells whether it was one.
func (in *installer) tellOf(msg tea.Msg) (tea.Cmd, bool) {
	switch msg := msg.(type) {
	case probedMsg:
		return in.took(msg), true
	case probingMsg:
		if msg.number == msg.of.tries {
			msg.of.what = clean(msg.what)
		}
		return nil, true
	}
	return nil, false
}

// Messages about hosts that are looked at.
type (
	probedMsg struct {
		of     *look
		number int
		probed workflow.Probed
	}
	probingMsg struct {
		of     *look
		number int
		what   string
	}
)
