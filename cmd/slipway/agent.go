package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/hosts/agent"
	"github.com/slipway-k8s/slipway/hosts/local"
)

// newAgentCommand is what Slipway runs on the hosts; users have no need of it.
func newAgentCommand() *cobra.Command {
	command := &cobra.Command{
		Use:    "agent",
		Short:  "What Slipway runs on the hosts",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE:   func(command *cobra.Command, _ []string) error { return command.Help() },
	}
	command.AddCommand(newAgentServeCommand(), newAgentDialCommand())
	return command
}

func newAgentServeCommand() *cobra.Command {
	var inbox string
	command := &cobra.Command{
		Use:   "serve",
		Short: "Serve this host over stdin and stdout",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			// The operator's going away must not end an action in the middle: an end of
			// stdin tells of it, and a pipe that nobody reads is an error like others.
			signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP)
			host, err := local.New(local.Options{})
			if err != nil {
				return err
			}
			err = agent.Serve(command.Context(), host, os.Stdin, os.Stdout, agent.ServeOptions{
				Version: version, Inbox: inbox,
			})
			return errors.Join(err, host.Close())
		},
	}
	command.Flags().StringVar(&inbox, "inbox", "", "the folder that large blobs are put into")
	return command
}

func newAgentDialCommand() *cobra.Command {
	var network string
	command := &cobra.Command{
		Use:   "dial ADDRESS",
		Short: "Connect stdin and stdout to an address",
		Args:  cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			if network != "tcp" && network != "unix" {
				return &usageError{fmt.Errorf("--network is %q, want tcp or unix", network)}
			}
			var dialer net.Dialer
			conn, err := dialer.DialContext(command.Context(), network, args[0])
			if err != nil {
				return err
			}
			defer conn.Close()
			return carry(conn, os.Stdin, os.Stdout)
		},
	}
	command.Flags().StringVar(&network, "network", "tcp", "tcp or unix")
	return command
}

// carry copies both ways until the other end has said its last; the end of in only ends
// one way.
func carry(conn net.Conn, in io.Reader, out io.Writer) error {
	go func() {
		_, _ = io.Copy(conn, in) // what is lost shows in what comes back
		if half, ok := conn.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		}
	}()
	_, err := io.Copy(out, conn)
	return err
}
