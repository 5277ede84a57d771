package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/workflow"
)

// journalLines is how many lines of a journal are shown unless said.
const journalLines = 50

func newJournalCommand(p *program) *cobra.Command {
	var (
		flags  clusterFlags
		follow bool
		lines  int
	)
	command := &cobra.Command{
		Use:   "journal -f FILE HOST UNIT",
		Short: "Show the journal of a unit on a host, and follow it",
		Long: `Show the last lines of a systemd unit's journal on a host and, with --follow, those that come, until
Ctrl-C. Nothing is changed, and no lease is taken. A host that does not answer any more ends the command
with an error.`,
		Example: "  slipway journal -f ha.yaml worker-1 kubelet\n  slipway journal -f ha.yaml cp-1 containerd.service --follow --lines 10",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usagef("journal: name a host and a unit, as in: slipway journal -f FILE worker-1 kubelet")
			}
			return nil
		},
		ValidArgsFunction: p.completeJournal,
	}
	flags.add(command)
	command.Flags().BoolVar(&follow, "follow", false, "go on with the lines that come, until Ctrl-C")
	command.Flags().IntVarP(&lines, "lines", "n", journalLines, "how many of the last lines to show")
	command.RunE = func(command *cobra.Command, args []string) error {
		s, err := p.open(flags, p.silent())
		if err != nil {
			return err
		}
		defer s.Close()
		var written error
		ctx, stop := context.WithCancel(command.Context())
		defer stop()
		err = s.Journal(ctx, args[0], args[1], lines, follow, func(line string) {
			if _, written = fmt.Fprintln(command.OutOrStdout(), line); written != nil {
				stop() // whoever read it has gone
			}
		})
		switch {
		case written != nil:
			return fmt.Errorf("write the journal: %w", written)
		case follow && command.Context().Err() != nil:
			return nil // Ctrl-C is how it ends
		}
		return err
	}
	return command
}

// completeJournal completes the names of hosts, and then those of the host's units.
func (p *program) completeJournal(command *cobra.Command, said []string, start string) ([]string, cobra.ShellCompDirective) {
	switch len(said) {
	case 0:
		return p.completeArgs(workflow.Workflow{Args: workflow.Hosts})(command, said, start)
	case 1:
	default:
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var units []string
	p.completing(command, func(s *workflow.Session) { units = slices.Sorted(slices.Values(s.Units(said[0]))) })
	return units, cobra.ShellCompDirectiveNoFileComp
}
