package tui

import (
	"strings"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"

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

// body breaks the command between its words, quoted ones whole, as a shell reads it. A word that is wider than the screen
// is broken by the screen alone.
func (s *commandScreen) body(columns, _ int) []string {
	var lines []string
	line := ""
	for _, word := range typedWords(keepSpaces(s.typed)) {
		if line != "" && width(line)+1+width(word)+2 > columns {
			lines = append(lines, line+` \`)
			line = "  " + word
			continue
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return strings.Split(ansi.Hardwrap(strings.Join(append(lines, line), "\n"), columns, true), "\n")
}
