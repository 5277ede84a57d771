package main

import (
	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/workflow"
)

// newPreflightCommand asks the checks of init and, by the commands below it, those of every workflow.
func newPreflightCommand(p *program) *cobra.Command {
	var flags fixFlags
	var request workflow.Request
	command := p.base(workflow.Init, &flags.clusterFlags, &request)
	command.Use, command.Args, command.ValidArgsFunction = "preflight -f FILE --bundle FILE", cobra.NoArgs, nil
	command.Short = "Look for what stands in the way on every host, and change nothing"
	command.Long = `Ask every check of init or, by the commands below, of another workflow, and show what it found on each
host: ✓ nothing, ✗ what stops the workflow, ! what is only told, ? not asked. What is fine everywhere
is told in one line. Nothing is changed. Exit code 4 where the workflow would be refused.

With --fix the hosts' own settings are set right first, as 'slipway prepare --hosts-only' does: swap, kernel modules and
parameters, host names, firewall. That is a plan like any other: it is shown and asked for, and a reset puts back what was.`
	command.Example = "  slipway preflight -f ha.yaml --bundle dist/bundle.tar\n  slipway preflight join -f ha.yaml --bundle dist/bundle.tar worker-3"
	flags.format = outputFlag(command)
	command.Flags().BoolVar(&flags.fix, "fix", false, "set right what Slipway may, show what is left")
	command.Flags().BoolVar(&flags.yes, "yes", false, "with --fix: do it without asking")
	command.RunE = func(command *cobra.Command, args []string) error {
		switch {
		case flags.yes && !flags.fix:
			return usagef("preflight: --yes is for --fix; without it nothing is changed, and nobody is asked")
		case flags.fix:
			return p.fix(command, request, flags)
		}
		run, err := newRun(workflow.Init, request, args)
		if err != nil {
			return err
		}
		return p.showRun(command, run, flags.clusterFlags, *flags.format, preflightOf)
	}
	addWorkflows(command, func(w workflow.Workflow) *cobra.Command { return p.newShowCommand(w, preflightOf) })
	return command
}
