package tui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/workflow"
)

// hostPage is all there is to know of one host; of its units the journals are read from here.
type hostPage struct {
	*shared
	board *board
	file  string
	name  string
	list  list
	page  scroll // what is shown of the whole

	columns int // of the terminal, at the last frame
}

func newHostPage(s *shared, b *board, file, name string) *hostPage {
	return &hostPage{shared: s, board: b, file: file, name: name}
}

func (s *hostPage) begin() tea.Cmd { return nil }
func (s *hostPage) title() string  { return s.name }

func (s *hostPage) command() string {
	if unit := s.unit(); unit != "" {
		return shellWords("slipway", "journal", "-f", s.file, s.name, unit, "--follow")
	}
	return ""
}

func (s *hostPage) keys() []key {
	if s.unit() == "" {
		return []key{{"↑↓", text.KeyMove}, {"a", text.KeyAction}, {"Esc", text.KeyBack}}
	}
	return []key{{"↑↓", text.KeyMove}, {"Enter", text.KeyJournal}, {"a", text.KeyAction}, {"Esc", text.KeyBack}}
}

// status is the host's; false where the picture has none.
func (s *hostPage) status() (workflow.HostStatus, workflow.HostDetails, *workflow.Picture) {
	p, _ := s.board.now()
	if p == nil {
		return workflow.HostStatus{}, workflow.HostDetails{}, nil
	}
	var details workflow.HostDetails
	for _, d := range p.Details {
		if d.Name == s.name {
			details = d
		}
	}
	for _, h := range p.Hosts {
		if h.Name == s.name {
			return h, details, p
		}
	}
	return workflow.HostStatus{}, details, p
}

// unit is the one at the cursor.
func (s *hostPage) unit() string {
	h, _, _ := s.status()
	if s.list.at >= len(h.Units) {
		return ""
	}
	return h.Units[s.list.at].Name
}

func (s *hostPage) update(msg tea.Msg) tea.Cmd {
	pressed, is := msg.(tea.KeyMsg)
	if !is {
		return nil
	}
	switch pressed.String() {
	case "a":
		return s.push(newActionsScreen(s.shared, s.file, []string{s.name}))
	case "enter":
		if unit := s.unit(); unit != "" {
			return s.push(newJournalScreen(s.shared, s.file, s.name, unit))
		}
		return nil
	}
	s.move(pressed)
	return nil
}

// move goes among the units, and below the last of them through the rest of the page.
func (s *hostPage) move(msg tea.KeyMsg) {
	h, _, _ := s.status()
	all := len(s.all(max(leastWidth, s.columns)))
	switch name := msg.String(); {
	case (name == "down" || name == "j") && s.list.at < len(h.Units)-1, (name == "up" || name == "k") && s.page.top == 0:
		s.list.key(msg, len(h.Units))
	default:
		s.page.key(msg, all)
	}
}

func (s *hostPage) body(columns, height int) []string {
	s.columns = columns
	return s.scrolled(s.all(columns), &s.page, height)
}

// all is the whole page.
func (s *hostPage) all(columns int) []string {
	h, d, p := s.status()
	if p == nil {
		return nil
	}
	var lines []string
	section := func(name *text.Text, below []string) {
		lines = append(append(lines, s.theme.strong.Render(s.say(name))), below...)
		lines = append(lines, "")
	}
	switch {
	case h.Waiting():
		lines = append(lines, s.theme.mark(markRuns)+" "+s.say(text.PageWaits), "")
	case h.Connection != workflow.ConnectionOK:
		lines = append(lines, wrapAll([]string{s.say(text.PageDown, clean(h.Connection))}, columns, s.theme.mark(markBad)+" ", "  ")...)
		if !d.Again.IsZero() {
			lines = append(lines, wrapAll([]string{s.say(text.PageAgain, d.Again.Local().Format(time.TimeOnly))}, columns, "  ", "  ")...)
		}
	}
	if len(h.Units) > 0 {
		section(text.PageUnits, s.units(h, d))
	}
	if reasons := s.reasonLines(p, s.name, columns); len(reasons) > 0 {
		section(text.PageReasons, reasons)
	}
	section(text.PageFacts, s.facts(p, h, d, columns))
	var pods []hosts.UnwellPod
	for _, pod := range p.Live.Unwell {
		if pod.Node == s.name {
			pods = append(pods, pod)
		}
	}
	section(text.PagePods, s.unlessUnseen(p, s.podLines(pods, columns)))
	if on := s.onNode(p, columns); len(on) > 0 {
		section(text.DashPodsOf, on)
	}
	section(text.PageRecord, wrapAll(s.record(h, d), columns, "", "  "))
	return lines[:len(lines)-1]
}

