package workflow

import (
	"slices"

	"github.com/slipway-k8s/slipway/certs/store"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/phases"
)

// Join brings more hosts into a cluster.
var Join = Workflow{
	Name:  "join",
	Use:   "join -f FILE --bundle FILE",
	Short: "Bring the hosts of the file that are not in the cluster yet into it",
	Long: `Show the plan for the hosts of the cluster file that are not in the cluster yet, ask, carry
it out, and verify. Control planes join one after another, as learners of etcd that get
their vote when they are in sync. On the other hosts nothing changes but the load
balancers, which are reloaded when a control plane comes; the hosts need not even be up,
but for a control plane (for most of them, where one is added).`,
	Bundle: true,
	Options: []Option{{
		Name: "remove-stale", Of: func(r *Request) any { return &r.RemoveStale },
		Usage: "remove etcd members that stand in the way: of hosts that the file lacks, or that have lost their data",
	}},
	reach: everyHost,
	few:   (*Session).newcomers,
	needs: phases.JoinReach,
	plan:  of(phases.Join),

	traffic: true,
}

// newcomers are the hosts that were not in the cluster when it was last seen from here, where
// all of them are workers, and the folder of its keys. A login costs a host more than all
// that a join looks at, and where only workers come the others have nothing to tell. None
// where nothing is known.
func (s *Session) newcomers(request Request) ([]cluster.Host, *store.Folder) {
	if request.RemoveStale { // which concerns every member's host
		return nil, nil
	}
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
