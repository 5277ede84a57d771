package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/workflow"
)

func (p *program) newHATestCommand() *cobra.Command {
	var flags clusterFlags
	var request workflow.Request
	command := p.base(workflow.HATest, &flags, &request)
	format := outputFlag(command)
	command.RunE = func(command *cobra.Command, _ []string) error {
		run, err := newRun(workflow.HATest, request, nil)
		if err != nil {
			return err
		}
		out := command.OutOrStdout()
		s, err := p.open(flags, trialFront{p.silent(), *format, out})
		if err != nil {
			return err
		}
		defer s.Close()
		trials, err := s.HATest(command.Context(), run)
		if len(trials) > 0 {
			shown := show(out, *format, trials, func(w io.Writer) error { return writeTrials(w, trials, err == nil) })
			err = errors.Join(err, shown)
		}
		return err
	}
	command.Flags().BoolVar(&request.Yes, "yes", false, "do it without asking")
	return command
}

// trialFront shows which trial is made. Its plans' steps are nobody's concern while they succeed.
type trialFront struct {
	silentFront
	format string
	out    io.Writer
}

func (f trialFront) Event(event plan.Event) {
	switch {
	case event.Stage == workflow.StageTrial:
		if event.Type == plan.EventStageStarted && f.format == formatText {
			fmt.Fprintf(f.out, "%s: %s …\n", event.Host, event.Detail)
		}
	case event.Type == plan.EventStepFailed:
		f.Note("%s", eventLine(event))
	default:
		f.silentFront.Event(event)
	}
}

func (f trialFront) Ask(ctx context.Context, question string) (bool, error) {
	if f.format != formatText {
		return false, usagef("--output %s asks nothing: say --yes", f.format)
	}
	return f.program.confirm(ctx, f.out, question)
}

func writeTrials(w io.Writer, trials []workflow.Trial, well bool) error {
	fmt.Fprintln(w)
	var rows [][]string
	for _, one := range trials {
		rows = append(rows, []string{one.Host, one.What, fmt.Sprintf("%.2f s", one.Gap), strconv.FormatInt(one.Writes, 10), strconv.FormatInt(one.Failures, 10),
			one.From, dash(firstLine(strings.TrimSpace(one.Cause)))})
	}
	if err := writeTable(w, "HOST\tWHAT\tGAP\tWRITES\tREFUSED\tSEEN FROM\tTHE CLIENT WAS TOLD", rows); err != nil {
		return err
	}
	if !well {
		return nil
	}
	_, err := fmt.Fprintln(w, "\nEvery write that was acknowledged is there. All is put back.")
	return err
}
