// Command slipway takes ordinary Linux hosts to a Kubernetes cluster over SSH, from one
// offline bundle, and looks after it from then on.
//
// One file per command; they turn flags into options and make one call. The way that all
// commands share is in files of its own: load (session.go, trust.go), connect (connect.go,
// arrivals.go), lease (lease.go), observe (look.go), whose keys and mint (identity.go, keys.go),
// plan, show, confirm, apply and verify (apply.go, the front*.go).
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/hosts/ssh"
	"github.com/slipway-k8s/slipway/lab"
)

// version is set when building.
var version = "dev"

func main() {
	lab.Main() // a lab host's first process is this program once more
	ctx, stop := interruptible(endAtOnce)
	root := newRootCommand()
	stdout, stderr := newShown(os.Stdout), newShown(os.Stderr)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	stdout.finish()
	stderr.finish()
	interrupted := ctx.Err() != nil
	ssh.EndProxyCommands() // before a signal has its usual effect again
	stop()
	os.Exit(report(os.Stderr, err, interrupted))
}

// interruptible is cancelled by the first Ctrl-C or SIGTERM; what does not end by itself then
// is ended. A second one ends the process at once, and is waited for until stop: by its usual
// effect what the process has started would live on, and an agent would end in the middle of
// an action.
func interruptible(exit func(code int)) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals, over, waits := make(chan os.Signal, 2), make(chan struct{}), awaiting
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
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
			waits.interruptedAgain(exit)
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

func newRootCommand() *cobra.Command {
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
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
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
	add(groupCluster, newPlanCommand(), newPrepareCommand(), newInitCommand(), newJoinCommand(), newResetCommand(), newRemoveCommand(), newStatusCommand(), newHACommand())
	add(groupUse, newKubectlCommand(), newKubeconfigCommand(), newProxyCommand(), newTokenCommand(), newImageCommand())
	add(groupMaterial, newConfigCommand(), newBundleCommand(), newLabCommand())
	root.AddCommand(newAgentCommand(), newVersionCommand())
	wrapArgs(root)
	return root
}

const (
	groupCluster  = "cluster"
	groupUse      = "use"
	groupMaterial = "material"
)

// wrapArgs makes wrong arguments a usage error, like wrong flags.
func wrapArgs(command *cobra.Command) {
	if check := command.Args; check != nil {
		command.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return &usageError{err}
			}
			return nil
		}
	}
	for _, child := range command.Commands() {
		wrapArgs(child)
	}
}
