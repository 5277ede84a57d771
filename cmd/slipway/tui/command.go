package tui

import (
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
)

// commandScreen shows a command whole: on the line of the screen that it belongs to there may be no room for it.
type commandScreen struct {
	*shared
	typed string
}

func newCommandScreen(s *shared, typed string) *commandScreen {
	return &commandScreen{shared: s, typed: typed}
}

func (s *commandScreen) begin() tea.Cmd         { return nil }
func (s *commandScreen) update(tea.Msg) tea.Cmd { return nil }
func (s *commandScreen) title() string          { return s.say(text.CommandTitle) }
func (*commandScreen) command() string          { return "" }
func (*commandScreen) keys() []key              { return []key{{"Esc", text.KeyBack}} }

// body breaks the command between words, as a shell reads it.
func (s *commandScreen) body(columns, _ int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(clean(s.typed)) {
		if line != "" && width(line)+1+width(word)+2 > columns {
			lines = append(lines, line+` \`)
			line = "  " + word
			continue
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}
