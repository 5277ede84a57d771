package tui

import (
	"slices"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
)

// hostsScreen is the installer's first: which hosts there are, what they are, and what each is to be.
type hostsScreen struct {
	*installer
	list list
}

func newHostsScreen(in *installer) *hostsScreen {
	in.lastLook = func(end func() tea.Cmd) screen {
		s := newFileScreen(in)
		s.end = end
		return s
	}
	return &hostsScreen{installer: in}
}

func (s *hostsScreen) begin() tea.Cmd { return s.tryAll() }
func (s *hostsScreen) close()         { s.endLooks() }
func (s *hostsScreen) title() string  { return s.say(text.StepHosts) }

func (s *hostsScreen) command() string {
	return shellWords("slipway", "hosts", "check", "-f", s.options.File)
}

func (s *hostsScreen) keys() []key {
	if len(s.draft.Hosts) == 0 {
		return []key{{"a", text.KeyAdd}, {"i", text.KeyImport}, {"f", text.KeyFind}, {"Esc", text.KeyQuit}}
	}
	all := []key{{"n", text.KeyNext}, {"Enter", text.KeyOpen}}
	if s.count(lookKey) > 0 {
		all = append(all, key{"t", text.KeyTrust})
	}
	return append(all, key{"c", text.KeyRoleCP}, key{"w", text.KeyRoleWorker}, key{"a", text.KeyAdd}, key{"d", text.KeyRemove}, key{"r", text.KeyRetry},
		key{"b", text.KeyRoleLB}, key{"s", text.KeySSH}, key{"i", text.KeyImport}, key{"f", text.KeyFind}, key{"Esc", text.KeyQuit})
}

func (s *hostsScreen) count(state lookState) int {
	n := 0
	for _, h := range s.draft.Hosts {
		if s.of(h.Name).state == state {
			n++
		}
	}
	return n
}

func (s *hostsScreen) leave(quitting bool) (bool, tea.Cmd) {
	end := func() tea.Cmd { // the question, and this screen
		s.pop()
		return s.pop()
	}
	if quitting {
		end = s.quit
	}
	return s.leaving(end)
}

func (s *hostsScreen) update(msg tea.Msg) tea.Cmd {
	if cmd, taken := s.tellOf(msg); taken {
		return cmd
	}
	if pressed, is := msg.(tea.KeyMsg); is {
		return s.key(pressed)
	}
	return nil
}

func (s *hostsScreen) key(msg tea.KeyMsg) tea.Cmd {
	s.said = "" // it was about the key before
	if msg.Paste {
		return s.paste(string(msg.Runes))
	}
	switch msg.String() {
	case "a":
		return s.push(newHostScreen(s.installer, ""))
	case "i":
		return s.push(newImportScreen(s.installer))
	case "f":
		return s.push(newFindScreen(s.installer))
	}
	if len(s.draft.Hosts) == 0 {
		return nil
	}
	at := s.draft.Hosts[min(s.list.at, len(s.draft.Hosts)-1)]
	switch msg.String() {
	case "n", "right":
		return s.goOn()
	case "enter":
		return s.push(newHostScreen(s.installer, at.Name))
	case "t":
		if s.count(lookKey) > 0 {
			return s.push(newTrustScreen(s.installer))
		}
	case "s":
		return s.push(newSSHScreen(s.installer))
	case "r":
		return s.retry()
	case "d", "delete":
		return s.remove(at)
	case "c":
		s.turn(at, cluster.RoleControlPlane)
	case "w":
		s.turn(at, cluster.RoleWorker)
	case "b":
		s.turn(at, cluster.RoleLoadBalancer)
	default:
		s.list.key(msg, len(s.draft.Hosts))
	}
	return nil
}

// goOn leads to the next step; where hosts cannot be used yet it is asked first.
func (s *hostsScreen) goOn() tea.Cmd {
	next := newEndpointScreen(s.installer)
	open := s.count(lookFailed) + s.count(lookKey)
	if open == 0 {
		return s.push(next)
	}
	return s.push(newChoiceScreen(s.shared, words(text.HostsGoTitle), words(text.HostsGoAbout, open),
		option{words(text.HostsGoStay), s.pop},
		option{words(text.HostsGoOn), func() tea.Cmd { return s.replace(next) }},
	))
}

// retry looks again at every host that was not reached; where all were, at the chosen one.
func (s *hostsScreen) retry() tea.Cmd {
	var all []tea.Cmd
	for i, h := range s.draft.Hosts {
		if s.of(h.Name).state != lookWell || i == s.list.at {
			all = append(all, s.try(h))
		}
	}
	return tea.Batch(all...)
}

func (s *hostsScreen) remove(h cluster.Host) tea.Cmd {
	err := s.edit(func(e *cluster.Editor) error { return e.RemoveHost(h.Name) })
	delete(s.looks, h.Name)
	return s.failed(err)
}

