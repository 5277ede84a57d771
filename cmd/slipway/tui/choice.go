package tui

import (
	tea "github.com/charmbracelet/bubbletea"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
)

// option is one thing that can be chosen, and what it leads to.
type option struct {
	label phrase
	does  func() tea.Cmd
}

// choiceScreen has the user choose one of a few things.
type choiceScreen struct {
	*shared
	name    phrase
	about   phrase
	options []option
	list    list
	onQuit  func() tea.Cmd // what Ctrl-C answers; nil: as it does below
}

func newChoiceScreen(s *shared, name, about phrase, options ...option) *choiceScreen {
	return &choiceScreen{shared: s, name: name, about: about, options: options}
}

func (s *choiceScreen) begin() tea.Cmd { return nil }
func (s *choiceScreen) title() string  { return s.tell(s.name) }
func (*choiceScreen) command() string  { return "" }

func (s *choiceScreen) keys() []key {
	return []key{{"↑↓", text.KeyMove}, {"Enter", text.KeyChoose}, {"Esc", text.KeyBack}}
}

func (s *choiceScreen) update(msg tea.Msg) tea.Cmd {
	pressed, is := msg.(tea.KeyMsg)
	if !is {
		return nil
	}
	if pressed.String() == "enter" {
		return s.options[s.list.at].does()
	}
	s.list.key(pressed, len(s.options))
	return nil
}

func (s *choiceScreen) body(columns, height int) []string {
	lines := wrap(s.tell(s.about), columns)
	lines = append(lines, "")
	for i, one := range s.options {
		if i == s.list.at {
			lines = append(lines, s.theme.cursor+" "+s.theme.selected.Render(s.tell(one.label)))
		} else {
			lines = append(lines, "  "+s.tell(one.label))
		}
	}
	return lines
}

func (s *choiceScreen) quitAnswer() func() tea.Cmd { return s.onQuit }
