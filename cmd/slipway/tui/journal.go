package tui

import (
	"context"
	"errors"
	"regexp"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
)

// journalScreen follows a unit's journal.
type journalScreen struct {
	*shared
	file, host, unit string
	lines            []*journalLine
	scroll           scroll
	follows          bool
	shown            int // lines of the screen that all lines take, at the last frame
	ended            phrase
	stop             context.CancelFunc
}

type (
	journalMsg struct {
		of    *journalScreen
		lines []string
	}
	journalEndMsg struct {
		of  *journalScreen
		err error
	}
)

func newJournalScreen(s *shared, file, host, unit string) *journalScreen {
	return &journalScreen{shared: s, file: file, host: host, unit: unit, follows: true}
}

func (s *journalScreen) begin() tea.Cmd {
	if s.stop != nil {
		return nil
	}
	ctx, cancel := context.WithCancel(s.ctx)
	s.stop = cancel
	return func() tea.Msg {
		session, err := s.options.Open(s.file, "", newJob(s.options, func() {}))
		if err != nil {
			return journalEndMsg{s, err}
		}
		defer session.Close()
		gathered := newGatherer(func(lines []string) { s.send(journalMsg{s, lines}) })
		err = session.Journal(ctx, s.host, s.unit, journalFirst, true, gathered.add)
		return journalEndMsg{s, err}
	}
}

func (s *journalScreen) leave(bool) (bool, tea.Cmd) {
	s.close()
	return true, nil
}

// close ends what goes on for it; it may be called again.
func (s *journalScreen) close() {
	if s.stop != nil {
		s.stop()
	}
}

func (s *journalScreen) title() string { return s.unit }

func (s *journalScreen) command() string {
	return shellWords("slipway", "journal", "-f", s.file, s.host, s.unit, "--follow")
}

func (s *journalScreen) keys() []key {
	return []key{{"↑↓", text.KeyMove}, {"f", text.KeyFollow}, {"Esc", text.KeyBack}}
}

func (s *journalScreen) update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case journalMsg:
		if msg.of == s {
			s.add(msg.lines)
		}
	case journalEndMsg:
		if msg.of == s && msg.err != nil && !errors.Is(msg.err, context.Canceled) {
			s.ended = words(text.JournalEnded, clean(msg.err.Error()))
		}
	case tea.KeyMsg:
		if msg.String() == "f" {
			s.follows = !s.follows
		} else if s.scroll.key(msg, s.shown) {
			s.follows = false
		}
	}
	return nil
}

// add takes lines that have come; the oldest give way.
func (s *journalScreen) add(said []string) {
	for _, line := range said {
		s.lines = append(s.lines, &journalLine{said: onceTimed(keepSpaces(line))})
	}
	over := max(0, len(s.lines)-journalKept)
	for _, line := range s.lines[:over] {
		s.scroll.top -= len(line.wrapped) // what is being read stays where it is
	}
	s.scroll.top = max(0, s.scroll.top)
	s.lines = append(s.lines[:0], s.lines[over:]...)
}

func (s *journalScreen) body(columns, height int) []string {
	lines := []string{s.theme.strong.Render(s.say(text.JournalTitle, clean(s.unit+" @ "+s.host)))}
	if s.ended != nil {
		lines = append(lines, wrapAll([]string{s.tell(s.ended)}, columns, s.theme.mark(markBad)+" ", "  ")...)
	}
	if len(s.lines) == 0 {
		return append(lines, s.theme.mark(markWaits)+" "+s.say(text.JournalEmpty))
	}
	var all []string
	for _, line := range s.lines {
		all = append(all, line.at(columns)...)
	}
	if s.shown = len(all); s.follows {
		s.scroll.top = s.shown
	}
	return append(lines, s.scrolled(all, &s.scroll, height-len(lines))...)
}

// journalLine is a line of a journal, and how it is broken at a width.
type journalLine struct {
	said    string
	columns int
	wrapped []string
}

func (l *journalLine) at(columns int) []string {
	if l.columns != columns {
		l.columns, l.wrapped = columns, wrapAll([]string{l.said}, columns, "", journalIndent)
	}
	return l.wrapped
}

const journalIndent = "    " // of what does not fit on a line

// journalTime is what stands before each line of a journal (journalctl's short-iso), and ownTimes how programs write the
// time once more: Go's klog, logrus and slog, and keepalived.
var (
	journalTime = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S* \S+: `)
	ownTimes    = []struct {
		pattern *regexp.Regexp
		kept    string
	}{
		{regexp.MustCompile(`^([IWEF])\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ `), "$1 "},
		{regexp.MustCompile(`^time="\d{4}-\d\d-\d\dT[^"]*" `), ""},
		{regexp.MustCompile(`^time=\d{4}-\d\d-\d\dT\S* `), ""},
		{regexp.MustCompile(`^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}: `), ""},
	}
)

// onceTimed is a journal's line without the time that the program has written itself: journald's stands before it.
func onceTimed(line string) string {
	head := journalTime.FindString(line)
	if head == "" {
		return line
	}
	rest := line[len(head):]
	for _, own := range ownTimes {
		if own.pattern.MatchString(rest) {
			return head + own.pattern.ReplaceAllString(rest, own.kept)
		}
	}
	return line
}
