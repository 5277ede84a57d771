package tui

import (
	"strings"

	"github.com/charmbracelet/bubbles/textinput"
	tea "github.com/charmbracelet/bubbletea"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
)

// field is one thing that a form asks for.
type field struct {
	label   phrase
	help    phrase
	was     string             // what was filled in at first
	value   string             // what is filled in; of a switch "true" or ""
	choices []choice           // where one of several is chosen
	isFlag  bool               // yes or no
	check   func(string) error // says what is wrong with a value; may be nil
	wrong   string             // what is wrong with it
}

// choice is one of several values, and what it means.
type choice struct {
	value, label string
	about        phrase
}

// on tells whether a switch is on.
func (f *field) on() bool { return f.value == "true" }

func (f *field) flip() {
	f.value = map[bool]string{true: "", false: "true"}[f.on()]
}

// judge notes what is wrong with the value.
func (f *field) judge() {
	f.wrong = ""
	if f.check == nil {
		return
	}
	if err := f.check(f.value); err != nil {
		f.wrong = clean(err.Error())
	}
}

// form is fields below each other, of which one is chosen.
type form struct {
	*shared
	fields []*field
	list   list
	input  *textinput.Model // open while a value is typed
	picks  *list            // open while one of several is chosen
}

// types tells whether letters are text now.
func (f *form) types() bool { return f.input != nil || f.picks != nil }

func (f *form) chosen() *field {
	if len(f.fields) == 0 {
		return &field{}
	}
	return f.fields[max(0, min(f.list.at, len(f.fields)-1))]
}

// key takes a key; it tells whether it was one of the form's, and whether a value has changed.
func (f *form) key(msg tea.KeyMsg) (taken, changed bool) {
	switch {
	case f.input != nil:
		return true, f.typed(msg)
	case f.picks != nil:
		return true, f.picked(msg)
	case len(f.fields) == 0:
		return false, false
	case msg.String() == "enter", msg.String() == " ":
		return true, f.open()
	case f.chosen().isText() && (msg.Paste || msg.Type == tea.KeyRunes && f.chosen().value == "" && !movesList(msg)):
		f.open() // one begins to type at once, where nothing is changed by it
		return true, f.typed(msg)
	}
	return f.list.key(msg, len(f.fields)), false
}

func (f *field) isText() bool { return !f.isFlag && len(f.choices) == 0 }

// movesList tells the letters that move in lists.
func movesList(msg tea.KeyMsg) bool { return strings.Contains("jkgG", msg.String()) }

// open begins to change the chosen field; a switch is changed by it.
func (f *form) open() (changed bool) {
	at := f.chosen()
	switch {
	case at.isFlag:
		at.flip()
		at.judge()
		return true
	case len(at.choices) > 0:
		f.picks = &list{}
		for i, c := range at.choices {
			if c.value == at.value {
				f.picks.at = i
			}
		}
	default:
		input := textinput.New()
		input.Prompt = ""
		input.SetValue(at.value)
		input.CursorEnd()
		input.Focus()
		f.input = &input
	}
	return false
}

func (f *form) typed(msg tea.KeyMsg) (changed bool) {
	switch msg.Type {
	case tea.KeyEsc:
		f.input = nil
		return false
	case tea.KeyEnter, tea.KeyTab, tea.KeyUp, tea.KeyDown:
		at := f.chosen()
		at.value = strings.TrimSpace(f.input.Value())
		at.judge()
		f.input = nil
		if at.wrong == "" && msg.Type != tea.KeyUp {
			f.list.at = min(f.list.at+1, len(f.fields)-1)
		} else if msg.Type == tea.KeyUp {
			f.list.at = max(f.list.at-1, 0)
		}
		return true
	}
	if msg.Paste { // one line of it
		msg.Runes = []rune(strings.TrimSpace(strings.SplitN(strings.TrimSpace(string(msg.Runes)), "\n", 2)[0]))
	}
	*f.input, _ = f.input.Update(msg)
	return false
}

func (f *form) picked(msg tea.KeyMsg) (changed bool) {
	at := f.chosen()
	switch msg.String() {
	case "esc":
		f.picks = nil
		return false
	case "enter", " ":
		at.value = at.choices[f.picks.at].value
		at.judge()
		f.picks = nil
		return true
	}
	f.picks.key(msg, len(at.choices))
	return false
}

