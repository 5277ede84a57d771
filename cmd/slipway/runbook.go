package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/workflow"
)

// newRunbookCommand tells which workflows there are, and any of them as prose.
func newRunbookCommand(p *program) *cobra.Command {
	command := &cobra.Command{
		Use:   "runbook",
		Short: "Any workflow as prose, with its exact steps for this cluster",
		Long: `List the workflows, or show one as prose: what it waits for, what it does where and why, and how to
go on when it stops. What is shown is made of the plan that the workflow would carry out now.`,
		Example: "  slipway runbook list\n  slipway runbook show upgrade -f ha.yaml --bundle new.tar\n  slipway runbook show reset worker-2 -f ha.yaml",
	}
	show := &cobra.Command{Use: "show", Short: "Show a workflow as prose"}
	upgrade := p.newRunbookShow(workflow.UpgradeApply) // also without the word apply
	upgrade.Use = "upgrade -f FILE --bundle FILE"
	show.AddCommand(upgrade)
	addWorkflows(show, p.newRunbookShow)
	command.AddCommand(newRunbookList(), show)
	return command
}

func newRunbookList() *cobra.Command {
	command := &cobra.Command{Use: "list", Short: "List the workflows", Args: cobra.NoArgs}
	format := outputFlag(command)
	command.RunE = func(command *cobra.Command, _ []string) error {
		var list []map[string]string
		var rows [][]string
		for _, w := range workflow.All {
			list = append(list, map[string]string{"name": w.Name, "about": w.Short})
			rows = append(rows, []string{w.Name, w.Short})
		}
		return show(command.OutOrStdout(), *format, list, func(out io.Writer) error { return writeTable(out, "RUNBOOK\tWHAT IT DOES", rows) })
	}
	return command
}

// newRunbookShow is the command that shows a workflow as prose.
func (p *program) newRunbookShow(w workflow.Workflow) *cobra.Command {
	return p.newShowCommand(w, func(ctx context.Context, s *workflow.Session, run *workflow.Run) (result, error) {
		book, err := s.Runbook(ctx, run)
		return result{value: book, text: func(out io.Writer) error {
			_, err := io.WriteString(out, book.Text())
			return err
		}}, err
	})
}
