package tui

import (
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/phases/checks"
)

// findingLines are a finding and, below it, what to do.
func (s *shared) findingLines(f checks.Finding, columns int) []string {
	sign := markWarning
	if f.Severity == checks.Error {
		sign = markBad
	}
	where := ""
	if f.Host != "" {
		where = f.Host + ": "
	}
	lines := wrapAll([]string{clean(where + f.Check + ": " + f.Seen)}, columns, s.theme.mark(sign)+" ", "  ")
	if f.Fix != "" {
		lines = append(lines, wrapAll([]string{clean(f.Fix)}, columns, "  "+s.theme.arrow+" ", "    ")...)
	}
	return lines
}

func (s *shared) resultLines(r checks.Result, columns int) []string {
	var lines []string
	for _, f := range r.Findings {
		lines = append(lines, s.findingLines(f, columns)...)
	}
	if r.Outcome == checks.OK {
		lines = append(lines, s.theme.mark(markWell)+" "+s.say(text.CheckWellCell))
	}
	if r.NotAsked != "" {
		lines = append(lines, wrapAll([]string{s.say(text.ChecksUnasked) + ": " + clean(r.NotAsked)}, columns, s.theme.mark(markSkipped)+" ", "  ")...)
	}
	return lines
}

// findingScreen is all that a check has found on a host.
type findingScreen struct {
	*shared
	result checks.Result
	scroll scroll
}

func newFindingScreen(s *shared, r checks.Result) *findingScreen {
	return &findingScreen{shared: s, result: r}
}

func (s *findingScreen) begin() tea.Cmd { return nil }

func (s *findingScreen) title() string {
	return strings.TrimSpace(s.result.Host + " " + s.result.Check)
}

func (*findingScreen) command() string { return "" }

func (*findingScreen) keys() []key { return []key{{"↑↓", text.KeyMove}, {"Esc", text.KeyBack}} }

func (s *findingScreen) update(msg tea.Msg) tea.Cmd {
	if pressed, is := msg.(tea.KeyMsg); is {
		s.scroll.key(pressed, len(s.resultLines(s.result, leastWidth)))
	}
	return nil
}

func (s *findingScreen) body(columns, height int) []string {
	all := s.resultLines(s.result, columns)
	from, to := s.scroll.window(len(all), height)
	return all[from:to]
}
