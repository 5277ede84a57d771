// Package tui is the interactive front end: it installs where there is no cluster, and shows and operates one
// where there is. It is one more Frontend of package workflow, and has no way of its own to the hosts.
package tui

import (
	"context"
	"errors"
	"sync"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/slipway-k8s/slipway/workflow"
)

// ErrInterrupted tells that the user ended the program while something was under way.
var ErrInterrupted = errors.New("interrupted")

// Run shows the TUI until it is left. What is under way then is interrupted, as a command is, and has ended when
// Run returns, unless the user has interrupted it twice.
func Run(ctx context.Context, options Options) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &shared{options: options, theme: newTheme(options.Terminal), lang: options.Language, ctx: ctx, work: &sync.WaitGroup{}, askPause: askPause}
	s.home = func(file string) screen { return newDashboard(s, file) }
	var program *tea.Program // there is one before anybody is asked
	s.options.Secret = askAside(&program, s.options.Secret)
	s.options.Probe.Ask = s.options.Secret
	begin, err := first(s)
	if err != nil {
		return err
	}
	shown := newApp(s, begin)
	program = tea.NewProgram(shown, tea.WithContext(ctx), tea.WithInput(options.In), tea.WithOutput(options.Out),
		tea.WithAltScreen(), tea.WithoutSignalHandler(), tea.WithFPS(framesASecond))
	s.send = program.Send
	_, err = program.Run()
	if shown.interrupted {
		return ErrInterrupted
	}
	cancel()
	s.work.Wait()
	if errors.Is(err, tea.ErrProgramKilled) {
		err = context.Cause(ctx)
	}
	return err
}

// askAside has the screen taken away while a password is typed: it is not drawn, kept or scrolled there.
func askAside(program **tea.Program, ask workflow.AskSecret) workflow.AskSecret {
	if ask == nil {
		return nil
	}
	var one sync.Mutex
	return func(ctx context.Context, question workflow.Secret) (string, error) {
		one.Lock()
		defer one.Unlock()
		if err := (*program).ReleaseTerminal(); err != nil {
			return "", err
		}
		answer, err := ask(ctx, question)
		return answer, errors.Join(err, (*program).RestoreTerminal())
	}
}

// framesASecond bounds how often the terminal is written to: a key's frame is there within 25 ms.
const framesASecond = 40

// first is the screen that one begins with: where the cluster file is complete, its cluster's, else the
// installer's.
func first(s *shared) (screen, error) {
	if s.options.File == "" {
		files := clusterFiles(".")
		if len(files) > 1 {
			return newFilesScreen(s, files, begins), nil
		}
		s.options.File = append(files, usualFile)[0]
	}
	return begins(s)
}

// begins is the first screen of the cluster file.
func begins(s *shared) (screen, error) {
	in, err := newInstaller(s)
	if err != nil {
		return nil, err
	}
	if len(in.problems) == 0 {
		in.probe.Close()
		return s.home(s.options.File), nil
	}
	return newHostsScreen(in), nil
}
