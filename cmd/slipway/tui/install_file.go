package tui

import (
	"errors"
	"slices"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/workflow"
)

// fileScreen shows what changes in the cluster file, before it is written.
type fileScreen struct {
	*installer
	scroll scroll
	said   string
	end    func() tea.Cmd // what follows once it is written, where the installer is left; else nil
}

func newFileScreen(in *installer) *fileScreen { return &fileScreen{installer: in} }

func (s *fileScreen) begin() tea.Cmd { return nil }
func (s *fileScreen) title() string  { return s.say(text.StepFile) }

func (s *fileScreen) command() string {
	return typed(s.task())
}

func (s *fileScreen) task() task {
	return task{file: s.options.File, bundle: s.bundle.Path, workflow: workflow.Init, then: func() screen { return newDoneScreen(s.shared, s.options.File) }}
}

func (s *fileScreen) keys() []key {
	does := text.KeyWrite
	if s.end != nil {
		return []key{{"n", text.KeyWriteLeave}, {"↑↓", text.KeyMove}, {"Esc", text.KeyBack}}
	}
	if !s.unsaved() && len(s.problems) == 0 {
		does = text.KeyInstall
	}
	return []key{{"n", does}, {"↑↓", text.KeyMove}, {"Esc", text.KeyBack}}
}

func (s *fileScreen) leave(quitting bool) (bool, tea.Cmd) {
	if s.end != nil {
		return true, nil // one is asked again where one is then
	}
	return s.leaveStep(quitting)
}

func (s *fileScreen) update(msg tea.Msg) tea.Cmd {
	pressed, is := msg.(tea.KeyMsg)
	if !is {
		return nil
	}
	if isNext(pressed) || pressed.String() == "enter" {
		return s.goOn()
	}
	s.scroll.key(pressed, len(s.lines(leastWidth)))
	return nil
}

// goOn writes the file where it has changed, and then installs: by checks, plan and question.
func (s *fileScreen) goOn() tea.Cmd {
	if s.unsaved() {
		switch err := s.write(); {
		case errors.Is(err, errChanged):
			return s.push(newChoiceScreen(s.shared, words(text.FileElseTitle), words(text.FileElse, s.options.File),
				option{words(text.FileElseStay), s.pop},
				option{words(text.FileElseRead), func() tea.Cmd {
					s.pop()
					return s.failed(s.readAgain())
				}},
			))
		case err != nil:
			return s.push(newErrorScreen(s.shared, err))
		}
		s.said = s.say(text.FileWritten, s.options.File)
	}
	if s.end != nil {
		return s.end()
	}
	if len(s.problems) > 0 {
		return nil
	}
	return s.push(newJobScreen(s.shared, s.installs()))
}

// installs is the task that is carried out now: the look at the hosts gives up its connections for it.
func (s *fileScreen) installs() task {
	next := s.task()
	next.before = s.release()
	return next
}

func (s *fileScreen) body(columns, height int) []string {
	all := s.lines(columns)
	from, to := s.scroll.window(len(all), height)
	return all[from:to]
}

func (s *fileScreen) lines(columns int) []string {
	lines := s.bundleLines(columns)
	if s.said != "" {
		lines = append(lines, wrap(s.said, columns)...)
	}
	if len(s.problems) > 0 {
		lines = append(lines, s.theme.strong.Render(s.say(text.FileProblems)))
		for _, p := range s.problems {
			lines = append(lines, wrapAll([]string{clean(p.Path + ": " + p.Message)}, columns, s.theme.mark(markBad)+" ", "  ")...)
			if p.Fix != "" {
				lines = append(lines, wrapAll([]string{clean(p.Fix)}, columns, "  "+s.theme.arrow+" ", "    ")...)
			}
		}
		lines = append(lines, "")
	}
	switch {
	case !s.unsaved():
		return append(lines, wrap(s.say(text.FileSame, s.options.File), columns)...)
	case len(s.onDisk) == 0:
		lines = append(lines, s.say(text.FileNew, s.options.File), "")
	default:
		lines = append(lines, s.say(text.FileChanges, s.options.File), "")
	}
	return slices.Concat(lines, s.differenceLines(workflow.DiffLines(s.onDisk, s.editor.Bytes())))
}
