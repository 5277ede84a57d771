// Package tui is the interactive front end: it installs where there is no cluster, and shows and operates one
// where there is. It is one more Frontend of package workflow, and has no way of its own to the hosts.
package tui

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/phases/engine/api"
	"github.com/slipway-k8s/slipway/phases/forecast"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/workflow"
)

// Options are what the TUI is begun with.
type Options struct {
	In, Out  *os.File
	File     string // the cluster file, which need not be there yet; empty: one that is found
	Bundle   string // empty: one is looked for
	Terminal Terminal
	Language text.Language

	// Open opens a session, as commands do.
	Open func(file, bundle string, front workflow.Frontend) (*workflow.Session, error)
	// Line, Promise, Forecast and Explain say things as the other front ends do. A Line may be empty.
	Line     func(plan.Event) string
	Promise  func(api.SmokeResult) string
	Forecast func(forecast.Forecast) string
	Explain  func(err error, interrupted bool) string
	Trial    func(workflow.Trial) string
	// Probe is what hosts are looked at with, before there is a session.
	Probe workflow.Options
	// Event is told of all events of workflows that are carried out here; may be nil.
	Event func(plan.Event)
	// Lines tells a workflow line by line.
	Lines func() workflow.Frontend
	// Status writes how a cluster is.
	Status func(ctx context.Context, file string, out io.Writer) error
	// HostNames are those of a cluster file, in its order; none where it cannot be read.
	HostNames func(file string) []string
}

// ErrInterrupted tells that the user ended the program while something was under way.
var ErrInterrupted = errors.New("interrupted")

// Run shows the TUI until it is left. What is under way then is interrupted, as a command is, and has ended when
// Run returns, unless the user has interrupted it twice.
func Run(ctx context.Context, options Options) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &shared{options: options, theme: newTheme(options.Terminal), lang: options.Language, ctx: ctx, work: &sync.WaitGroup{}}
	begin, err := first(s)
	if err != nil {
		return err
	}
	shown := newApp(s, begin)
	program := tea.NewProgram(shown, tea.WithContext(ctx), tea.WithInput(options.In), tea.WithOutput(options.Out),
		tea.WithAltScreen(), tea.WithMouseCellMotion(), tea.WithoutSignalHandler(), tea.WithFPS(framesASecond))
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

// framesASecond bounds how often the terminal is written to: a key's frame is there within 25 ms.
const framesASecond = 40

// first is the screen that one begins with: where the cluster file is complete, its cluster's, else the
// installer's.
func first(s *shared) (screen, error) {
	if s.options.File == "" {
		files := clusterFiles(".")
		if len(files) > 1 {
			return newFilesScreen(s, files), nil
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
		return newDashboard(s, s.options.File), nil
	}
	return newHostsScreen(in), nil
}

// typed is the command that does the same as a task.
func typed(t task) string {
	run, err := workflow.New(t.workflow, t.request)
	if err != nil {
		return ""
	}
	return run.Typed(t.file, t.bundle)
}
