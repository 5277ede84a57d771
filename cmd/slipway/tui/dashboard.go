package tui

import (
	"fmt"
	"slices"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/workflow"
)

// dashboard shows a cluster live.
type dashboard struct {
	*shared
	file  string
	board *board
	view  int
	list  list
	rest  scroll
}

func newDashboard(s *shared, file string) *dashboard { return &dashboard{shared: s, file: file} }

var dashViews = []*text.Text{text.DashHosts, text.DashPods, text.DashEvents, text.DashComponents, text.DashCerts, text.DashRuns}

// The dashboard's views.
const (
	dashHosts = iota
	dashPods
	dashEvents
	dashComponents
	dashCerts
	dashRuns
)

func (s *dashboard) begin() tea.Cmd {
	if s.board == nil {
		s.board = &board{}
		s.board.open(s.shared, s.file)
		return nil
	}
	s.refresh() // what lay above may have changed something
	return nil
}

func (s *dashboard) leave(bool) (bool, tea.Cmd) {
	s.board.close()
	return true, nil
}

func (s *dashboard) title() string {
	if p, _ := s.board.now(); p != nil {
		return p.Cluster
	}
	return s.say(text.DashTitle)
}

func (s *dashboard) command() string {
	return shellWords("slipway", "status", "-f", s.file, "--watch")
}

func (s *dashboard) keys() []key {
	all := []key{{"a", text.KeyAction}, {"Enter", text.KeyHostPage}}
	if p, _ := s.board.now(); p != nil && p.ID == "" {
		all = append([]key{{"i", text.KeyInstall}}, all...)
	}
	return append(all, key{"Tab", text.KeyTab}, key{"r", text.KeyRefresh}, key{"Esc", text.KeyQuit})
}

func (s *dashboard) update(msg tea.Msg) tea.Cmd {
	pressed, is := msg.(tea.KeyMsg)
	if !is {
		return nil
	}
	switch name := pressed.String(); name {
	case "tab":
		s.turn(s.view + 1)
	case "shift+tab":
		s.turn(s.view + len(dashViews) - 1)
	case "1", "2", "3", "4", "5", "6":
		s.turn(int(name[0] - '1'))
	case "a":
		return s.push(newActionsScreen(s.shared, s.file, s.chosen()))
	case "i":
		return s.install()
	case "r":
		s.refresh()
	case "enter":
		if on := s.chosen(); len(on) > 0 {
			return s.push(newHostPage(s.shared, s.board, s.file, on[0]))
		}
	default:
		s.move(pressed)
	}
	return nil
}

// refresh looks at once; where the watch has ended, it begins anew.
func (s *dashboard) refresh() {
	s.board.mu.Lock()
	defer s.board.mu.Unlock()
	if s.board.ended {
		s.board = &board{}
		s.board.open(s.shared, s.file)
		return
	}
	if s.board.session != nil {
		s.board.session.Refresh()
	}
}

// install goes to the installer, where there is no cluster yet.
func (s *dashboard) install() tea.Cmd {
	if p, _ := s.board.now(); p == nil || p.ID != "" {
		return nil
	}
	in, err := newInstaller(s.shared)
	if err != nil {
		return s.push(newErrorScreen(s.shared, err))
	}
	if len(in.problems) > 0 {
		return s.push(newHostsScreen(in))
	}
	s.push(newHostsScreen(in))
	return s.push(newBundleScreen(in)) // the file says all else
}

func (s *dashboard) turn(to int) {
	s.view, s.rest = to%len(dashViews), scroll{}
}

func (s *dashboard) move(msg tea.KeyMsg) {
	p, _ := s.board.now()
	if p == nil {
		return
	}
	if s.view == dashHosts {
		s.list.key(msg, len(p.Hosts))
		return
	}
	s.rest.key(msg, len(s.viewLines(p, leastWidth, 1000)))
}

// chosen is the host at the cursor.
func (s *dashboard) chosen() []string {
	p, _ := s.board.now()
	if p == nil || s.list.at >= len(p.Hosts) {
		return nil
	}
	return []string{p.Hosts[s.list.at].Name}
}

func (s *dashboard) body(columns, height int) []string {
	p, err := s.board.now()
	if err != nil {
		return wrapAll(cleanLines(s.options.Explain(err, false)), columns, s.theme.mark(markBad)+" ", "  ")
	}
	if p == nil {
		return []string{s.theme.mark(markRuns) + " " + s.say(text.DashLooking, clean(s.file))}
	}
	lines := s.head(p, columns)
	lines = append(lines, "", s.tabs(p), "")
	room := height - len(lines)
	if s.view == dashHosts {
		return append(lines, s.hostLines(p, columns, room)...)
	}
	all := s.viewLines(p, columns, room)
	from, to := s.rest.window(len(all), room)
	return append(lines, all[from:to]...)
}

