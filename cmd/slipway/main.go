// Command slipway takes ordinary Linux hosts to a Kubernetes cluster over SSH, from one
// offline bundle, and looks after it from then on.
//
// One file per command; they turn flags into a request and make one call of package workflow,
// which has the way that all commands share. The front ends (front*.go) show it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/slipway-k8s/slipway/hosts/ssh"
	"github.com/slipway-k8s/slipway/lab"
	"github.com/slipway-k8s/slipway/workflow"
)

func main() {
	lab.Main() // a lab host's first process is this program once more
	os.Exit(newProgram().run())
}

// run runs the command line, and gives the exit code.
func (p *program) run() int {
	log.SetOutput(io.Discard) // net/http logs what a host sends, which may be anything and without end
	ctx, stop := interruptible(p.waits, endAtOnce)
	root := newRootCommand(p)
	stdout, stderr := newShown(os.Stdout), newShown(os.Stderr)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd() // which keeps what SetOut has set
	refuseUnknown(root)
	err := root.ExecuteContext(ctx)
	stdout.finish()
	stderr.finish()
	interrupted := ctx.Err() != nil
	ssh.EndProxyCommands() // before a signal has its usual effect again
	stop()
	return report(os.Stderr, err, interrupted)
}

// interruptible is cancelled by the first Ctrl-C, SIGTERM or SIGHUP; what does not end by itself then
// is ended. A second one ends the process at once, and is waited for until stop: by its usual
// effect what the process has started would live on.
func interruptible(waits *awaited, exit func(code int)) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals, over := make(chan os.Signal, 2), make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // nohup has it ignored
		signal.Notify(signals, syscall.SIGHUP) // the terminal is gone
	}
	next := func() bool {
		select {
		case <-signals:
			return true
		case <-over:
			return false
		}
	}
	go func() {
		if !next() {
			return // a command that is through is no longer to be ended
		}
		cancel()
		waits.interrupted(os.Stderr, exit)
		if next() {
			exit(exitInterrupted)
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(over)
		cancel()
	}
}

// endAtOnce ends the process, and the proxyCommands that it has started: those of logins that
// were given up would end by themselves only after minutes.
func endAtOnce(code int) {
	ssh.EndProxyCommands()
	os.Exit(code)
}

func newRootCommand(p *program) *cobra.Command {
	root := &cobra.Command{
		Use:   "slipway",
		Short: "From bare hosts to a Kubernetes cluster, over SSH, from one offline bundle",
		Long: `Slipway takes ordinary Linux hosts to a Kubernetes cluster over SSH, from one offline
bundle, and looks after it from then on.

  slipway lab up --name try --control-planes 1 --workers 2 --out try.yaml
  slipway init -f try.yaml --bundle dist/bundle.tar
  slipway kubectl -f try.yaml -- get nodes`,
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.RunE = func(command *cobra.Command, _ []string) error {
		if terminal(command.OutOrStdout()) == nil || terminal(p.in) == nil {
			return command.Help()
		}
		return p.showTUI(command, clusterFlags{}, false)
	}
	root.SetFlagErrorFunc(wrongFlag)
	root.AddGroup(
		&cobra.Group{ID: groupCluster, Title: "The cluster:"},
		&cobra.Group{ID: groupUse, Title: "Using it:"},
		&cobra.Group{ID: groupMaterial, Title: "What it is made of:"},
	)
	add := func(group string, commands ...*cobra.Command) {
		for _, command := range commands {
			command.GroupID = group
			root.AddCommand(command)
		}
	}
	add(groupCluster, newPreflightCommand(p), newPlanCommand(p), newStatusCommand(p), newRunbookCommand(p))
	add(groupUse, newRunCommand(p), newJournalCommand(p), newKubectlCommand(p), newKubeconfigCommand(p), newProxyCommand(p), newTokenCommand(p))
	add(groupMaterial, newConfigCommand(p), newHostsCommand(p), newBundleCommand(), newLabCommand(p.waits))
	add(groupCluster, newTUICommand(p))
	root.AddCommand(newVersionCommand())
	addWorkflows(root, func(w workflow.Workflow) *cobra.Command {
		switch w.Name { // these are more than one plan
		case workflow.HATest.Name:
			return p.newHATestCommand()
		case workflow.Smoke.Name:
			return p.newSmokeCommand()
		}
		return p.newWorkflowCommand(w)
	})
	below(root, "upgrade").AddCommand(p.newUpgradePlanCommand())
	wrapArgs(root)
	return root
}

// wrongFlag says which flag has a wrong value, as a usage error.
func wrongFlag(command *cobra.Command, err error) error {
	if unknown := cobra.NoArgs(command, command.Flags().Args()); unknown != nil && command.HasSubCommands() {
		return &workflow.UsageError{Err: unknown} // and the flags are those of the command that was meant
	}
	if _, other := errors.AsType[*pflag.NotExistError](err); other && command.HasParent() && isGroup(command) {
		return usagef("%s: say which of its commands:%s", strings.TrimPrefix(command.CommandPath(), "slipway "), useLines(command))
	}
	if wrong, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		err = fmt.Errorf("--%s %s: %w", wrong.GetFlag().Name, wrong.GetValue(), wrong.Unwrap())
	}
	return &workflow.UsageError{Err: err}
}

// isGroup tells a command that is only there for those below it: it has no cluster file.
func isGroup(command *cobra.Command) bool {
	return command.HasAvailableSubCommands() && command.Flags().Lookup("file") == nil
}

// useLines are how the commands below one are typed, each in a line.
func useLines(command *cobra.Command) string {
	var b strings.Builder
	for _, child := range command.Commands() {
		if child.IsAvailableCommand() {
			fmt.Fprintf(&b, "\n  %s %s", command.CommandPath(), child.Use)
		}
	}
	return b.String()
}

// refuseUnknown has every group of commands, and help, refuse a command that there is not: of
// themselves they show their help and succeed.
func refuseUnknown(root *cobra.Command) {
	for _, command := range root.Commands() {
		if command.Name() == "help" {
			command.Args = func(_ *cobra.Command, args []string) error {
				found, rest, err := command.Root().Find(args)
				if err != nil {
					return err
				}
				return cobra.NoArgs(found, rest)
			}
		}
		if command.HasSubCommands() && !command.Runnable() {
			command.Args, command.RunE = cobra.NoArgs, func(c *cobra.Command, _ []string) error { return c.Help() }
			command.ValidArgsFunction = cobra.NoFileCompletions
		}
		refuseUnknown(command)
	}
}

// wrapArgs makes wrong arguments a usage error, like wrong flags.
func wrapArgs(command *cobra.Command) {
	if check := command.Args; check != nil {
		command.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return &workflow.UsageError{Err: err}
			}
			return nil
		}
	}
	for _, child := range command.Commands() {
		wrapArgs(child)
	}
}
