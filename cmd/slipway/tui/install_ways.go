package tui

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/workflow"
)

// Where hosts come from: SSH's own files, an address range; and their keys.

// importScreen lets one mark hosts of which there is a list.
type importScreen struct {
	*installer
	all   []workflow.Candidate
	err   error
	marks marks
}

// names tell the candidates apart: an alias may stand in several files.
func (s *importScreen) names() []string {
	var all []string
	for _, one := range s.all {
		all = append(all, one.Name+" "+one.From)
	}
	return all
}

func newImportScreen(in *installer) *importScreen {
	s := &importScreen{installer: in}
	s.all, s.err = workflow.Candidates()
	return s
}

func (s *importScreen) begin() tea.Cmd             { return nil }
func (s *importScreen) leave(bool) (bool, tea.Cmd) { return true, nil }
func (s *importScreen) title() string              { return s.say(text.ImportTitle) }
func (s *importScreen) command() string            { return shellWords("slipway", "hosts", "known") }

func (s *importScreen) keys() []key {
	return []key{{"Space", text.KeyMark}, {"*", text.KeyMarkAll}, {"Enter", text.KeyTake}, {"Esc", text.KeyBack}}
}

func (s *importScreen) update(msg tea.Msg) tea.Cmd {
	pressed, is := msg.(tea.KeyMsg)
	if !is || len(s.all) == 0 {
		return nil
	}
	if pressed.String() == "enter" {
		return s.take()
	}
	s.marks.key(pressed, s.names())
	return nil
}

// take adds the marked hosts; where none is, the chosen one.
func (s *importScreen) take() tea.Cmd {
	var found []listed
	names := s.names()
	for i, one := range s.all {
		if s.marks.takes(i, names[i]) {
			found = append(found, listedCandidate(one))
		}
	}
	added, _, err := s.add(found)
	s.said = s.say(text.HostsPasted, added)
	if err != nil {
		return s.push(newErrorScreen(s.shared, err))
	}
	return s.pop()
}

// listedCandidate is a host with all that SSH's files say of it. Its name is the alias without a domain, where a node can
// be called so; else the machine's own is taken.
func listedCandidate(one workflow.Candidate) listed {
	l := listed{whole: true, host: cluster.Host{SSH: cluster.SSH{
		Host: one.Host, Port: one.Port, User: one.User, IdentityFile: one.IdentityFile, ProxyCommand: one.ProxyCommand,
	}}}
	short, _, _ := strings.Cut(strings.ToLower(one.Name), ".")
	if _, err := netip.ParseAddr(one.Name); err != nil && isName(short) {
		l.host.Name, l.named = short, true
	}
	return l
}

func (s *importScreen) body(columns, height int) []string {
	if len(s.all) == 0 {
		lines := wrap(s.say(text.ImportNone), columns)
		if s.err != nil {
			lines = append(lines, wrap(clean(s.err.Error()), columns)...)
		}
		return lines
	}
	from, to := s.marks.list.window(len(s.all), height-2)
	var lines []string
	names := s.names()
	for i := from; i < to; i++ {
		one := s.all[i]
		where := one.Host
		if one.User != "" {
			where = one.User + "@" + where
		}
		if one.Port != 0 {
			where += fmt.Sprintf(":%d", one.Port)
		}
		lines = append(lines, s.marks.sign(s.theme, i, names[i])+s.theme.fit(clean(one.Name), 24)+" "+s.theme.fit(clean(where), 28)+" "+s.theme.faint.Render(clean(one.From)))
	}
	return append(lines, "", s.say(text.ImportTake, len(s.marks.marked)))
}

// findScreen looks for hosts in an address range, when the user says so.
type findScreen struct {
	*installer
	form  form
	found []string
	marks marks
	runs  string // the range that is asked
	came  string // of the last search
	stop  context.CancelFunc
}

type (
	foundMsg struct {
		of      *findScreen
		address string
	}
	findDoneMsg struct {
		of  *findScreen
		err error
	}
)

func newFindScreen(in *installer) *findScreen {
	s := &findScreen{installer: in, form: form{shared: in.shared}}
	s.form.fields = []*field{{label: words(text.FindRange), help: words(text.FindHelp), value: in.ownRange(), check: checkPrefix}}
	return s
}

