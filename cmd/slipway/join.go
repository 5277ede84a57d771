package main

import (
	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/phases"
	"github.com/slipway-k8s/slipway/phases/plan"
)

func newJoinCommand() *cobra.Command {
	var (
		flags       changeFlags
		removeStale bool
	)
	command := &cobra.Command{
		Use:   "join -f FILE --bundle FILE",
		Short: "Bring the hosts of the file that are not in the cluster yet into it",
		Long: `Show the plan for the hosts of the cluster file that are not in the cluster yet, ask, carry
it out, and verify. Control planes join one after another, as learners of etcd that get
their vote when they are in sync. On the other hosts nothing changes but the load
balancers, which are reloaded when a control plane comes; the hosts need not even be up,
but for a control plane (for most of them, where one is added).`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return change(command.Context(), flags, joinPlanner(removeStale))
		},
	}
	flags.addBundle(command)
	flags.add(command)
	command.Flags().BoolVar(&removeStale, "remove-stale", false, "remove etcd members that stand in the way: of hosts that the file lacks, or that have lost their data")
	return command
}

func joinPlanner(removeStale bool) planner {
	return planner{
		workflow: "join",
		hosts:    func(c *cluster.Cluster) []cluster.Host { return c.Hosts },
		plan: func(in phases.Input) (plan.Plan, plan.Contents, error) {
			in.RemoveStale = removeStale
			return phases.Join(in)
		},
	}
}
