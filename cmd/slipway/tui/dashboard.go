package tui

import (
	"fmt"
	"slices"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
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

	columns int // of the terminal, at the last frame
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
	s.close()
	return true, nil
}

// close ends what goes on for it; it may be called again.
func (s *dashboard) close() {
	if s.board != nil {
		s.board.close()
	}
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
	all := []key{{"a", text.KeyAction}}
	if s.view == dashHosts {
		all = append(all, key{"Enter", text.KeyHostPage})
	} else {
		all = append(all, key{"↑↓", text.KeyMove})
	}
	if p, _ := s.board.now(); p != nil && standingOf(p).installable() {
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

// refresh looks at once; where the watch has ended, or the file has changed, it begins anew.
func (s *dashboard) refresh() {
	if !s.board.stale() {
		s.board.refresh()
		return
	}
	s.board.close()
	s.board = &board{}
	s.board.open(s.shared, s.file)
}

// install goes to the installer, where there is no cluster yet, or what an interrupted init has left.
func (s *dashboard) install() tea.Cmd {
	if p, _ := s.board.now(); p == nil || !standingOf(p).installable() {
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
	s.rest.key(msg, len(s.viewLines(p, max(leastWidth, s.columns))))
}

// chosen is the host at the cursor, where the hosts are shown.
func (s *dashboard) chosen() []string {
	p, _ := s.board.now()
	if p == nil || s.view != dashHosts || s.list.at >= len(p.Hosts) {
		return nil
	}
	return []string{p.Hosts[s.list.at].Name}
}

func (s *dashboard) body(columns, height int) []string {
	s.columns = columns
	p, err := s.board.now()
	if err != nil {
		return wrapAll(cleanLines(s.options.Explain(err, false)), columns, s.theme.mark(markBad)+" ", "  ")
	}
	if p == nil {
		return []string{s.theme.mark(markRuns) + " " + s.say(text.DashLooking, clean(s.file))}
	}
	lines := s.head(p, columns)
	lines = append(append(append(lines, ""), s.tabs(p, columns)...), "")
	room := height - len(lines)
	if s.view == dashHosts {
		return append(lines, s.hostLines(p, columns, room)...)
	}
	return append(lines, s.scrolled(s.viewLines(p, columns), &s.rest, room)...)
}

// head is how the cluster is, in a few lines.
func (s *dashboard) head(p *workflow.Picture, columns int) []string {
	line := func(sign mark, said string) []string {
		return wrapAll([]string{said}, columns, s.theme.mark(sign)+" ", "  ")
	}
	cause := together(clean(p.Cause), hostNames(p))
	switch standingOf(p) {
	case standsLooking:
		return line(markRuns, s.say(text.DashWaiting, strings.Join(waitingFor(p), ", ")))
	case standsNone:
		return append(line(markWaits, s.say(text.DashNoCluster)+" "+s.theme.key.Render(s.say(text.DashInstall))), line(markNone, cause)...)
	case standsUnknown:
		return s.fewer(line(markBad, s.say(text.DashNotKnown, cause)))
	case standsConnecting:
		return append(line(markRuns, s.say(text.DashConnecting)), line(markNone, s.endpoint(p))...)
	case standsInterrupted:
		return slices.Concat(line(markWarning, s.say(text.DashInterrupted)+" "+s.theme.key.Render(s.say(text.DashTakeUp))),
			s.fewer(line(markBad, s.say(text.DashAPIDown, together(downCause(p), hostNames(p))))))
	case standsDown:
		return append(s.fewer(line(markBad, s.say(text.DashAPIDown, together(downCause(p), hostNames(p))))), line(markNone, s.endpoint(p))...)
	case standsUp:
	}
	pods := markWell
	if p.Live.UnwellPods > 0 {
		pods = markWarning
	}
	lines := slices.Concat(line(markWell, s.say(text.DashAPI, clean(p.Version))), line(markNone, s.endpoint(p)), line(pods, s.say(text.DashPodCount, p.Live.Pods, p.Live.UnwellPods)))
	for _, one := range p.Live.Lacking {
		lines = append(lines, s.fewer(line(markWarning, s.say(text.DashLacking, one.What, clean(one.Why))))...)
	}
	return lines
}

// fewer are the first lines of a long reason, which stands whole among the components.
func (s *dashboard) fewer(lines []string) []string {
	if len(lines) > mostOfReason {
		lines = append(lines[:mostOfReason-1:mostOfReason-1], "  "+s.say(text.DashMoreThere, s.say(text.DashComponents)))
	}
	return lines
}

// mostOfReason is how many lines a reason may take above the table of hosts.
const mostOfReason = 4

func (s *dashboard) endpoint(p *workflow.Picture) string {
	endpoint := s.say(text.DashEndpoint, clean(p.Endpoint))
	switch {
	case p.VirtualAddress == "":
		return endpoint
	case len(p.Holders) > 0:
		return endpoint + ", " + s.say(text.DashHeld, clean(strings.Join(p.Holders, ", ")))
	}
	return endpoint + ", " + s.say(text.DashHeldNone)
}

// tabs name the views, on as many lines as they need.
func (s *dashboard) tabs(p *workflow.Picture, columns int) []string {
	counts := map[int]int{dashPods: p.Live.UnwellPods, dashEvents: len(p.Live.Warnings)}
	lines := []string{""}
	for i, name := range dashViews {
		label := fmt.Sprintf("%d %s", i+1, s.say(name))
		if n := counts[i]; n > 0 {
			label = fmt.Sprintf("%d %s (%d)", i+1, s.say(name), n)
		}
		tab := s.theme.tab(label, i == s.view)
		if last := len(lines) - 1; width(lines[last])+width(tab) <= columns {
			lines[last] += tab
		} else {
			lines = append(lines, tab)
		}
	}
	return lines
}

// leastReasons is how many lines the reasons have, with the empty one above, however many hosts there are.
const leastReasons = 5

// hostLines are the hosts, a line each, and below them what is not well with the chosen one.
func (s *dashboard) hostLines(p *workflow.Picture, columns, height int) []string {
	rows := [][]string{{"", s.say(text.Host), s.say(text.Roles), s.say(text.DashNode), s.say(text.DashVersion), s.say(text.DashPodsOf), s.say(text.DashEtcd), s.say(text.DashUnits)}}
	for i := range p.Hosts {
		rows = append(rows, s.hostRow(p, i))
	}
	widths := widthsOf(rows, columns-2, 6)
	lines := []string{s.theme.faint.Render("  " + s.theme.columns(rows[0], widths))}
	below := s.reasons(p, columns)
	if most := max(leastReasons, height-1-len(p.Hosts)); len(below) > most {
		below = append(below[:most-1:most-1], "  "+s.say(text.DashMoreThere, s.say(text.KeyHostPage)+" (Enter)"))
	}
	from, to := s.list.window(len(p.Hosts), max(1, height-1-len(below)))
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
	lines := append([]string{""}, s.reasonLines(p, on[0], columns)...)
	for _, d := range p.Details {
		if d.Name == on[0] && d.Lease != nil {
			lines = append(lines, s.theme.mark(markWarning)+" "+s.say(text.DashAtWork, clean(d.Lease.Holder)))
		}
	}
	return lines
}

// viewLines are the lines of the views other than the hosts'.
func (s *dashboard) viewLines(p *workflow.Picture, columns int) []string {
	switch s.view {
	case dashPods:
		return s.unlessUnseen(p, s.podLines(p.Live.Unwell, columns))
	case dashEvents:
		return s.unlessUnseen(p, s.eventLines(p.Live.Warnings, columns))
	case dashComponents:
		return s.componentLines(p, columns)
	case dashCerts:
		return s.certLines(p, columns)
	case dashRuns:
		return s.runLines(p.Runs, columns)
	}
	return nil
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
		lines = append(lines, wrapAll([]string{said}, columns, s.theme.mark(sign)+" ", "    ")...)
	}
	return lines
}

// soonEnds is how many days before a certificate's end it needs attention: kubeadm's users renew within the last month.
const soonEnds = 30
