package main

import (
	"context"
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/phases"
	"github.com/slipway-k8s/slipway/phases/plan"
)

func newRemoveCommand() *cobra.Command {
	var (
		flags   changeFlags
		offline bool
	)
	command := &cobra.Command{
		Use:   "remove -f FILE HOST... --offline",
		Short: "Take dead hosts out of the cluster, without a word to them",
		Long: `Take hosts out of the cluster that are dead and will not come back: their etcd member, node
and Pods, and their places in the load balancers. All of it is done from the living hosts;
the dead ones are never contacted. A host that answers leaves by: slipway reset.`,
		Example: "  slipway remove -f ha.yaml cp-3 --offline",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(command *cobra.Command, names []string) error {
			if !offline {
				return usagef("remove is for hosts that are dead: say --offline; one that answers leaves by: slipway reset")
			}
			return runRemove(command.Context(), flags, names)
		},
	}
	flags.clusterFlags.add(command)
	flags.add(command)
	command.Flags().BoolVar(&offline, "offline", false, "the hosts are dead: do not contact them")
	return command
}

func runRemove(ctx context.Context, flags changeFlags, names []string) error {
	s, err := flags.open(names)
	if err != nil {
		return err
	}
	defer s.Close()
	for _, name := range names {
		s.down[name] = errDead
	}
	if err := s.change(ctx, flags, removePlanner(names)); err != nil {
		return err
	}
	return s.dropLeaves(names)
}

// errDead stands for the connection to a host that is said to be dead.
var errDead = errors.New("it is said to be dead, and not contacted")

func removePlanner(names []string) planner {
	return planner{
		workflow: "remove",
		hosts: func(c *cluster.Cluster) []cluster.Host {
			return slices.DeleteFunc(slices.Clone(c.Hosts), func(h cluster.Host) bool { return slices.Contains(names, h.Name) })
		},
		plan: func(in phases.Input) (plan.Plan, plan.Contents, error) { return phases.Remove(in, names) },
	}
}
