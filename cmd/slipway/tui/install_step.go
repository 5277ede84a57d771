package tui

import tea "github.com/charmbracelet/bubbletea"

// formStep is what the installer's steps have in common that are forms, with a check by the hosts below.
type formStep struct {
	*installer
	form  form
	check liveCheck
}

func newFormStep(in *installer, checks ...string) formStep {
	return formStep{installer: in, form: form{shared: in.shared}, check: liveCheck{installer: in, names: checks}}
}

func (s *formStep) types() bool { return s.form.types() }
func (s *formStep) keys() []key { return stepKeys(s.form.types()) }
func (s *formStep) command() string {
	return shellWords("slipway", "config", "validate", "-f", s.options.File)
}

func (s *formStep) leave(quitting bool) (bool, tea.Cmd) { return s.leaveStep(quitting) }

// hear takes what the hosts have answered.
func (s *formStep) hear(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case checkedMsg:
		s.check.took(msg)
	case probedMsg: // the hosts' screen, which lies below, has taken it: one more can be asked
		return s.check.ask()
	}
	return nil
}