// turn gives a host a role, or takes it away; a load balancer has no other, and no host is without.
func (s *hostsScreen) turn(h cluster.Host, role cluster.Role) {
	h.Roles = turned(h.Roles, role)
	if err := s.edit(func(e *cluster.Editor) error { return e.SetHost(h.Name, h) }); err != nil {
		s.said = clean(err.Error())
	}
}

func turned(roles []cluster.Role, role cluster.Role) []cluster.Role {
	switch {
	case role == cluster.RoleLoadBalancer:
		return []cluster.Role{role}
	case slices.Contains(roles, role) && len(roles) > 1:
		return slices.DeleteFunc(slices.Clone(roles), func(r cluster.Role) bool { return r == role })
	case slices.Contains(roles, role):
		return roles
	case slices.Contains(roles, cluster.RoleLoadBalancer):
		return []cluster.Role{role}
	}
	both := append(slices.Clone(roles), role)
	slices.Sort(both) // control-plane before worker, as everybody writes it
	return both
}

// paste takes a list of hosts.
func (s *hostsScreen) paste(list string) tea.Cmd {
	found, problems := parseHosts(list)
	added, twice, err := s.add(found)
	s.said = s.say(text.HostsPasted, added)
	if twice > 0 {
		s.said += "; " + s.say(text.HostsTwice, twice)
	}
	if n := proxiesLeftOut(found); n > 0 {
		s.said += "; " + s.say(text.HostsNoProxy, n)
	}
	if len(problems) > 0 {
		s.said += "; " + s.say(text.HostsSkipped, len(problems), clean(problems[0]))
	}
	return tea.Batch(s.failed(err), s.tryAll())
}

func (s *hostsScreen) body(columns, height int) []string {
	if len(s.draft.Hosts) == 0 {
		lines := []string{s.theme.strong.Render(s.say(text.HostsNone)), ""}
		lines = append(lines, wrap(s.say(text.HostsHowTo), columns)...)
		if s.said != "" {
			lines = append(lines, "", s.said)
		}
		return lines
	}
	foot := s.foot(columns)
	rows := [][]string{{"", s.say(text.HostsHead), s.say(text.HostsAddress), s.say(text.HostsRoles), s.say(text.HostsFound)}}
	for _, h := range s.draft.Hosts {
		rows = append(rows, s.row(h))
	}
	widths := widthsOf(rows, columns-2, 8)
	// What the host is may be cut; its name may not.
	if over := sum(widths) + len(widths) + 1 - columns; over > 0 {
		widths[4] = max(8, widths[4]-over)
	}
	lines := []string{s.theme.faint.Render("  " + s.theme.columns(rows[0], widths))}
	from, to := s.list.window(len(s.draft.Hosts), height-1-len(foot))
	for i := from; i < to; i++ {
		line := s.theme.columns(rows[i+1], widths)
		if i == s.list.at {
			lines = append(lines, s.theme.cursor+" "+line)
		} else {
			lines = append(lines, "  "+line)
		}
	}
	for len(lines) < height-len(foot) {
		lines = append(lines, "")
	}
	return append(lines, foot...)
}

func sum(all []int) int {
	total := 0
	for _, n := range all {
		total += n
	}
	return total
}

func (s *hostsScreen) row(h cluster.Host) []string {
	m, says := s.shown(s.of(h.Name))
	address := h.Address()
	if address == "" {
		address = h.SSH.Host
	}
	return []string{s.theme.mark(m), clean(h.Name), clean(address), shortRoles(h.Roles), says}
}

// foot counts, and says what is to be done before one can go on.
func (s *hostsScreen) foot(columns int) []string {
	planes := len(s.draft.ControlPlanes())
	workers, balancers := 0, 0
	for _, h := range s.draft.Hosts {
		if h.HasRole(cluster.RoleWorker) {
			workers++
		}
		if h.HasRole(cluster.RoleLoadBalancer) {
			balancers++
		}
	}
	lines := []string{"", s.say(text.HostsCount, len(s.draft.Hosts), planes, workers, balancers)}
	warn := func(m mark, said string) {
		lines = append(lines, wrapAll([]string{said}, columns, s.theme.mark(m)+" ", "  ")...)
	}
	switch {
	case planes == 0:
		warn(markBad, s.say(text.HostsNoPlane))
	case planes%2 == 0:
		warn(markWarning, s.say(text.HostsEven))
	}
	if n := s.count(lookKey); n > 0 {
		warn(markWarning, s.say(text.HostsKeys, n))
	}
	if n := s.count(lookFailed); n > 0 {
		warn(markBad, s.say(text.HostsOpen, n))
	}
	if s.said != "" {
		warn(markNone, s.said)
	}
	return lines
}
