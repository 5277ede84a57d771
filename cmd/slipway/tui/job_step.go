package tui

import (
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/workflow"
)

// stepScreen is all there is to know of one step.
type stepScreen struct {
	*shared
	of     *jobView
	id     string
	scroll scroll
	asked  bool
	change *workflow.Change // what would be written, once that is known
	err    error
}

type changeMsg struct {
	of     *stepScreen
	change workflow.Change
	err    error
}

func newStepScreen(of *jobView, id string) *stepScreen {
	return &stepScreen{shared: of.shared, of: of, id: id}
}

// begin looks at what is there now, to hold it against what the step writes: where the plan was carried out already, both
// are the same.
func (s *stepScreen) begin() tea.Cmd {
	s.of.job.mu.Lock()
	defer s.of.job.mu.Unlock()
	if s.asked || s.of.job.ready == nil || s.of.job.session == nil || !s.of.job.ended.IsZero() {
		return nil
	}
	s.asked = true
	session, ready := s.of.job.session, *s.of.job.ready
	return func() tea.Msg {
		change, err := session.Difference(s.ctx, ready, s.id)
		return changeMsg{s, change, err}
	}
}

func (s *stepScreen) title() string { return s.id }
func (s *stepScreen) command() string {
	return strings.Replace(typed(s.of.task), "slipway ", "slipway plan ", 1) + " " + shellWords("--diff", s.id)
}

func (s *stepScreen) keys() []key {
	return []key{{"↑↓", text.KeyMove}, {"Esc", text.KeyBack}}
}

func (s *stepScreen) update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case changeMsg:
		if msg.of == s {
			s.change, s.err = &msg.change, msg.err
		}
	case tea.KeyMsg:
		s.scroll.key(msg, len(s.all(leastWidth)))
	}
	return nil
}

func (s *stepScreen) body(columns, height int) []string {
	all := s.all(columns)
	from, to := s.scroll.window(len(all), height)
	return all[from:to]
}

func (s *stepScreen) all(columns int) []string {
	s.of.job.mu.Lock()
	defer s.of.job.mu.Unlock()
	at, known := s.of.job.steps[s.id]
	if !known {
		return nil
	}
	lines := []string{s.theme.strong.Render(clean(s.id)), ""}
	say := func(label *text.Text, said string) {
		if said != "" {
			lines = append(lines, wrapAll([]string{s.say(label) + said}, columns, "", "    ")...)
		}
	}
	say(text.StepState, s.state(at))
	say(text.StepDoes, clean(plan.Describe(*at.step)))
	say(text.StepWhy, clean(at.step.Why))
	say(text.StepPhase, string(at.step.Phase))
	for _, after := range at.step.After {
		say(text.StepAfter, clean(strings.Join(after.Steps, ", ")))
	}
	if at.fix != "" {
		say(text.WhatToDo, at.fix)
	}
	for _, line := range at.evidence {
		lines = append(lines, wrapAll([]string{line}, columns, "  ", "    ")...)
	}
	return append(lines, s.changeLines(columns)...)
}

// changeLines are what changes, once that is known.
func (s *stepScreen) changeLines(columns int) []string {
	switch {
	case s.err != nil:
		return append([]string{""}, wrapAll(cleanLines(s.err.Error()), columns, s.theme.mark(markWarning)+" ", "  ")...)
	case s.asked && s.change == nil:
		return []string{"", s.theme.mark(markRuns) + " " + s.say(text.StepLooking)}
	case s.change == nil:
		return nil
	}
	if !s.change.Secret && s.change.Note == "" && len(s.change.Lines) == 0 {
		return nil // what it does says all
	}
	lines := []string{"", s.theme.strong.Render(s.say(text.StepChange))}
	if s.change.Secret {
		lines = append(lines, s.say(text.StepSecret))
	}
	if s.change.Note != "" {
		lines = append(lines, wrap(clean(s.change.Note), columns)...)
	}
	return append(lines, s.differenceLines(s.change.Lines)...)
}

// state is how a step is, in words.
func (s *shared) state(at *stepState) string {
	switch at.status {
	case plan.EventStepStarted, plan.EventStepProgress:
		said := s.say(text.StateRunning)
		if at.note != "" {
			said += ": " + at.note
		}
		return said
	case plan.EventStepFinished:
		said := s.say(text.StateDone, at.seconds)
		if at.detail != "" {
			said += ": " + at.detail
		}
		return said
	case plan.EventStepFailed:
		return s.say(text.StateFailed) + ": " + at.detail
	case plan.EventStepSkipped:
		return s.say(text.StateSkipped, clean(at.because))
	case plan.EventStepCanceled:
		return s.say(text.StateCanceled)
	case plan.EventStepNotNeeded:
		return s.say(text.StateNeedless)
	}
	return s.say(text.StateWaiting)
}