// ownRange is the subnet of the hosts that are there: others are most likely beside them.
func (in *installer) ownRange() string {
	for _, h := range in.draft.Hosts {
		for _, link := range in.of(h.Name).facts.Interfaces {
			for _, text := range link.Addresses {
				if prefix, err := netip.ParsePrefix(text); err == nil && prefix.Addr().String() == h.Address() && prefix.Addr().BitLen()-prefix.Bits() <= 10 {
					return prefix.Masked().String()
				}
			}
		}
	}
	return ""
}

func checkPrefix(said string) error {
	if said == "" {
		return nil
	}
	_, err := netip.ParsePrefix(said)
	return err
}

func (s *findScreen) begin() tea.Cmd { return nil }
func (s *findScreen) types() bool    { return s.form.types() }
func (s *findScreen) title() string  { return s.say(text.FindTitle) }
func (s *findScreen) command() string {
	return shellWords("slipway", "hosts", "find", s.form.fields[0].value)
}

func (s *findScreen) leave(bool) (bool, tea.Cmd) {
	if s.stop != nil {
		s.stop()
	}
	return true, nil
}

func (s *findScreen) keys() []key {
	if len(s.found) > 0 {
		return []key{{"Space", text.KeyMark}, {"*", text.KeyMarkAll}, {"Enter", text.KeyTake}, {"f", text.FindOther}, {"Esc", text.KeyBack}}
	}
	return []key{{"Enter", text.KeyChange}, {"f", text.FindBegin}, {"Esc", text.KeyBack}}
}

func (s *findScreen) update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case foundMsg:
		if msg.of == s {
			s.found = append(s.found, msg.address)
			slices.SortFunc(s.found, func(a, b string) int {
				one, _ := netip.ParseAddr(a) // both were addresses
				other, _ := netip.ParseAddr(b)
				return one.Compare(other)
			})
		}
	case findDoneMsg:
		if msg.of == s {
			s.runs, s.came = "", s.say(text.FindDone, len(s.found))
			if msg.err != nil && !errors.Is(msg.err, context.Canceled) {
				s.came = clean(msg.err.Error())
			}
		}
	case tea.KeyMsg:
		return s.key(msg)
	}
	return nil
}

func (s *findScreen) key(msg tea.KeyMsg) tea.Cmd {
	if !s.form.types() && len(s.found) == 0 && msg.String() == "f" && s.runs == "" {
		return s.find()
	}
	if len(s.found) == 0 || s.form.types() {
		_, changed := s.form.key(msg)
		if changed && s.form.wrong() == nil && s.form.fields[0].value != "" {
			return s.find()
		}
		return nil
	}
	switch msg.String() {
	case "enter":
		return s.take()
	case "f":
		s.leave(false)
		s.found, s.marks, s.came = nil, marks{}, ""
	default:
		s.marks.key(msg, s.found)
	}
	return nil
}

// find asks the range's addresses, beside the program.
func (s *findScreen) find() tea.Cmd {
	wanted := s.form.fields[0].value
	prefix, err := netip.ParsePrefix(wanted)
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithCancel(s.ctx)
	s.stop, s.runs, s.found, s.came = cancel, wanted, nil, ""
	return func() tea.Msg {
		defer cancel()
		err := workflow.FindHosts(ctx, prefix, nil, func(address netip.Addr) { s.send(foundMsg{s, address.String()}) })
		return findDoneMsg{s, err}
	}
}

func (s *findScreen) take() tea.Cmd {
	var found []listed
	for i, address := range s.found {
		if s.marks.takes(i, address) {
			found = append(found, listed{host: cluster.Host{Addresses: []string{address}}})
		}
	}
	added, _, err := s.add(found)
	s.installer.said = s.say(text.HostsPasted, added)
	if err != nil {
		return s.push(newErrorScreen(s.shared, err))
	}
	return s.pop()
}

func (s *findScreen) body(columns, height int) []string {
	lines := s.form.lines(columns, height)
	if len(s.found) > 0 {
		lines = []string{s.say(text.FindRange) + "  " + clean(s.form.fields[0].value)}
	}
	lines = append(lines, "")
	if s.runs != "" {
		lines = append(lines, s.theme.mark(markRuns)+" "+s.say(text.FindRuns, clean(s.runs)))
	}
	if s.came != "" {
		lines = append(lines, wrap(s.came, columns)...)
	}
	from, to := s.marks.list.window(len(s.found), max(1, height-len(lines)))
	for i := from; i < to; i++ {
		lines = append(lines, s.marks.sign(s.theme, i, s.found[i])+clean(s.found[i]))
	}
	return lines
}

