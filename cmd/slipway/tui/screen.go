package tui

import (
	"context"
	"strings"
	"sync"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
)

// screen is one of the pages that lie on each other; the uppermost is shown.
type screen interface {
	// begin gives what happens first, and each time that the screen is uncovered again.
	begin() tea.Cmd
	// update takes a message that is for this screen.
	update(msg tea.Msg) tea.Cmd
	// title is short: the screens' titles stand beside each other.
	title() string
	// body is at most so many lines, each at most so wide.
	body(width, height int) []string
	// keys are those that do something here now.
	keys() []key
	// command is what one types to do the same; empty where there is no such command.
	command() string
}

// leaver is a screen that has a say when it is to be left, by Esc or by Ctrl-C. It tells whether it may be.
type leaver interface {
	leave(quit bool) (bool, tea.Cmd)
}

// quitAnswerer is a screen to whose question Ctrl-C is an answer; nil: it is none.
type quitAnswerer interface{ quitAnswer() tea.Cmd }

// breakable is a screen with something under way that may have been interrupted twice: nobody waits for its end.
type breakable interface{ brokenOff() bool }

// typing is a screen that may be taking text just now: then letters are text, and no keys.
type typing interface{ types() bool }

// key is a key that does something, and what.
type key struct {
	name string
	does *text.Text
}

// shared is what all screens know.
type shared struct {
	options Options
	theme   theme
	lang    text.Language
	ctx     context.Context //nolint:containedctx // the program's life: commands of bubbletea have no other
	send    func(tea.Msg)
	home    func(file string) screen // a cluster's own screen
	work    *sync.WaitGroup          // what goes on beside the program, and has to end before the process does
}

func (s *shared) say(t *text.Text, args ...any) string { return s.lang.Say(t, args...) }

// Messages by which screens move: one is laid upon the others, or the uppermost taken away.
type (
	pushMsg    struct{ screen screen }
	popMsg     struct{}
	replaceMsg struct{ screen screen }
	resetMsg   struct{ screen screen } // in place of all of them
	quitMsg    struct{}
)

func push(s screen) tea.Cmd    { return func() tea.Msg { return pushMsg{s} } }
func replace(s screen) tea.Cmd { return func() tea.Msg { return replaceMsg{s} } }
func pop() tea.Msg             { return popMsg{} }
func quit() tea.Msg            { return quitMsg{} }

// shellWords is a command as it is typed.
func shellWords(words ...string) string { return strings.Join(words, " ") }

// The least terminal.
const (
	leastWidth  = 80
	leastHeight = 24
)
