package tui

import (
	"slices"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
)

// app is the whole: the screens that lie on each other, and what surrounds the uppermost.
type app struct {
	*shared
	screens       []screen
	width, height int
	help          *scroll // shown over the screen; nil: it is not
	leaving       bool    // nothing is shown any more
	interrupted   bool    // what is under way is not waited for
}

func newApp(s *shared, first screen) *app {
	return &app{shared: s, screens: []screen{first}, width: leastWidth, height: leastHeight}
}

func (a *app) top() screen { return a.screens[len(a.screens)-1] }

// Init begins with the first screen.
func (a *app) Init() tea.Cmd { return a.top().begin() }

// Update takes a message: some are for the whole, the others for the uppermost screen. What jobs tell goes to all,
// since one that is covered goes on.
func (a *app) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		a.width, a.height = msg.Width, msg.Height
		return a, nil
	case tea.KeyMsg:
		return a, a.keys(msg)
	}
	var all []tea.Cmd
	for _, s := range slices.Clone(a.screens) {
		all = append(all, s.update(msg))
	}
	return a, tea.Batch(append(all, a.settle())...)
}

// keys takes keys one by one: those that were pressed quickly, or have come over a slow link together, are one message.
func (a *app) keys(msg tea.KeyMsg) tea.Cmd {
	var all []tea.Cmd
	for _, one := range apart(msg) {
		all = append(all, a.key(one), a.settle())
	}
	return tea.Batch(all...)
}

// apart gives them one by one. No key here goes with Alt: what looks so is Esc, and a key right behind it.
func apart(msg tea.KeyMsg) []tea.KeyMsg {
	if msg.Alt {
		msg.Alt = false
		return append([]tea.KeyMsg{{Type: tea.KeyEsc}}, apart(msg)...)
	}
	if msg.Type != tea.KeyRunes || msg.Paste || len(msg.Runes) < 2 {
		return []tea.KeyMsg{msg}
	}
	var all []tea.KeyMsg
	for _, r := range msg.Runes {
		all = append(all, tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune{r}})
	}
	return all
}

// settle carries out what is due to become of the screens.
func (a *app) settle() tea.Cmd {
	var all []tea.Cmd
	for len(a.due) > 0 && !a.leaving {
		next := a.due[0]
		a.due = a.due[1:]
		switch next.kind {
		case movePush:
			a.screens = append(a.screens, next.screen)
		case movePop:
			all = append(all, a.back())
			continue
		case moveReplace:
			a.screens[len(a.screens)-1] = next.screen
		case moveReset:
			for _, old := range a.screens {
				a.gone(old)
			}
			a.screens = []screen{next.screen}
		case moveDrop:
			a.screens = slices.DeleteFunc(a.screens, func(s screen) bool { return s == next.screen && len(a.screens) > 1 })
			continue
		case moveQuit:
			return a.end()
		}
		all = append(all, next.screen.begin())
	}
	return tea.Batch(all...)
}

func (a *app) end() tea.Cmd {
	a.leaving = true
	return tea.Quit
}

// gone ends what a screen has begun that is not shown any more.
func (a *app) gone(old screen) {
	if one, has := old.(closer); has {
		one.close()
	}
}

// back takes the uppermost screen away; without the last one the program ends.
func (a *app) back() tea.Cmd {
	a.gone(a.top())
	if len(a.screens) == 1 {
		return a.end()
	}
	a.screens = slices.Delete(a.screens, len(a.screens)-1, len(a.screens))
	return a.top().begin()
}

func (a *app) key(msg tea.KeyMsg) tea.Cmd {
	if msg.Type == tea.KeyCtrlC {
		a.help = nil
		return a.leave(true)
	}
	if a.width < leastWidth || a.height < leastHeight {
		return nil // nobody sees what a key would be about
	}
	if msg.Type == tea.KeyF2 {
		a.lang = a.lang.Next()
		return nil
	}
	if a.help != nil {
		if !a.help.key(msg, len(a.helpLines())) {
			a.help = nil
		}
		return nil
	}
	taker, takes := a.top().(typing)
	takes = takes && taker.types()
	switch {
	case msg.Type == tea.KeyF1, msg.String() == "?" && !takes:
		a.help = &scroll{}
		return nil
	case msg.Type == tea.KeyF3 && a.top().command() != "":
		return a.push(newCommandScreen(a.shared, a.top().command()))
	case msg.Type == tea.KeyEsc && !takes:
		return a.leave(false)
	}
	return a.top().update(msg)
}

