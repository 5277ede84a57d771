package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/hosts/agent"
	"github.com/slipway-k8s/slipway/hosts/local"
)

// newAgentCommand is what Slipway runs on the hosts; users have no need of it.
func newAgentCommand(waits *awaited) *cobra.Command {
	command := &cobra.Command{
		Use:    "agent",
		Short:  "What Slipway runs on the hosts",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE:   func(command *cobra.Command, _ []string) error { return command.Help() },
	}
	command.AddCommand(newAgentServeCommand(waits))
	return command
}

func newAgentServeCommand(waits *awaited) *cobra.Command {
	var inbox string
	command := &cobra.Command{
		Use:   "serve",
		Short: "Serve this host over stdin and stdout",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			// The operator's going away must not end an action in the middle: an end of
			// stdin tells of it, and a pipe that nobody reads is an error like others.
			signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP)
			// What a library or another program makes for the agent does not depend on the
			// start file of somebody's login shell.
			syscall.Umask(0o022)
			ctx, stop := untilToldToEnd(command.Context(), waits)
			defer stop()
			host, err := local.New(local.Options{})
			if err != nil {
				return err
			}
			err = agent.Serve(ctx, host, os.Stdin, os.Stdout, agent.ServeOptions{
				Version: version, Inbox: inbox,
			})
			return errors.Join(err, host.Close())
		},
	}
	command.Flags().StringVar(&inbox, "inbox", "", "the folder that large blobs are put into")
	return command
}

// untilToldToEnd ends with the first SIGTERM, and takes the second as well: systemd ends the
// agent and the sudo that started it, which passes its own on. Whatever comes, the agent takes
// the time that an action needs to get to its next safe point, and Serve bounds that.
func untilToldToEnd(ctx context.Context, waits *awaited) (context.Context, context.CancelFunc) {
	waits.endsItself()
	return signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
}
