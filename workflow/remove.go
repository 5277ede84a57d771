package workflow

import (
	"context"
	"errors"
	"slices"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/phases"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// Remove takes dead hosts out of a cluster.
var Remove = Workflow{
	Name:  "remove",
	Use:   "remove -f FILE HOST... --offline",
	Short: "Take dead hosts out of the cluster without contacting them",
	Long: `Take hosts out of the cluster that are dead and will not come back: their etcd member, node
and Pods, and their places in the load balancers. All of it is done from the living hosts;
the dead ones are never contacted. A host that answers leaves by: slipway reset.`,
	Example: "  slipway remove -f ha.yaml cp-3 --offline",
	Args:    Hosts,
	Options: []Option{{
		Name: "offline", Of: func(r *Request) any { return &r.Offline },
		Usage: "the hosts are dead: do not contact them",
	}},
	check: func(r Request) error {
		if !r.Offline {
			return usagef("remove is for hosts that are dead: say --offline; one that answers leaves by: slipway reset")
		}
		return nil
	},
	begin: func(_ context.Context, s *Session, r *Run) error {
		for _, name := range r.Hosts {
			s.down[name] = errDead
		}
		return nil
	},
	reach: func(c *cluster.Cluster, r Request) []cluster.Host {
		return slices.DeleteFunc(slices.Clone(c.Hosts), func(h cluster.Host) bool { return slices.Contains(r.Hosts, h.Name) })
	},
	plan: of(func(in phases.Input) (plan.Plan, plan.Contents, error) { return phases.Remove(in, in.Hosts) }),
	after: func(s *Session, r *Run, err error) error {
		if err != nil {
			return err
		}
		return s.dropLeaves(r.Hosts)
	},
}

// errDead stands for the connection to a host that is said to be dead.
var errDead = errors.New("it is said to be dead, and not contacted")