// trustScreen shows the hosts' keys that are not known, to be compared. Only what was shown is written.
type trustScreen struct {
	*installer
	names []string // the hosts, as they stood when the screen was opened
	list  list
	shown map[string]string // the fingerprints that were on the screen, by host
}

func newTrustScreen(in *installer) *trustScreen {
	s := &trustScreen{installer: in, shown: map[string]string{}}
	for _, h := range in.draft.Hosts {
		if in.of(h.Name).state == lookKey {
			s.names = append(s.names, h.Name)
		}
	}
	return s
}

func (s *trustScreen) begin() tea.Cmd { return nil }
func (s *trustScreen) title() string  { return s.say(text.TrustTitle) }

func (s *trustScreen) command() string {
	if key := s.chosen(); key != nil {
		return shellWords("slipway", "hosts", "trust", "-f", s.options.File, s.names[s.at()], key.Fingerprint)
	}
	return ""
}

func (s *trustScreen) at() int { return max(0, min(s.list.at, len(s.names)-1)) }

func (s *trustScreen) chosen() *workflow.HostKey {
	if len(s.names) == 0 {
		return nil
	}
	return s.of(s.names[s.at()]).key
}

func (s *trustScreen) keys() []key {
	return []key{{"↑↓", text.KeyMove}, {"Enter", text.KeyChoose}, {"Esc", text.KeyBack}}
}

// update: each line accepts its own key, and the last one all of them.
func (s *trustScreen) update(msg tea.Msg) tea.Cmd {
	pressed, is := msg.(tea.KeyMsg)
	if !is {
		return nil
	}
	if pressed.String() != "enter" {
		s.list.key(pressed, len(s.names)+1)
		return nil
	}
	if s.list.at < len(s.names) {
		return s.accept([]string{s.names[s.at()]})
	}
	for i, name := range s.names {
		if !s.wasShown(name) {
			s.list.at = i // they are to be seen first
			return nil
		}
	}
	return s.accept(s.names)
}

// wasShown tells whether the key that a host has now was on the screen.
func (s *trustScreen) wasShown(name string) bool {
	key := s.of(name).key
	return key == nil || s.shown[name] == key.Fingerprint
}

// accept writes the keys that were shown, and looks at their hosts again.
func (s *trustScreen) accept(names []string) tea.Cmd {
	var all []tea.Cmd
	for _, name := range names {
		at := s.of(name)
		h, there := s.host(name)
		if at.key == nil || !there || !s.wasShown(name) {
			continue
		}
		if err := at.key.Accept(); err != nil {
			return s.push(newErrorScreen(s.shared, fmt.Errorf("write the host key of %s: %w", name, err)))
		}
		at.key = nil
		all = append(all, s.try(h))
	}
	left := newTrustScreen(s.installer)
	if len(left.names) == 0 {
		return tea.Batch(s.pop(), tea.Batch(all...))
	}
	s.names = left.names
	s.list.at = min(s.list.at, len(s.names)-1) // where one key was accepted, the next is chosen, and not all of them
	return tea.Batch(all...)
}

func (s *trustScreen) body(columns, height int) []string {
	lines := wrap(s.say(text.TrustAbout), columns)
	file := ""
	var rows, drawn []string
	for _, name := range s.names {
		if key := s.of(name).key; key != nil {
			file = key.File
			drawn = append(drawn, name)
			rows = append(rows, s.theme.fit(clean(name), 16)+" "+clean(key.Fingerprint+" "+key.Type))
		}
	}
	lines = append(lines, s.say(text.TrustInto, clean(file)))
	for _, name := range s.names {
		if key := s.of(name).key; key != nil && key.Other != "" {
			lines = append(lines, wrapAll([]string{s.say(text.TrustOther, clean(name), clean(key.Other))}, columns, s.theme.mark(markWarning)+" ", "  ")...)
		}
	}
	lines = append(lines, "")
	all := append(rows, s.say(text.TrustAll))
	from, to := s.list.window(len(all), height-len(lines))
	for i := from; i < to; i++ {
		if i < len(drawn) {
			s.shown[drawn[i]] = s.of(drawn[i]).key.Fingerprint
		}
		if i == s.list.at {
			lines = append(lines, s.theme.cursor+" "+s.theme.strong.Render(all[i]))
		} else {
			lines = append(lines, "  "+all[i])
		}
	}
	return lines
}
