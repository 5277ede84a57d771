package tui

import (
	tea "github.com/charmbracelet/bubbletea"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
)

// errorScreen says what went wrong, and what to do.
type errorScreen struct {
	*shared
	err    error
	scroll scroll
}

func newErrorScreen(s *shared, err error) *errorScreen { return &errorScreen{shared: s, err: err} }

func (s *errorScreen) begin() tea.Cmd { return nil }
func (s *errorScreen) title() string  { return s.say(text.ErrorTitle) }
func (*errorScreen) command() string  { return "" }
func (*errorScreen) keys() []key      { return []key{{"Esc", text.KeyBack}} }

func (s *errorScreen) update(msg tea.Msg) tea.Cmd {
	pressed, is := msg.(tea.KeyMsg)
	if !is {
		return nil
	}
	if pressed.String() == "enter" {
		return s.pop()
	}
	s.scroll.key(pressed, len(s.lines(leastWidth)))
	return nil
}

func (s *errorScreen) lines(columns int) []string {
	return wrapAll(cleanLines(s.options.Explain(s.err, false)), columns, "", "  ")
}

func (s *errorScreen) body(columns, height int) []string {
	all := s.lines(columns)
	from, to := s.scroll.window(len(all), height)
	return all[from:to]
}
