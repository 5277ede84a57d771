package main

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/certs/store"
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
	few := (*session).newcomers
	if removeStale { // which concerns every member's host
		few = nil
	}
	return planner{
		workflow: "join",
		hosts:    func(c *cluster.Cluster) []cluster.Host { return c.Hosts },
		few:      few,
		reach:    phases.JoinReach,
		plan: func(in phases.Input) (plan.Plan, plan.Contents, error) {
			in.RemoveStale = removeStale
			return phases.Join(in)
		},
	}
}

// newcomers are the hosts that were not in the cluster when it was last seen from here, where
// all of them are workers, and the folder of its keys. A login costs a host more than all
// that a join looks at, and where only workers come the others have nothing to tell. None
// where nothing is known.
func (s *session) newcomers() ([]cluster.Host, *store.Folder) {
	states, err := openStates()
	if err != nil {
		return nil, nil
	}
	folder, err := s.meant(states)
	if err != nil {
		return nil, nil
	}
	few := slices.DeleteFunc(slices.Clone(s.cluster.Hosts), func(h cluster.Host) bool { return folder.Joined(h.Name) })
	for _, h := range few { // where nothing was seen from here, control planes are among them
		if !phases.ComesAlone(s.cluster, h) {
			return nil, nil
		}
	}
	return few, folder
}
