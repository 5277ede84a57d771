package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/workflow"
)

// fixFlags are what preflight has beside a workflow's flags.
type fixFlags struct {
	clusterFlags
	fix, yes bool
	format   *string
}

// fix shows what the checks find, sets the hosts' own settings right as prepare --hosts-only does, and shows what the
// checks find then. What is set is a plan like any other: shown, asked for, noted in the hosts' records, and
// put back by a reset.
func (p *program) fix(command *cobra.Command, request workflow.Request, flags fixFlags) error {
	ctx, out := command.Context(), command.OutOrStdout()
	found, err := p.preflightNow(ctx, request, flags.clusterFlags)
	if err != nil {
		return err
	}
	if *flags.format == formatText {
		if err := writePreflight(out, found); err != nil {
			return err
		}
		fmt.Fprintln(out)
	}
	if err := p.setHosts(ctx, out, passedOver(found, request.IgnoreChecks), flags); err != nil {
		tellJSON(out, *flags.format, err)
		return err
	}
	if *flags.format == formatText {
		fmt.Fprintln(out)
	}
	run, err := newRun(workflow.Init, request, nil)
	if err != nil {
		return err
	}
	return p.showRun(command, run, flags.clusterFlags, *flags.format, preflightOf)
}

func (p *program) preflightNow(ctx context.Context, request workflow.Request, flags clusterFlags) (workflow.Preflight, error) {
	run, err := newRun(workflow.Init, request, nil)
	if err != nil {
		return workflow.Preflight{}, err
	}
	s, err := p.open(flags, p.silent())
	if err != nil {
		return workflow.Preflight{}, err
	}
	defer s.Close()
	return s.Preflight(ctx, run)
}

// setHosts sets the hosts' own settings, but where a check finds what cannot be passed over.
func (p *program) setHosts(ctx context.Context, out io.Writer, ignore []string, flags fixFlags) error {
	run, err := workflow.New(workflow.Prepare, workflow.Request{HostsOnly: true, Yes: flags.yes, IgnoreChecks: ignore})
	if err != nil {
		return err
	}
	var front workflow.Frontend = p.silent()
	if *flags.format == formatText {
		front = p.newFront(formatText, flags.yes, out)
	}
	flags.bundle = "" // settings come from none
	s, err := p.open(flags.clusterFlags, front)
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Run(ctx, run)
}

// passedOver are the checks whose errors are told already, and do not keep from putting the rest right: the user's
// own to mend, or those that are mended here.
func passedOver(found workflow.Preflight, said []string) []string {
	ignore := slices.Clone(said)
	for _, result := range found.Results {
		if result.Outcome == checks.Stops && result.Ignorable && slices.Contains(workflow.Prepare.Ignorable(), result.Check) && !slices.Contains(ignore, result.Check) {
			ignore = append(ignore, result.Check)
		}
	}
	return ignore
}
