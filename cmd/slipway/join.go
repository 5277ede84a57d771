package main

import (
	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/phases"
)

func newJoinCommand() *cobra.Command {
	var flags changeFlags
	command := &cobra.Command{
		Use:   "join -f FILE --bundle FILE",
		Short: "Bring the hosts of the file that are not in the cluster yet into it",
		Long: `Show the plan for the hosts of the cluster file that are not in the cluster yet, ask, carry
it out, and verify. Nothing on the other hosts changes; they need not even be up, but for
one control plane.`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return change(command.Context(), flags, joinPlanner())
		},
	}
	flags.addBundle(command)
	flags.add(command)
	return command
}

func joinPlanner() planner {
	return planner{
		workflow: "join",
		hosts:    func(c *cluster.Cluster) []cluster.Host { return c.Hosts },
		plan:     phases.Join,
	}
}
