package tui

import (
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/workflow"
)

// componentRow is a component of a host, or one of several hosts of which the same is said.
type componentRow struct {
	hosts       []string
	name, state string
	said        string // of one host, on lines of its own
	detail      string // the same with a slot in place of the host
	healthy     bool
}

// componentLines are the components and etcd's members.
func (s *shared) componentLines(p *workflow.Picture, columns int) []string {
	names := hostNames(p)
	var rows []componentRow
	add := func(host string, row componentRow) {
		row.said = together(clean(row.said), names)
		row.detail, _ = slotted(row.said, names)
		same := func(other componentRow) bool {
			return row.detail != "" && other.name == row.name && other.state == row.state && other.detail == row.detail && other.healthy == row.healthy
		}
		if i := slices.IndexFunc(rows, same); i >= 0 {
			rows[i].hosts = append(rows[i].hosts, host)
			return
		}
		row.hosts = []string{host}
		rows = append(rows, row)
	}
	for _, h := range p.Health {
		add(clean(h.Host), componentRow{name: clean(h.Component), said: h.Detail, healthy: h.Healthy})
	}
	for _, m := range p.Members {
		row := componentRow{name: "etcd " + s.memberOf(p, m.Name), said: m.Detail, healthy: m.Healthy}
		if m.Version != "" || m.Size > 0 {
			row.state = strings.TrimSpace(clean(m.Version) + " " + hosts.Size(m.Size))
		}
		add(clean(m.Name), row)
	}
	var lines []string
	whole := func(said string) {
		lines = append(lines, wrapAll([]string{said}, columns, s.theme.mark(markBad)+" ", "    ")...)
	}
	switch standingOf(p) {
	case standsDown, standsInterrupted:
		whole(s.say(text.DashAPIDown, together(downCause(p), names)))
	case standsUnknown:
		whole(s.say(text.DashNotKnown, together(clean(p.Cause), names)))
	case standsLooking, standsNone, standsConnecting, standsUp:
	}
	for _, one := range p.Live.Lacking {
		whole(s.say(text.DashLacking, one.What, clean(one.Why)))
	}
	if len(p.Members) == 0 && p.MembersCause != "" {
		whole("etcd: " + together(clean(p.MembersCause), names))
	}
	for _, row := range rows {
		lines = append(lines, s.componentRow(row, columns)...)
	}
	if len(lines) == 0 {
		return []string{s.theme.mark(markWaits) + " " + s.say(text.DashNoComponents)}
	}
	return lines
}

func (s *shared) componentRow(row componentRow, columns int) []string {
	sign, on := markWell, strings.Join(row.hosts, ", ")
	if !row.healthy {
		sign = markBad
	}
	line := on + strings.Repeat(" ", max(0, 16-width(on))) + " " + row.name
	if row.state != "" {
		line += strings.Repeat(" ", max(0, 43-width(line))) + " " + row.state
	}
	lines := wrapAll([]string{line}, columns, s.theme.mark(sign)+" ", "    ")
	if len(row.hosts) > 1 {
		row.said = strings.ReplaceAll(row.detail, hostsSlot, on)
	}
	if row.said != "" {
		lines = append(lines, wrapAll([]string{row.said}, columns, "    ", "    ")...)
	}
	return lines
}

// downCause is why the API does not answer.
func downCause(p *workflow.Picture) string {
	if p.Cause != "" {
		return clean(p.Cause)
	}
	return clean(p.Live.Cause)
}

// memberOf is how the member of etcd on a host is.
func (s *shared) memberOf(p *workflow.Picture, host string) string {
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
