package tui

import (
	"context"
	"strings"
	"sync"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/workflow"
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
type quitAnswerer interface{ quitAnswer() func() tea.Cmd }

// breakable is a screen with something under way that may have been interrupted twice: nobody waits for its end.
type breakable interface{ brokenOff() bool }

// closer is a screen that has begun something beside the program, which ends with it.
type closer interface{ close() }

// typing is a screen that may be taking text just now: then letters are text, and no keys.
type typing interface{ types() bool }

// key is a key that does something, and what.
type key struct {
	name string
	does *text.Text
}

// shared is what all screens know.
type shared struct {
	options  Options
	theme    theme
	lang     text.Language
	ctx      context.Context //nolint:containedctx // the program's life: commands of bubbletea have no other
	send     func(tea.Msg)
	home     func(file string) screen // a cluster's own screen
	askPause time.Duration            // how long a question is shown before a key answers it; 0: at once
	due      []move                   // what is to become of the screens
	work     *sync.WaitGroup          // what goes on beside the program, and has to end before the process does
}

func (s *shared) say(t *text.Text, args ...any) string { return s.lang.Say(t, args...) }

// phrase is something that is said in the language of the moment.
type phrase func(text.Language) string

// words is a text of the catalogue.
func words(t *text.Text, args ...any) phrase {
	return func(l text.Language) string { return l.Say(t, args...) }
}

// plain is what is the same in all languages.
func plain(said string) phrase { return func(text.Language) string { return said } }

// tell says a phrase; nil says nothing.
func (s *shared) tell(p phrase) string {
	if p == nil {
		return ""
	}
	return p(s.lang)
}

// move is a change of the screens that lie on each other. It is carried out when the message at hand has been
// taken, and before the next: keys come faster than anything that goes its own way.
type move struct {
	kind   moveKind
	screen screen
}

type moveKind int

const (
	movePush    moveKind = iota // the screen is laid upon the others
	movePop                     // the uppermost is taken away
	moveReplace                 // both
	moveReset                   // in place of all
	moveDrop                    // this one is taken away, wherever it lies
	moveQuit                    // the program ends
)

func (s *shared) push(next screen) tea.Cmd    { return s.moves(move{movePush, next}) }
func (s *shared) pop() tea.Cmd                { return s.moves(move{kind: movePop}) }
func (s *shared) replace(next screen) tea.Cmd { return s.moves(move{moveReplace, next}) }
func (s *shared) reset(next screen) tea.Cmd   { return s.moves(move{moveReset, next}) }
func (s *shared) drop(old screen) tea.Cmd     { return s.moves(move{moveDrop, old}) }
func (s *shared) quit() tea.Cmd               { return s.moves(move{kind: moveQuit}) }

func (s *shared) moves(m move) tea.Cmd {
	s.due = append(s.due, m)
	return nil
}

// shellWords is a command of these words as it is typed in a shell.
func shellWords(words ...string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = workflow.Quoted(word)
	}
	return strings.Join(quoted, " ")
}

// typedWords are the words of a command as they are typed, with their quotes: what Quoted has quoted stays together.
func typedWords(command string) []string {
	var all []string
	var word strings.Builder
	inside, escaped := false, false
	for _, r := range command {
		switch {
		case r == ' ' && !inside && !escaped:
			if word.Len() > 0 {
				all = append(all, word.String())
				word.Reset()
			}
			continue
		case escaped:
			escaped = false
		case r == '\'':
			inside = !inside
		case r == '\\' && !inside:
			escaped = true
		}
		word.WriteRune(r)
	}
	if word.Len() > 0 {
		all = append(all, word.String())
	}
	return all
}

// The least terminal.
const (
	leastWidth  = 80
	leastHeight = 24
)
