package tui

import (
	"context"
	"slices"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/phases/checks"
)

// liveCheck asks the hosts, while one types, what they see against it.
type liveCheck struct {
	*installer
	names    []string // of the checks
	asked    int      // grows with each question: an old answer does not count
	runs     bool
	offline  bool
	findings []checks.Finding
	hosts    int // that were asked
}

type checkedMsg struct {
	of       *liveCheck
	asked    int
	findings []checks.Finding
	hosts    int
}

// checkWithin bounds a look of all hosts.
const checkWithin = 20 * time.Second

// ask asks the hosts anew, as the draft is now.
func (c *liveCheck) ask() tea.Cmd {
	c.asked++
	c.runs, c.findings = true, nil
	c.offline = !slices.ContainsFunc(c.draft.Hosts, func(h cluster.Host) bool { return c.of(h.Name).state == lookWell })
	asked, draft, probe, whole := c.asked, c.draft, c.probe, c.ctx
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(whole, checkWithin)
		defer cancel()
		findings, hosts := probe.Check(ctx, draft, c.names...)
		return checkedMsg{c, asked, findings, len(hosts)}
	}
}

func (c *liveCheck) took(msg checkedMsg) {
	if msg.of == c && msg.asked == c.asked {
		c.runs, c.findings, c.hosts = false, msg.findings, msg.hosts
	}
}

// lines say what was found, with the problems of the file that have to do with it.
func (c *liveCheck) lines(what string, problems []cluster.Problem, columns int) []string {
	var lines []string
	for _, p := range problems {
		lines = append(lines, wrapAll([]string{clean(p.Path + ": " + p.Message)}, columns, c.theme.mark(markBad)+" ", "  ")...)
		if p.Fix != "" {
			lines = append(lines, wrapAll([]string{clean(p.Fix)}, columns, "  "+c.theme.arrow+" ", "    ")...)
		}
	}
	if len(problems) > 0 {
		return lines
	}
	switch {
	case c.runs:
		return append(lines, c.theme.mark(markRuns)+" "+c.say(text.CheckRuns))
	case c.offline || c.hosts == 0 && len(c.findings) == 0:
		return append(lines, wrapAll([]string{c.say(text.CheckOffline)}, columns, c.theme.mark(markWaits)+" ", "  ")...)
	case len(c.findings) == 0 && c.hosts < len(c.draft.Hosts):
		return append(lines, wrapAll([]string{c.say(text.CheckSome, what, c.hosts, len(c.draft.Hosts))}, columns, c.theme.mark(markWarning)+" ", "  ")...)
	case len(c.findings) == 0:
		return append(lines, wrapAll([]string{c.say(text.CheckWell, what)}, columns, c.theme.mark(markWell)+" ", "  ")...)
	}
	for _, f := range c.findings {
		lines = append(lines, c.findingLines(f, columns)...)
	}
	return lines
}

// problemsOf are the file's problems that have to do with some of it.
func (in *installer) problemsOf(paths ...string) []cluster.Problem {
	var some []cluster.Problem
	for _, p := range in.problems {
		if slices.ContainsFunc(paths, func(path string) bool { return strings.HasPrefix(p.Path, path) }) {
			some = append(some, p)
		}
	}
	return some
}