// head is how the cluster is, in a few lines.
func (s *dashboard) head(p *workflow.Picture, columns int) []string {
	if p.ID == "" {
		lines := []string{s.theme.mark(markWaits) + " " + s.say(text.DashNoCluster) + " " + s.theme.key.Render(s.say(text.DashInstall))}
		return append(lines, wrapAll([]string{clean(p.Cause)}, columns, "  ", "  ")...)
	}
	endpoint := s.say(text.DashEndpoint, clean(p.Endpoint))
	if p.VirtualAddress != "" {
		held := s.say(text.DashHeldNone)
		if len(p.Holders) > 0 {
			held = s.say(text.DashHeld, clean(strings.Join(p.Holders, ", ")))
		}
		endpoint += ", " + held
	}
	api := s.theme.mark(markWell) + " " + s.say(text.DashAPI, clean(p.Version))
	if !p.Reachable && !p.Live.Connected {
		cause := p.Cause
		if cause == "" {
			cause = p.Live.Cause
		}
		api = s.theme.mark(markBad) + " " + s.say(text.DashAPIDown, clean(cause))
	}
	pods := markWell
	if p.Live.UnwellPods > 0 {
		pods = markWarning
	}
	lines := []string{api, "  " + endpoint, s.theme.mark(pods) + " " + s.say(text.DashPodCount, p.Live.Pods, p.Live.UnwellPods)}
	for _, one := range p.Live.Lacking {
		lines = append(lines, s.theme.mark(markWarning)+" "+s.say(text.DashLacking, one.What, clean(one.Why)))
	}
	for i, line := range lines {
		lines[i] = s.theme.clip(line, columns)
	}
	return lines
}

func (s *dashboard) tabs(p *workflow.Picture) string {
	counts := map[int]int{dashPods: p.Live.UnwellPods, dashEvents: len(p.Live.Warnings)}
	var names []string
	for i, name := range dashViews {
		label := fmt.Sprintf("%d %s", i+1, s.say(name))
		if n := counts[i]; n > 0 {
			label = fmt.Sprintf("%d %s (%d)", i+1, s.say(name), n)
		}
		names = append(names, s.theme.tab(label, i == s.view))
	}
	return strings.Join(names, "")
}

// hostLines are the hosts, a line each, and below them what is not well with the chosen one.
func (s *dashboard) hostLines(p *workflow.Picture, columns, height int) []string {
	rows := [][]string{{"", s.say(text.Host), s.say(text.Roles), s.say(text.DashNode), s.say(text.DashVersion), s.say(text.DashPodsOf), s.say(text.DashEtcd), s.say(text.DashUnits)}}
	for i := range p.Hosts {
		rows = append(rows, s.hostRow(p, i))
	}
	widths := widthsOf(rows, columns-2, 6)
	lines := []string{s.theme.faint.Render("  " + s.theme.columns(rows[0], widths))}
	below := s.reasons(p, columns)
	from, to := s.list.window(len(p.Hosts), max(3, height-1-len(below)))
	for i := from; i < to; i++ {
		cursor := "  "
		if i == s.list.at {
			cursor = s.theme.cursor + " "
		}
		lines = append(lines, cursor+s.theme.columns(rows[i+1], widths))
	}
	return append(lines, below[:max(0, min(len(below), height-len(lines)))]...)
}

func (s *dashboard) hostRow(p *workflow.Picture, i int) []string {
	h := p.Hosts[i]
	sign, node, version, pods := s.nodeOf(p, h)
	name := clean(h.Name)
	if slices.Contains(p.Holders, h.Name) {
		name += " " + s.say(text.DashVIP)
	}
	return []string{s.theme.mark(sign), name, shortRoles(h.Roles), node, version, pods, s.memberOf(p, h.Name), s.unitsOf(h)}
}

// nodeOf is how a host and its node are, in words.
func (s *dashboard) nodeOf(p *workflow.Picture, h workflow.HostStatus) (sign mark, node, version, pods string) {
	sign, version = markWell, clean(h.Kubelet)
	switch {
	case h.Waiting():
		sign = markRuns
	case h.Connection != workflow.ConnectionOK:
		sign = markBad
	case len(h.DownUnits()) > 0:
		sign = markWarning
	}
	for _, n := range p.Live.Nodes {
		if n.Name != h.Name {
			continue
		}
		node, version, pods = s.say(text.DashReady), clean(n.Version), fmt.Sprint(n.Pods)
		if !n.Ready {
			node, sign = s.say(text.DashNotReady), markBad
		}
		if n.Cordoned {
			node += ", " + s.say(text.DashCordoned)
			sign = max(sign, markWarning)
		}
		if len(n.Pressures) > 0 {
			node += ", " + strings.Join(n.Pressures, ", ")
			sign = markWarning
		}
		return sign, node, version, pods
	}
	switch {
	case slices.Contains(h.Roles, cluster.RoleLoadBalancer):
		return sign, "", "", ""
	case p.ID == "":
		return sign, s.say(text.DashNoNode), "", ""
	}
	return sign, s.say(text.DashUnknown), version, ""
}