// wrong is the first field that has something wrong, which is chosen then; nil: none has.
func (f *form) wrong() *field {
	for i, one := range f.fields {
		if one.judge(); one.wrong != "" {
			f.list.at = i
			return one
		}
	}
	return nil
}

// lines are the form in at most so many lines: a line for each field and, below the chosen one, what it is about.
func (f *form) lines(columns, height int) []string {
	label := 0
	for _, one := range f.fields {
		label = max(label, width(f.tell(one.label)))
	}
	label = min(label, columns/2)
	var all []string
	at := 0
	for i, one := range f.fields {
		chosen := i == f.list.at
		line := f.theme.fit(f.tell(one.label), label) + "  " + f.shown(one, chosen)
		if chosen {
			at = len(all)
			all = append(all, f.theme.cursor+" "+line)
			all = append(all, f.below(one, columns)...)
			continue
		}
		all = append(all, "  "+line)
		if one.wrong != "" {
			all = append(all, wrapAll([]string{one.wrong}, columns, "    "+f.theme.mark(markBad)+" ", "      ")...)
		}
	}
	top := max(0, min(at+len(f.below(f.chosen(), columns))+1-height, at))
	return all[top:min(len(all), top+height)]
}

// shown is a field's value as it stands in its line.
func (f *form) shown(one *field, chosen bool) string {
	switch {
	case chosen && f.input != nil:
		before, after := f.input.Value(), ""
		if runes := []rune(before); f.input.Position() < len(runes) {
			before, after = string(runes[:f.input.Position()]), string(runes[f.input.Position():])
		}
		return keepSpaces(before) + f.theme.selected.Render(" ") + keepSpaces(after)
	case one.isFlag && one.on():
		return f.theme.checked[1] + " " + f.say(text.Yes)
	case one.isFlag:
		return f.theme.checked[0] + " " + f.say(text.No)
	case len(one.choices) > 0:
		for _, c := range one.choices {
			if c.value == one.value {
				return clean(c.label)
			}
		}
	}
	if one.value == "" {
		return f.theme.faint.Render("-")
	}
	return clean(one.value)
}

// below is what stands below the chosen field: what is wrong with it, what it is for, and what it can be.
func (f *form) below(one *field, columns int) []string {
	var lines []string
	if one.wrong != "" {
		lines = append(lines, wrapAll([]string{one.wrong}, columns, "    "+f.theme.mark(markBad)+" ", "      ")...)
	}
	if help := f.tell(one.help); help != "" {
		for _, line := range wrapAll([]string{help}, columns, "    ", "    ") {
			lines = append(lines, f.theme.faint.Render(line))
		}
	}
	if f.picks == nil {
		return lines
	}
	widest := 0
	for _, c := range one.choices {
		widest = max(widest, width(c.label))
	}
	for i, c := range one.choices {
		sign := "  "
		if i == f.picks.at {
			sign = f.theme.cursor + " "
		}
		lines = append(lines, wrapAll([]string{f.theme.fit(clean(c.label), widest) + "  " + f.tell(c.about)}, columns, "    "+sign, "      "+strings.Repeat(" ", widest+2))...)
	}
	return lines
}

// commas parts a list as it is typed.
func commas(list string) []string {
	var all []string
	for _, one := range strings.Split(list, ",") {
		if one = strings.TrimSpace(one); one != "" {
			all = append(all, one)
		}
	}
	return all
}

// stepKeys are the keys of a step of the installer that is a form.
func stepKeys(types bool) []key {
	if types {
		return []key{{"Enter", text.KeyDone}, {"Esc", text.KeyBack}}
	}
	return []key{{"n", text.KeyNext}, {"↑↓", text.KeyMove}, {"Enter", text.KeyChange}, {"Esc", text.KeyBack}}
}

// isNext tells the key that leads to the next step.
func isNext(msg tea.KeyMsg) bool {
	return !msg.Paste && (msg.String() == "n" || msg.String() == "right")
}

// edited is a line of text after a key: enough for a search.
func edited(line string, msg tea.KeyMsg) string {
	switch msg.Type {
	case tea.KeyBackspace:
		if runes := []rune(line); len(runes) > 0 {
			return string(runes[:len(runes)-1])
		}
	case tea.KeyCtrlU:
		return ""
	case tea.KeySpace:
		return line + " "
	case tea.KeyRunes:
		return line + clean(string(msg.Runes))
	}
	return line
}
