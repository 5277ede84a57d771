package main

import (
	"context"
	"fmt"
	"net"

	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/workflow"
)

// openAPI is open for a command that only speaks to the API.
func (p *program) openAPI(ctx context.Context, flags clusterFlags) (*workflow.Session, error) {
	s, err := p.open(flags, p.silent())
	if err != nil {
		return nil, err
	}
	if err := s.ConnectAPI(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// newAPICommand is a command that only speaks to the API.
func newAPICommand(p *program, use, short string, do func(ctx context.Context, s *workflow.Session, args []string) (result, error)) *cobra.Command {
	var flags clusterFlags
	command := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs}
	format := outputFlag(command)
	command.RunE = func(command *cobra.Command, args []string) error {
		s, err := p.openAPI(command.Context(), flags)
		if err != nil {
			return err
		}
		defer s.Close()
		found, err := do(command.Context(), s, args)
		if err != nil {
			return err
		}
		return found.show(command.OutOrStdout(), *format)
	}
	flags.add(command)
	return command
}

// listenLocal opens a port that only this machine can reach; 0 takes a free one.
func listenLocal(port int) (net.Listener, int, error) {
	address := net.JoinHostPort("127.0.0.1", fmt.Sprint(port))
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, 0, fmt.Errorf("listen on %s: %w", address, err)
	}
	return listener, listener.Addr().(*net.TCPAddr).Port, nil
}
