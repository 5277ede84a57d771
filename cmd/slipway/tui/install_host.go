package tui

import (
	"cmp"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
)

// hostScreen is one host of the installer: how it is reached, what it is to be, and what it is.
type hostScreen struct {
	*installer
	form form
	name string // in the draft; empty: it is a new one
	rest scroll // what is known of the host, below the form
	was  cluster.Host
}

// The fields of a host, in their order.
const (
	fieldName = iota
	fieldAddress
	fieldSSHHost
	fieldSSHPort
	fieldSSHUser
	fieldSSHKey
	fieldPlane
	fieldWorker
	fieldBalancer
)

func newHostScreen(in *installer, name string) *hostScreen {
	s := &hostScreen{installer: in, name: name, form: form{shared: in.shared}}
	s.was, _ = in.host(name)
	h := s.was
	own := func(value, all string) string { // what the host does not say itself is what all have
		if value == all {
			return ""
		}
		return value
	}
	role := func(r cluster.Role) string { return map[bool]string{true: "true"}[h.HasRole(r)] }
	s.form.fields = []*field{
		fieldName:     {label: words(text.HostName), help: words(text.HostNameHelp), value: h.Name, check: s.checkName},
		fieldAddress:  {label: words(text.HostAddress), help: words(text.HostAddrHelp), value: strings.Join(h.Addresses, ", "), check: s.checkAddress},
		fieldSSHHost:  {label: words(text.HostSSHHost), help: words(text.HostSSHHelp), value: own(h.SSH.Host, h.Address())},
		fieldSSHPort:  {label: words(text.HostSSHPort), value: own(numberText(h.SSH.Port), numberText(in.draft.SSH.Port)), help: words(text.HostAsAll, numberText(cmp.Or(in.draft.SSH.Port, cluster.DefaultSSHPort))), check: s.checkPort},
		fieldSSHUser:  {label: words(text.HostSSHUser), help: words(text.HostUserAll, cmp.Or(in.draft.SSH.User, cluster.DefaultSSHUser)), value: own(h.SSH.User, in.draft.SSH.User)},
		fieldSSHKey:   {label: words(text.HostSSHKey), help: words(text.HostKeyHelp), value: own(h.SSH.IdentityFile, in.draft.SSH.IdentityFile)},
		fieldPlane:    {label: words(text.HostRoleCP), isFlag: true, value: role(cluster.RoleControlPlane)},
		fieldWorker:   {label: words(text.HostRoleWorker), isFlag: true, value: role(cluster.RoleWorker)},
		fieldBalancer: {label: words(text.HostRoleLB), isFlag: true, value: role(cluster.RoleLoadBalancer)},
	}
	for _, f := range s.form.fields {
		f.was = f.value
	}
	return s
}

