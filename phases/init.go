package phases

import (
	"fmt"

	"github.com/slipway-k8s/slipway/cluster"
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
			d.plan.Warnings = append(d.plan.Warnings, fmt.Sprintf("%s has etcd's data, but no API server answers (%s): what the cluster holds is not known, and every object is compared only when one does",
				host.Name, orUnknown(d.in.ClusterFacts.Cause)))
			return
		}
	}
}

// membershipProblems says what init must not do once it has completed: hosts come by join,
// and the endpoint stays where it is.
func (in Input) membershipProblems(targets []cluster.Host) []Problem {
	if !in.Completed() {
		return in.newcomersInSilence(targets)
	}
	moved := in.movedEndpoint()
	var outside []string
	for _, host := range targets {
		if !in.Joined(host.Name) {
			outside = append(outside, host.Name)
		}
	}
	if len(outside) == 0 {
		return moved
	}
	return append(moved, Problem{
		Check: "membership", Severity: SeverityError,
		Detail: fmt.Sprintf("the cluster %s is running already, and %s not in it", in.Cluster.Name, isOrAre(outside)),
		Fix:    "bring in what is new by: slipway join",
	})
}

// newcomersInSilence refuses hosts that are new to a cluster that was complete and whose API is
// silent at the moment: else they would be brought in as if the cluster were still being made.
func (in Input) newcomersInSilence(targets []cluster.Host) []Problem {
	if in.ClusterFacts.Reachable || len(in.JoinedBefore) == 0 {
		return nil
	}
	var outside []string
	for _, host := range targets {
		if facts, looked := in.Facts[host.Name]; looked && !in.HasCome(host, facts) {
			outside = append(outside, host.Name)
		}
	}
	if len(outside) == 0 {
		return nil
	}
	return []Problem{{
		Check: "membership", Severity: SeverityError,
		Detail: fmt.Sprintf("the cluster %s was complete, no API server of it answers now (%s), and %s not in it", in.Cluster.Name, orUnknown(in.ClusterFacts.Cause), isOrAre(outside)),
		Fix:    "see what holds the API servers up by: slipway status; then bring in what is new by: slipway join",
	}}
}
