package main

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/workflow"
)

// finder finds out what a command shows.
type finder func(ctx context.Context, s *workflow.Session, run *workflow.Run) (result, error)

// newShowCommand is a command that shows what a workflow would do, and changes nothing. What the
// workflow's own command says at length is not said of it.
func (p *program) newShowCommand(w workflow.Workflow, find finder) *cobra.Command {
	var flags clusterFlags
	var request workflow.Request
	w.Options = slices.DeleteFunc(slices.Clone(w.Options), func(option workflow.Option) bool { return option.Name == "forecast" }) // all of it is shown
	command := p.base(w, &flags, &request)
	command.Long, command.Example = "", ""
	format := outputFlag(command)
	command.RunE = func(command *cobra.Command, args []string) error {
		run, err := newRun(w, request, args)
		if err != nil {
			return err
		}
		return p.showRun(command, run, flags, *format, find)
	}
	return command
}

// showRun shows what is found out about a run, or why it is not.
func (p *program) showRun(command *cobra.Command, run *workflow.Run, flags clusterFlags, format string, find finder) error {
	s, err := p.open(flags, p.silent())
	if err != nil {
		return err
	}
	defer s.Close()
	found, err := find(command.Context(), s, run)
	if err != nil {
		tellJSON(command.OutOrStdout(), format, err)
		return err
	}
	return found.show(command.OutOrStdout(), format)
}