// onNode are the Pods of the host's node, in short.
func (s *hostPage) onNode(p *workflow.Picture, columns int) []string {
	at := slices.IndexFunc(p.Live.Nodes, func(n hosts.LiveNode) bool { return n.Name == s.name })
	if at < 0 {
		return nil
	}
	node := p.Live.Nodes[at]
	var lines []string
	for _, pod := range node.OnIt {
		said := fmt.Sprintf("%s/%s %s", pod.Namespace, pod.Name, pod.Phase)
		if pod.Restarts > 0 {
			said += fmt.Sprintf(" (%d×)", pod.Restarts)
		}
		lines = append(lines, wrapAll([]string{clean(said)}, columns, "  ", "    ")...)
	}
	if rest := node.Pods - len(node.OnIt); rest > 0 && len(lines) > 0 {
		lines = append(lines, " "+more(rest))
	}
	return lines
}

func (s *hostPage) units(h workflow.HostStatus, d workflow.HostDetails) []string {
	var lines []string
	for i, unit := range h.Units {
		sign := markWell
		if unit.Active != "active" {
			sign = markBad
		}
		cursor := "  "
		if i == s.list.at {
			cursor = s.theme.cursor + " "
		}
		restarts := ""
		for _, r := range d.Restarts {
			if r.Unit == unit.Name {
				restarts = fmt.Sprintf(" (%d×)", r.Times)
			}
		}
		lines = append(lines, cursor+s.theme.mark(sign)+" "+s.theme.fit(clean(unit.Name), 24)+" "+clean(unit.Active)+restarts)
	}
	return lines
}

func (s *hostPage) facts(p *workflow.Picture, h workflow.HostStatus, d workflow.HostDetails, columns int) []string {
	var lines []string
	say := func(label *text.Text, said string) {
		if said != "" {
			lines = append(lines, wrapAll([]string{said}, columns, s.theme.fit(s.say(label), 18), strings.Repeat(" ", 18))...)
		}
	}
	say(text.Address, clean(h.Address))
	say(text.Roles, shortRoles(h.Roles))
	_, node, version, pods := s.nodeOf(p, h)
	say(text.DashNode, node)
	say(text.DashVersion, version)
	say(text.DashPodsOf, pods)
	say(text.DashEtcd, s.memberOf(p, h.Name))
	say(text.FactSystem, clean(h.OS))
	say(text.FactKernel, clean(d.Kernel))
	cpus := ""
	if d.CPUs > 0 {
		cpus = fmt.Sprint(d.CPUs)
	}
	if len(d.Load) == 3 {
		cpus = s.say(text.PageLoad, d.CPUs, d.Load[0], d.Load[1], d.Load[2])
	}
	say(text.FactCPUs, cpus)
	memory := ""
	if d.Memory > 0 {
		memory = hosts.Size(d.Memory)
	}
	if d.Free > 0 {
		memory = s.say(text.FactDisk, "RAM", hosts.Size(d.Free), hosts.Size(d.Memory))
	}
	say(text.FactMemory, memory)
	for _, line := range s.diskLines(d.Disks) {
		say(text.FactDisks, line)
	}
	if d.Lease != nil {
		lines = append(lines, s.theme.mark(markWarning)+" "+s.say(text.DashAtWork, clean(d.Lease.Holder)))
	}
	return lines
}

func (s *hostPage) record(h workflow.HostStatus, d workflow.HostDetails) []string {
	r := d.Record
	switch {
	case r == nil && h.Connection != workflow.ConnectionOK:
		return []string{s.say(text.DashUnknown)}
	case r == nil:
		return []string{s.say(text.PageNoRecord)}
	}
	line := s.say(text.PageRecordLine, clean(r.Cluster.Name), r.Paths, r.Units, r.Images, r.Settings)
	lines := []string{line}
	for _, u := range r.Upgrades {
		lines = append(lines, s.say(text.PageUpgrade, clean(u.From), u.At.Local().Format("2006-01-02 15:04")))
	}
	return lines
}
