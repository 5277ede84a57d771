package workflow

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
)

// mostOfJournalLine is how many bytes of a journal's line are looked at.
const mostOfJournalLine = 64 << 10

// Units are the units of a host that status shows; none where the file has no such host.
func (s *Session) Units(host string) []string {
	h, ok := s.cluster.Host(host)
	if !ok {
		return nil
	}
	return s.statusUnits(h)
}

// Journal calls line with each of the last lines of a unit's journal on a host and, with follow, with those that
// come, until the context ends. A line is cleaned, and has no newline; line is called by one goroutine, and holds
// the host up while it does not return. It has a connection of its own, and so may be called while the session
// does something else. A unit without a dot in its name is a service. With follow an end that the context has not
// brought is an error: the host does not answer any more, or cannot read its journal.
func (s *Session) Journal(ctx context.Context, host, unit string, lines int, follow bool, line func(string)) error {
	h, ok := s.cluster.Host(host)
	if !ok {
		return s.known([]string{host})
	}
	if !strings.Contains(unit, ".") {
		unit += ".service"
	}
	if err := hosts.CheckJournal(unit, lines); err != nil {
		return usagef("journal: %w", err)
	}
	reached, err := s.dialAnew(ctx, h)
	if err != nil {
		return err
	}
	defer reached.Close()
	if err := s.hasJournal(ctx, reached, host, unit); err != nil {
		return err
	}
	op := "read the journal of " + unit
	err = readJournal(ctx, reached, unit, lines, follow, line)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil && follow:
		err = &hosts.Error{Kind: hosts.KindBroken, Op: op, Err: errors.New("it has ended: journalctl does not run any more")}
	}
	return onHost(host, err)
}

// dialAnew connects to a host for one call alone, whatever else the session does with it.
func (s *Session) dialAnew(ctx context.Context, h cluster.Host) (hosts.Host, error) {
	dial := s.Options.Dial // what s.dial is, a reboot changes
	if dial == nil {
		dial = s.logins.by(s.agentBinary)
	}
	at, end := s.stage(StageConnect, h.Name, "logging in")
	host, err := dial(ctx, h, at)
	end(err)
	return host, err
}

// readJournal reads a journal to its end, or the context's.
func readJournal(ctx context.Context, from hosts.Host, unit string, lines int, follow bool, line func(string)) error {
	journal, err := from.Journal(ctx, unit, lines, follow)
	if err != nil {
		return err
	}
	defer journal.Close()
	defer context.AfterFunc(ctx, func() { _ = journal.Close() })()
	return eachLine(journal, line)
}

// hasJournal refuses a unit that the host does not have and of which nothing is left in its journal: a
// mistyped name would be followed for ever.
func (s *Session) hasJournal(ctx context.Context, from hosts.Host, host, unit string) error {
	facts, err := from.Observe(ctx, hosts.Query{Units: []string{unit}})
	if err != nil || facts.Units[unit].Load != "not-found" {
		return onHost(host, err)
	}
	left := false
	if err := readJournal(ctx, from, unit, 1, false, func(string) { left = true }); err != nil || left {
		return onHost(host, err)
	}
	return &hosts.Error{
		Kind: hosts.KindBroken, Host: host, Op: "read the journal of " + unit,
		Err: errors.New("the host has no such unit, and its journal has no line of one"),
		Fix: fmt.Sprintf("name a unit of the host, such as: %s", strings.Join(s.Units(host), ", ")),
	}
}

// onHost names the host in an error that does not.
func onHost(host string, err error) error {
	known, is := errors.AsType[*hosts.Error](err)
	if !is || known.Host != "" {
		return err
	}
	named := *known
	named.Host = host
	return &named
}

// eachLine calls for each line of a text, cleaned. What is behind mostOfJournalLine bytes of a line is left out.
func eachLine(text io.Reader, line func(string)) error {
	in := bufio.NewReaderSize(text, mostOfJournalLine)
	for {
		part, more, err := in.ReadLine()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		said := string(part)
		for more && err == nil {
			_, more, err = in.ReadLine()
		}
		line(hosts.Clean(said))
	}
}
