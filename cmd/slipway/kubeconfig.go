package main

import (
	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/workflow"
)

func newKubeconfigCommand(p *program) *cobra.Command {
	var (
		flags        clusterFlags
		wanted       workflow.Kubeconfig
		out, via     string
		merge, force bool
	)
	command := &cobra.Command{
		Use:   "kubeconfig -f FILE [--merge | --out FILE]",
		Short: "Show a kubeconfig, or put it into yours",
		Long: `Make a kubeconfig for an administrator (group kubeadm:cluster-admins), with a
certificate of its own. It points to the local port of 'slipway proxy', or with
--via endpoint straight to the API's endpoint, for machines that have a route to it.

It is printed; --merge puts it into your own kubeconfig (of KUBECONFIG, or ~/.kube/config),
--out into the file named. What such a file has of other clusters stays, as do comments and
the current context.`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if via != "proxy" && via != "endpoint" {
				return usagef("--via %s: must be proxy or endpoint", via)
			}
			if merge && out != "" {
				return usagef("--merge, --out: one file is written: say one of them")
			}
			wanted.Endpoint = via == "endpoint"
			s, err := p.openAPI(command.Context(), flags)
			if err != nil {
				return err
			}
			defer s.Close()
			if merge || out != "" {
				return s.MergeKubeconfig(wanted, out, force)
			}
			data, err := s.Kubeconfig(wanted)
			if err == nil {
				_, err = command.OutOrStdout().Write(data)
			}
			return err
		},
	}
	flags.add(command)
	command.Flags().StringVar(&out, "out", "", "put it into this file")
	command.Flags().BoolVar(&merge, "merge", false, "put it into your own kubeconfig")
	command.Flags().StringVar(&wanted.Context, "context", "", "what to call cluster, user and context there (default: NAME, and twice kubernetes-admin@NAME)")
	command.Flags().BoolVar(&force, "force", false, "replace what is there by these names, though it leads to another cluster")
	command.Flags().StringVar(&via, "via", "proxy", "what it points to: proxy (the local port of slipway proxy) or endpoint")
	command.Flags().IntVar(&wanted.Port, "port", workflow.ProxyPort, "the local port of slipway proxy")
	_ = command.MarkFlagFilename("out")
	return command
}