func numberText(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func (s *hostScreen) checkName(name string) error {
	switch {
	case name == "":
		return nil
	case !isName(name):
		return errors.New(s.say(text.HostNameBad))
	case slices.Contains(s.namesBut(s.name), name):
		return errors.New(s.say(text.HostNameTaken))
	}
	return nil
}

func (s *hostScreen) checkAddress(address string) error {
	for _, one := range commas(address) {
		if _, err := netip.ParseAddr(one); err != nil {
			return errors.New(s.say(text.HostAddrBad))
		}
	}
	return nil
}

func (s *hostScreen) begin() tea.Cmd { return nil }
func (s *hostScreen) types() bool    { return s.form.types() }

func (s *hostScreen) title() string {
	if s.name == "" {
		return s.say(text.HostNewTitle)
	}
	return s.name
}

func (s *hostScreen) command() string {
	if s.name == "" {
		return ""
	}
	return shellWords("slipway", "hosts", "check", "-f", s.options.File, s.name)
}

func (s *hostScreen) keys() []key {
	return []key{{"↑↓", text.KeyMove}, {"Enter", text.KeyChange}, {"Esc", text.KeyDone}}
}

func (s *hostScreen) update(msg tea.Msg) tea.Cmd {
	if pressed, is := msg.(tea.KeyMsg); is {
		if pressed.Paste && s.name == "" && !s.form.types() {
			return nil
		}
		if name := pressed.String(); !s.form.types() && (name == "pgdown" || name == "pgup") {
			s.rest.key(pressed, len(s.about(leastWidth)))
			return nil
		}
		s.form.key(pressed)
	}
	return nil
}

// leave puts what was filled in into the file's text; what is wrong keeps one here.
func (s *hostScreen) leave(quitting bool) (bool, tea.Cmd) {
	if s.form.wrong() != nil {
		return quitting, nil
	}
	h := s.filled()
	if h.Name == "" && h.Address() == "" && h.SSH.Host == "" {
		return true, nil // nothing was filled in
	}
	if err := s.put(h); err != nil {
		return false, s.push(newErrorScreen(s.shared, err))
	}
	return true, nil
}

// filled is the host as the fields have it. What was not changed here stays as it is by now: meanwhile the host may have
// said more of itself.
func (s *hostScreen) filled() cluster.Host {
	h, there := s.host(s.name)
	if !there {
		h = s.was
	}
	changed := func(i int) (string, bool) {
		f := s.form.fields[i]
		return strings.TrimSpace(f.value), strings.TrimSpace(f.value) != f.was
	}
	if name, is := changed(fieldName); is || s.name == "" {
		h.Name = name
	}
	if said, is := changed(fieldAddress); is {
		h.Addresses = s.addresses(h, said)
	}
	if host, is := changed(fieldSSHHost); is {
		h.SSH.Host = host
	}
	if port, is := changed(fieldSSHPort); is {
		h.SSH.Port, _ = strconv.Atoi(port) // it was judged
		h.SSH.Port = cmp.Or(h.SSH.Port, s.draft.SSH.Port)
	}
	if user, is := changed(fieldSSHUser); is {
		h.SSH.User = cmp.Or(user, s.draft.SSH.User)
	}
	if key, is := changed(fieldSSHKey); is {
		h.SSH.IdentityFile = cmp.Or(key, s.draft.SSH.IdentityFile)
	}
	for i, role := range map[int]cluster.Role{fieldPlane: cluster.RoleControlPlane, fieldWorker: cluster.RoleWorker, fieldBalancer: cluster.RoleLoadBalancer} {
		if said, is := changed(i); is {
			h.Roles = slices.DeleteFunc(slices.Clone(h.Roles), func(r cluster.Role) bool { return r == role })
			if said == "true" {
				h.Roles = append(h.Roles, role)
			}
		}
	}
	slices.Sort(h.Roles)
	return h
}

// addresses are those that were said; where they were taken out, the one that the host has.
func (s *hostScreen) addresses(h cluster.Host, said string) []string {
	if list := commas(said); len(list) > 0 {
		return list
	}
	if own := ownAddress(s.of(s.name).facts); own != "" {
		return []string{own}
	}
	return h.Addresses // without any it could not be reached
}

// put puts the host into the text.
func (s *hostScreen) put(h cluster.Host) error {
	if s.name == "" {
		_, _, err := s.add([]listed{{host: h, named: h.Name != ""}})
		return err
	}
	if h.Name == "" {
		h.Name = s.name
		s.unnamed[s.name] = true
	}
	return s.edit(func(e *cluster.Editor) error {
		if h.Name != s.name {
			if err := e.RenameHost(s.name, h.Name); err != nil {
				return err
			}
			s.looks[h.Name] = s.of(s.name)
			delete(s.looks, s.name)
		}
		return e.SetHost(h.Name, h)
	})
}

func (s *hostScreen) body(columns, height int) []string {
	lines := s.form.lines(columns, min(height, len(s.form.fields)+4))
	if s.name == "" {
		return lines
	}
	lines = append(lines, "")
	all := s.about(columns)
	room := max(1, height-len(lines)-1)
	from, to := s.rest.window(len(all), room)
	lines = append(lines, all[from:to]...)
	if to < len(all) || from > 0 {
		lines = append(lines, s.theme.faint.Render(s.say(text.MoreLines, to, len(all))))
	}
	return lines
}

// about is what is known of the host.
func (s *hostScreen) about(columns int) []string {
	at := s.of(s.name)
	m, says := s.shown(at)
	lines := []string{s.theme.strong.Render(s.say(text.HostState))}
	switch at.state {
	case lookFailed, lookKey:
		return append(lines, s.marked(m, cleanLines(s.options.Explain(at.err, false)), columns)...)
	case lookWell:
		return append(lines, s.factLines(at.facts, columns)...)
	case lookNone, lookTries:
	}
	return append(lines, s.theme.mark(m)+" "+says)
}

// sshScreen is how all hosts are reached that say nothing else.
type sshScreen struct {
	*installer
	form form
}

func newSSHScreen(in *installer) *sshScreen {
	s := &sshScreen{installer: in, form: form{shared: in.shared}}
	all := in.draft.SSH
	s.form.fields = []*field{
		{label: words(text.HostSSHUser), help: words(text.HostUserHelp), value: all.User},
		{label: words(text.HostSSHPort), value: numberText(all.Port), check: in.checkPort},
		{label: words(text.HostSSHKey), help: words(text.HostKeyHelp), value: all.IdentityFile},
	}
	return s
}

func (s *sshScreen) begin() tea.Cmd  { return nil }
func (s *sshScreen) types() bool     { return s.form.types() }
func (s *sshScreen) title() string   { return s.say(text.SSHTitle) }
func (s *sshScreen) command() string { return "" }
func (s *sshScreen) keys() []key {
	return []key{{"↑↓", text.KeyMove}, {"Enter", text.KeyChange}, {"Esc", text.KeyDone}}
}

func (s *sshScreen) update(msg tea.Msg) tea.Cmd {
	if pressed, is := msg.(tea.KeyMsg); is {
		s.form.key(pressed)
	}
	return nil
}

func (s *sshScreen) leave(quitting bool) (bool, tea.Cmd) {
	if s.form.wrong() != nil {
		return quitting, nil
	}
	was := s.draft.SSH
	port, _ := strconv.Atoi(s.form.fields[1].value) // it was judged
	err := s.edit(func(e *cluster.Editor) error {
		return errors.Join(
			setText(e, "ssh.user", s.form.fields[0].value, was.User),
			setNumber(e, "ssh.port", port, was.Port),
			setText(e, "ssh.identityFile", s.form.fields[2].value, was.IdentityFile),
		)
	})
	if err != nil {
		return false, s.push(newErrorScreen(s.shared, err))
	}
	return true, nil
}

func (s *sshScreen) body(columns, height int) []string {
	lines := wrap(s.say(text.SSHAbout), columns)
	lines = append(lines, "")
	return append(lines, s.form.lines(columns, height-len(lines))...)
}
