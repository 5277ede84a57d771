package phases

import (
	"fmt"

	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// Init plans all that lies between the hosts as they are and the cluster of the file.
// On a cluster that is so already the plan is empty; after an interrupted init it is
// the rest. No control plane comes first: all hosts are worked on at once.
func Init(in Input) (plan.Plan, plan.Contents, error) {
	return planOf(in, view.Init,
		(*draft).warnOfSilence,
		(*draft).renderCluster,
		(*draft).renderHosts,
		(*draft).installControlPlanes,
		(*draft).startControlPlanes,
		(*draft).startControllers,
		(*draft).installBalancers,
		(*draft).joinWorkers,
		(*draft).awaitEndpoints,
		(*draft).applyAddons,
		(*draft).uploadConfig,
		(*draft).bootstrapTokens,
		(*draft).awaitNodes,
		(*draft).takeTurns,
		(*draft).markNodes,
		(*draft).awaitAddons,
		(*draft).pruneObjects,
		(*draft).pruneHosts,
		(*draft).complete,
	)
}

// warnOfSilence tells what the plan does not know: a cluster whose API is silent may hold
// everything that the plan calls absent.
func (d *draft) warnOfSilence() {
	if d.in.ClusterFacts.Reachable {
		return
	}
	for _, host := range d.in.Cluster.ControlPlanes() {
		if facts, seen := d.in.Facts[host.Name]; seen && view.HasEtcdData(facts) {
			d.plan.Warnings = append(d.plan.Warnings, fmt.Sprintf("%s has etcd's data, but no API server answers (%s): the objects in the cluster are not known; each is compared when an API server answers",
				host.Name, orUnknown(d.in.ClusterFacts.Cause)))
			return
		}
	}
}
