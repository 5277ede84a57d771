package tui

import (
	"context"
	"errors"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
)

// journalScreen follows a unit's journal.
type journalScreen struct {
	*shared
	file, host, unit string
	lines            []string
	scroll           scroll
	follows          bool
	ended            string
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
	s.stop()
	return true, nil
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
			s.lines = append(s.lines, msg.lines...)
			if over := len(s.lines) - journalKept; over > 0 {
				s.lines = append(s.lines[:0], s.lines[over:]...)
			}
		}
	case journalEndMsg:
		if msg.of == s && msg.err != nil && !errors.Is(msg.err, context.Canceled) {
			s.ended = s.say(text.JournalEnded, clean(msg.err.Error()))
		}
	case tea.KeyMsg:
		if msg.String() == "f" {
			s.follows = !s.follows
		} else if s.scroll.key(msg, len(s.lines)) {
			s.follows = false
		}
	}
	return nil
}

func (s *journalScreen) body(columns, height int) []string {
	lines := []string{s.theme.strong.Render(s.say(text.JournalTitle, clean(s.unit+" @ "+s.host)))}
	if s.ended != "" {
		lines = append(lines, wrapAll([]string{s.ended}, columns, s.theme.mark(markBad)+" ", "  ")...)
	}
	room := height - len(lines)
	if s.follows {
		s.scroll.top = len(s.lines)
	}
	from, to := s.scroll.window(len(s.lines), room)
	for _, line := range s.lines[from:to] {
		lines = append(lines, s.theme.clip(clean2(line), columns))
	}
	return lines
}
