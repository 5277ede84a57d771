package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/workflow"
)

func newProxyCommand(p *program) *cobra.Command {
	var (
		flags clusterFlags
		port  int
	)
	command := &cobra.Command{
		Use:   "proxy -f FILE",
		Short: "Open a local port to the API server, through SSH",
		Long: `Listen on a port of this machine's loopback and carry what comes to the API server of
any control plane, through SSH, until interrupted. TLS goes through untouched: who
connects needs a kubeconfig, such as 'slipway kubeconfig' writes.`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			s, err := p.openAPI(command.Context(), flags)
			if err != nil {
				return err
			}
			defer s.Close()
			listener, port, err := listenLocal(port)
			if err != nil {
				return err
			}
			fmt.Fprintf(command.OutOrStdout(), "https://127.0.0.1:%d carries to %s; Ctrl-C ends it\n", port, s.Name())
			err = s.API().Forward(command.Context(), listener)
			if command.Context().Err() != nil {
				return nil // Ctrl-C is how it ends
			}
			return err
		},
	}
	flags.add(command)
	command.Flags().IntVar(&port, "port", workflow.ProxyPort, "the local port; 0 takes a free one")
	return command
}
