package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/cmd/slipway/tui"
	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/phases/forecast"
	"github.com/slipway-k8s/slipway/workflow"
)

func newTUICommand(p *program) *cobra.Command {
	var flags clusterFlags
	var accessible bool
	command := &cobra.Command{
		Use:   "tui [-f FILE]",
		Short: "Install a cluster, watch and operate it, on the screen",
		Long: `Where there is no cluster yet, ask for the hosts and all that is to be known, show the checks and the plan, and
install; where there is one, show it live, and carry out every workflow on it. What it changes is the
cluster file, once you have seen how, and the hosts, once you have agreed to the plan.

Without arguments, on a terminal, slipway does the same.`,
		Example: "  slipway tui\n  slipway tui -f ha.yaml --bundle dist/bundle.tar",
		Args:    cobra.NoArgs,
		RunE:    func(command *cobra.Command, _ []string) error { return p.showTUI(command, flags, accessible) },
	}
	command.Flags().StringVarP(&flags.file, "file", "f", "", "the cluster file, which need not be there yet (default: the one in this folder, else cluster.yaml)")
	command.Flags().StringVar(&flags.bundle, "bundle", "", "the bundle with all that the hosts will run (default: one that is found)")
	command.Flags().BoolVar(&accessible, "accessible", false, "ask line by line, without drawing: for screen readers")
	flags.addLogin(command)
	_ = command.MarkFlagFilename("file", "yaml", "yml")
	_ = command.MarkFlagFilename("bundle", "tar")
	return command
}

// showTUI shows the TUI on the terminal, until it is left.
func (p *program) showTUI(command *cobra.Command, flags clusterFlags, accessible bool) error {
	options := p.tuiOptions(flags)
	if accessible {
		err := tui.RunLinear(command.Context(), options, p.in, command.OutOrStdout())
		if errors.Is(err, tui.ErrInterrupted) { // which it has said
			return &exitError{exitInterrupted}
		}
		if failed, is := errors.AsType[*tui.FailedRun](err); is { // as well
			return &exitError{exitCode(failed.Err)}
		}
		return err
	}
	screen := terminal(command.OutOrStdout())
	if screen == nil || terminal(p.in) == nil {
		return usagef("tui: it needs a terminal to draw on and to read keys from: say what is to be done by a command; slipway help lists them")
	}
	options.In, options.Out, options.Terminal = p.in, screen, tui.TerminalOf(screen, os.Getenv)
	p.waits.through(func(string) {}) // the screen shows it
	err := tui.Run(command.Context(), options)
	p.waits.through(nil)
	if errors.Is(err, tui.ErrInterrupted) {
		fmt.Fprint(command.ErrOrStderr(), goesOn)
		return &exitError{exitInterrupted}
	}
	return err
}

// tuiOptions are what the TUI needs of this program, whatever it is shown on.
func (p *program) tuiOptions(flags clusterFlags) tui.Options {
	return tui.Options{
		File: flags.file, Bundle: flags.bundle, Language: text.Of(os.Getenv, tui.IsConsole(os.Getenv)),
		Open: func(file, bundle string, front workflow.Frontend) (*workflow.Session, error) {
			return p.open(clusterFlags{file: file, bundle: bundle, login: flags.login}, front)
		},
		Event:     p.waits.Event,
		Secret:    p.secrets.ask,
		Probe:     workflow.Options{File: flags.file, Version: version, Agent: ownAgent, Login: flags.login, Dial: p.dial, Ask: p.secrets.ask},
		HostNames: p.hostNames,
		Lines: func() workflow.Frontend {
			return &plainFront{textFront: &textFront{silentFront: p.silent(), out: newShown(os.Stdout), steps: longSteps{}}}
		},
		Status: func(ctx context.Context, file string, out io.Writer) error {
			s, err := p.open(clusterFlags{file: file, login: flags.login}, p.silent())
			if err != nil {
				return err
			}
			defer s.Close()
			found, err := s.Status(ctx, func(workflow.Status) error { return nil })
			if err != nil {
				return err
			}
			return writeStatus(out, found)
		},
		Line: eventLine, Promise: smokeText, Trial: trialText, Forecast: forecastText, Explain: explained,
	}
}

// hostNames are those of a cluster file; none where it cannot be read.
func (p *program) hostNames(file string) []string {
	data, err := p.read(file)
	if err != nil {
		return nil
	}
	c, err := cluster.Load(data)
	if err != nil {
		return nil
	}
	var names []string
	for _, h := range c.Hosts {
		names = append(names, h.Name)
	}
	return names
}

func forecastText(f forecast.Forecast) string {
	return textOf(func(w io.Writer) error { return writeForecast(w, f) })
}

// explained is an error as it is told at the end of a command.
func explained(err error, interrupted bool) string {
	return strings.TrimPrefix(textOf(func(w io.Writer) error { report(w, err, interrupted); return nil }), "slipway: ")
}

func textOf(write func(io.Writer) error) string {
	var b bytes.Buffer
	_ = write(&b) // memory takes all
	return b.String()
}
