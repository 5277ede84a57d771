package main

import (
	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/phases"
	"github.com/slipway-k8s/slipway/phases/plan"
)

func newPrepareCommand() *cobra.Command {
	var flags changeFlags
	command := &cobra.Command{
		Use:   "prepare -f FILE --bundle FILE [HOST...]",
		Short: "Put all that a host needs there, and join it to nothing",
		Long: `Bring hosts to where only joining is left: settings, binaries, containerd, images and the
units of kubelet and balancers, not started (but the host's own haproxy, in mode local). Then 'slipway init' and 'slipway join' have less to do in a
maintenance window, and 'kubeadm join' can be typed on the host itself.`,
		RunE: func(command *cobra.Command, names []string) error {
			return prepareHosts(command, flags, names)
		},
	}
	flags.addBundle(command)
	flags.add(command)
	return command
}

func prepareHosts(command *cobra.Command, flags changeFlags, names []string) error {
	s, err := flags.open(names)
	if err != nil {
		return err
	}
	defer s.Close()
	return s.change(command.Context(), flags, planner{
		workflow: "prepare",
		hosts:    func(c *cluster.Cluster) []cluster.Host { return withControlPlanes(c, names) },
		plan: func(in phases.Input) (plan.Plan, plan.Contents, error) {
			in.Hosts = names
			return phases.Prepare(in)
		},
		mints: true,
	})
}
