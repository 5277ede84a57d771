package tui

import (
	"io"
	"os"
	"strings"

	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/quiet"
	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
)

// Terminal is what is known of the terminal that the TUI is shown on.
type Terminal struct {
	Profile termenv.Profile // how many colours it has
	Dark    bool            // its background is dark
	ASCII   bool            // it has no characters but ASCII's
}

// TerminalOf finds out what a terminal can do, by the environment and by asking it for its background.
func TerminalOf(out io.Writer, getenv func(string) string) Terminal {
	output := termenv.NewOutput(out, termenv.WithEnvironment(environ(getenv)))
	t := Terminal{Profile: output.EnvColorProfile(), Dark: true, ASCII: !speaksUTF8(getenv) || IsConsole(getenv)}
	if t.Profile != termenv.Ascii {
		t.Dark = output.HasDarkBackground()
	}
	return t
}

// IsConsole tells the Linux console, whose font has few characters.
func IsConsole(getenv func(string) string) bool { return getenv("TERM") == "linux" }

// speaksUTF8 tells whether the locale's characters are those of Unicode.
func speaksUTF8(getenv func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if locale := strings.ToLower(getenv(name)); locale != "" {
			return strings.Contains(locale, "utf-8") || strings.Contains(locale, "utf8")
		}
	}
	return false
}

// environ is an environment that termenv asks for its variables.
type environ func(string) string

func (e environ) Environ() []string         { return os.Environ() }
func (e environ) Getenv(name string) string { return e(name) }

// mark is a sign that stands before a thing and tells how it is. It tells it without colour, too.
type mark int

const (
	markNone mark = iota
	markWell
	markBad
	markWarning
	markRuns
	markWaits // not yet
	markSkipped
)

// theme is how things look.
type theme struct {
	terminal Terminal
	marks    [7]string
	cursor   string // before the line that is chosen
	opened   string
	closed   string
	rule     string // a piece of a horizontal line
	ellipsis string
	arrow    string // before what is to be done
	checked  [2]string
	bar      [2]string // a progress bar's pieces: to be done, done

	title, strong, faint, good, bad, warning, selected, key, rail lipgloss.Style
}

func newTheme(t Terminal) theme {
	r := lipgloss.NewRenderer(io.Discard)
	r.SetColorProfile(t.Profile)
	r.SetHasDarkBackground(t.Dark)
	colour := func(light, dark string) lipgloss.AdaptiveColor {
		return lipgloss.AdaptiveColor{Light: light, Dark: dark}
	}
	style := r.NewStyle
	look := theme{
		terminal: t,
		marks:    [7]string{" ", "✓", "✗", "!", "●", "·", "-"},
		cursor:   "❯", opened: "▾", closed: "▸", rule: "─", ellipsis: "…", arrow: "→",
		checked: [2]string{"[ ]", "[x]"}, bar: [2]string{"░", "█"},
		title:    style().Bold(true).Foreground(colour("25", "117")),
		strong:   style().Bold(true),
		faint:    style().Foreground(colour("243", "245")),
		good:     style().Foreground(colour("28", "114")),
		bad:      style().Bold(true).Foreground(colour("160", "203")),
		warning:  style().Foreground(colour("130", "221")),
		selected: style().Reverse(true),
		key:      style().Bold(true).Foreground(colour("25", "117")),
		rail:     style().Foreground(colour("25", "117")),
	}
	if t.ASCII {
		look.marks = [7]string{" ", "+", "x", "!", "*", ".", "-"}
		look.cursor, look.opened, look.closed, look.rule, look.ellipsis, look.arrow = ">", "-", "+", "-", "~", "->"
		look.bar = [2]string{".", "#"}
	}
	return look
}

// mark is a mark with its colour.
func (t theme) mark(m mark) string {
	sign := t.marks[m]
	switch m {
	case markWell:
		return t.good.Render(sign)
	case markBad:
		return t.bad.Render(sign)
	case markWarning:
		return t.warning.Render(sign)
	case markRuns:
		return t.rail.Render(sign)
	case markNone, markWaits, markSkipped:
	}
	return t.faint.Render(sign)
}

// tab is the name of a view: the one that is shown stands in brackets.
func (t theme) tab(name string, shown bool) string {
	if shown {
		return t.selected.Render("[" + name + "]")
	}
	return t.faint.Render(" " + name + " ")
}

// marksHelp explains the marks.
func (t theme) marksHelp(l text.Language) string {
	return l.Say(text.HelpMarks, t.marks[markWell], t.marks[markBad], t.marks[markWarning], t.marks[markRuns], t.marks[markWaits])
}

func init() { quiet.Over() }