func (s *dashboard) memberOf(p *workflow.Picture, host string) string {
	for _, m := range p.Members {
		if m.Name != host {
			continue
		}
		said := s.say(text.DashMember)
		switch {
		case m.Learner:
			said = s.say(text.DashLearner)
		case m.Leader:
			said = s.say(text.DashLeader)
		}
		if !m.Healthy {
			said = s.theme.mark(markBad) + said
		}
		return said
	}
	return ""
}

// unitsOf names the units that do not run; where all do, it counts them.
func (s *dashboard) unitsOf(h workflow.HostStatus) string {
	var down []string
	for _, unit := range h.DownUnits() {
		down = append(down, s.theme.marks[markBad]+strings.TrimSuffix(unit.Name, ".service")+" "+clean(unit.Active))
	}
	if len(h.Units) == 0 {
		return ""
	}
	if len(down) == 0 {
		return s.theme.marks[markWell] + fmt.Sprint(len(h.Units))
	}
	return strings.Join(down, ", ")
}

// reasons are why something is not well with the chosen host.
func (s *dashboard) reasons(p *workflow.Picture, columns int) []string {
	on := s.chosen()
	if len(on) == 0 {
		return nil
	}
	lines := []string{""}
	for _, r := range p.Reasons() {
		if r.Host == on[0] || r.Host == "" {
			lines = append(lines, wrapAll([]string{clean(r.What + ": " + r.Text)}, columns, s.theme.mark(markBad)+" ", "  ")...)
		}
	}
	for _, d := range p.Details {
		if d.Name == on[0] && d.Lease != nil {
			lines = append(lines, s.theme.mark(markWarning)+" "+s.say(text.DashAtWork, clean(d.Lease.Holder)))
		}
	}
	return lines
}

// viewLines are the lines of the views other than the hosts'.
func (s *dashboard) viewLines(p *workflow.Picture, columns, room int) []string {
	switch s.view {
	case dashPods:
		return s.podLines(p.Live.Unwell, columns)
	case dashEvents:
		return s.eventLines(p.Live.Warnings, columns)
	case dashComponents:
		return s.componentLines(p, columns)
	case dashCerts:
		return s.certLines(p, columns)
	case dashRuns:
		return s.runLines(p.Runs, columns)
	}
	return nil
}

func (s *dashboard) componentLines(p *workflow.Picture, columns int) []string {
	var lines []string
	for _, h := range p.Health {
		sign := markWell
		if !h.Healthy {
			sign = markBad
		}
		lines = append(lines, s.theme.mark(sign)+" "+s.theme.fit(clean(h.Host), 16)+" "+s.theme.fit(clean(h.Component), 26)+" "+clean(h.Detail))
	}
	for _, m := range p.Members {
		sign := markWell
		if !m.Healthy {
			sign = markBad
		}
		lines = append(lines, s.theme.mark(sign)+" "+s.theme.fit(clean(m.Name), 16)+" "+s.theme.fit("etcd "+s.memberOf(p, m.Name), 26)+" "+clean(m.Version)+" "+hosts.Size(m.Size)+" "+clean(m.Detail))
	}
	return lines
}

// certLines are the certificates, who ends first comes first.
func (s *dashboard) certLines(p *workflow.Picture, columns int) []string {
	type life struct {
		host string
		workflow.CertificateLife
	}
	var all []life
	for _, d := range p.Details {
		for _, c := range d.Certificates {
			all = append(all, life{d.Name, c})
		}
	}
	if len(all) == 0 {
		return []string{s.say(text.DashNoCerts)}
	}
	slices.SortStableFunc(all, func(a, b life) int { return a.Ends.Compare(b.Ends) })
	var lines []string
	for _, one := range all {
		sign, said := markWell, s.say(text.DashExpires, clean(one.host), clean(one.Path), one.Days)
		switch {
		case one.Days < 0:
			sign, said = markBad, s.say(text.DashExpired, clean(one.host), clean(one.Path), -one.Days)
		case one.Days < soonEnds:
			sign = markWarning
		}
		lines = append(lines, s.theme.clip(s.theme.mark(sign)+" "+said, columns))
	}
	return lines
}

// soonEnds is how many days before a certificate's end it needs attention: kubeadm's users renew within the last month.
const soonEnds = 30