// leave asks the screens whether they may be left: the uppermost by Esc, all of them by Ctrl-C.
func (a *app) leave(quit bool) tea.Cmd {
	if asks, is := a.top().(quitAnswerer); is && quit {
		if answer := asks.quitAnswer(); answer != nil {
			return answer()
		}
	}
	asked := a.screens[len(a.screens)-1:]
	if quit {
		asked = a.screens
	}
	for _, s := range slices.Backward(asked) {
		if one, has := s.(leaver); has {
			if may, cmd := one.leave(quit); !may {
				return cmd
			}
			if one, is := s.(breakable); is && one.brokenOff() {
				a.interrupted = true
				return a.end()
			}
		}
	}
	if quit {
		return a.end()
	}
	return a.back()
}

// View draws everything: a line on top, the screen, the command that does the same, and the keys.
func (a *app) View() string {
	if a.leaving {
		return ""
	}
	if a.width < leastWidth || a.height < leastHeight {
		return a.shown(strings.Join(wrap(a.say(text.TooSmall, a.width, a.height), max(1, a.width)), "\n"))
	}
	room := a.height - 4
	lines := []string{a.head(), ""}
	var body []string
	if a.help != nil {
		all := a.helpLines()
		from, to := a.help.window(len(all), room)
		body = all[from:to]
	} else {
		body = a.top().body(a.width, room)
	}
	for i := range room {
		line := ""
		if i < len(body) {
			line = a.theme.clip(body[i], a.width)
		}
		lines = append(lines, line)
	}
	lines = append(lines, a.sameCommand(), a.keyLine())
	return a.shown(strings.Join(lines, "\n"))
}

// shown is a frame as this terminal can show it.
func (a *app) shown(frame string) string {
	if a.theme.terminal.ASCII {
		frame = ascii(frame)
	}
	return guard(frame)
}

// head names the screens that lie on each other.
func (a *app) head() string {
	parts := []string{a.theme.title.Render(a.say(text.Product))}
	for i, s := range a.screens {
		title := clean(s.title())
		if i == len(a.screens)-1 {
			title = a.theme.strong.Render(title)
		}
		parts = append(parts, title)
	}
	separator := " › "
	if a.theme.terminal.ASCII {
		separator = " > "
	}
	return a.theme.clip(strings.Join(parts, a.theme.faint.Render(separator)), a.width)
}

func (a *app) sameCommand() string {
	command := a.top().command()
	if command == "" {
		return ""
	}
	return a.theme.clip(a.theme.faint.Render(a.say(text.SameCommand)+clean(command)), a.width)
}

// keyLine shows as many of the keys as there is room for; all of them are in the help.
func (a *app) keyLine() string {
	all := a.top().keys()
	all = append(slices.Clone(all), key{"F1", text.KeyHelp}, key{"F2", text.KeyLanguage})
	if a.help != nil {
		all = []key{{"↑↓", text.KeyMove}, {"Esc", text.KeyBack}}
	}
	line := ""
	for _, k := range all {
		next := a.theme.key.Render(a.keyName(k.name)) + " " + a.say(k.does)
		if line != "" {
			next = line + "  " + next
		}
		if width(next) > a.width {
			break
		}
		line = next
	}
	return line
}

// keyName is a key as the terminal can show it.
func (a *app) keyName(name string) string {
	if a.theme.terminal.ASCII {
		return strings.ReplaceAll(name, "↑↓", "Up/Down")
	}
	return name
}

// helpKeys is the width of the keys' column.
const helpKeys = 20

func (a *app) helpLines() []string {
	lines := []string{a.theme.title.Render(a.say(text.HelpTitle)), "", a.theme.strong.Render(a.say(text.HelpHere))}
	row := func(name, does string) {
		label := a.theme.fit(a.theme.key.Render(a.keyName(name)), helpKeys)
		lines = append(lines, wrapAll([]string{does}, a.width, "  "+label, strings.Repeat(" ", helpKeys+2))...)
	}
	for _, k := range a.top().keys() {
		row(k.name, a.say(k.does))
	}
	lines = append(lines, "", a.theme.strong.Render(a.say(text.HelpAll)))
	row("↑↓ PgUp PgDn", a.say(text.KeyMove))
	row("Esc", a.say(text.KeyBack))
	row("F1  ?", a.say(text.KeyHelp))
	row("F2", a.say(text.KeyLanguage)+" (English, 中文)")
	row("F3", a.say(text.KeyCommand))
	row("Ctrl-C", a.say(text.HelpCtrlC))
	lines = append(lines, "")
	return append(lines, wrapAll([]string{a.theme.marksHelp(a.lang), a.say(text.HelpEnglish)}, a.width, "", "  ")...)
}
