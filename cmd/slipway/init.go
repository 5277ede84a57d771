package main

import (
	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/phases"
)

func newInitCommand() *cobra.Command {
	var flags changeFlags
	command := &cobra.Command{
		Use:   "init -f FILE --bundle FILE",
		Short: "Bring up a cluster on the hosts of a cluster file",
		Long: `Show the plan for every host of the cluster file, ask, carry it out, and verify. What an
interrupted or failed init left is taken up where it is: run the same command again.`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return change(command.Context(), flags, initPlanner())
		},
	}
	flags.addBundle(command)
	flags.add(command)
	return command
}

func initPlanner() planner {
	return planner{
		workflow: "init",
		hosts:    func(c *cluster.Cluster) []cluster.Host { return c.Hosts },
		plan:     phases.Init,
		mints:    true,
		health:   true,
	}
}
