package checks

import (
	"cmp"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

// leastMembers is how many voting members of etcd are needed to do without one.
const leastMembers = 3

const (
	growCluster = "add control planes to the file, and bring them in by: slipway join"
	seeStatus   = "see why by: slipway status; what a test that was killed has left is put back by: slipway init"
)

func singleEndpoint(v view.View) []Finding {
	return when(v.Cluster.Endpoint.Mode == cluster.EndpointControlPlane && v.ClusterFacts.Reachable,
		finding("make a cluster with endpoint.mode vip, loadBalancers, local or external",
			"the endpoint is the address of the only control plane, and goes with it"))
}

func tooFewToSpare(v view.View) []Finding {
	n := len(view.Voting(v.ClusterFacts.Members))
	return when(v.Cluster.StackedEtcd() && v.ClusterFacts.Reachable && n < leastMembers,
		finding(growCluster, "etcd has %s with a vote; to do without one it needs %d", hosts.Count(n, "member"), leastMembers))
}

// unwell lists what does not answer of etcd and of the control planes: each control plane can only
// be spared while all others are well.
func unwell(v view.View) []Finding {
	if !v.ClusterFacts.Reachable {
		return nil
	}
	var all []Finding
	if !v.Cluster.StackedEtcd() && len(v.Cluster.ControlPlanes()) < 2 {
		all = append(all, finding(growCluster, "there is no second control plane"))
	}
	for _, member := range v.ClusterFacts.Members {
		switch name := view.MemberName(member); {
		case member.Learner:
			all = append(all, finding("let the join that was interrupted complete: slipway join", "etcd's member %s is a learner: a control plane is still joining", name))
		case !member.Healthy:
			all = append(all, finding(seeStatus, "etcd's member %s does not answer: %s", name, cmp.Or(member.Detail, "cause unknown")))
		}
	}
	for _, health := range v.ClusterFacts.Health {
		if !health.Healthy {
			all = append(all, finding(seeStatus, "%s does not answer: %s", health.Component, cmp.Or(health.Detail, "cause unknown")).on(health.Host))
		}
	}
	return all
}

// downUnits are the units that should run and do not.
func downUnits(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	if !v.ClusterFacts.Reachable {
		return nil
	}
	var all []Finding
	for _, unit := range view.TestedUnits(v.Cluster, host) {
		if state := facts.Units[unit]; state.Active != "active" {
			all = append(all, finding("put it back by: slipway init", "%s is %s", unit, cmp.Or(state.Active, "empty")))
		}
	}
	return all
}
