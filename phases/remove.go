package phases

import (
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// Remove plans to take hosts out of the cluster that are dead: all of it is done to the
// cluster and on the living hosts, nothing on the dead ones.
func Remove(in Input, names []string) (plan.Plan, plan.Contents, error) {
	in.Hosts = names
	return planOf(in, view.Remove,
		(*draft).beginHosts,
		(*draft).removeDead,
		(*draft).forgetDead,
		(*draft).shutOutDead,
	)
}

// removeDead takes dead hosts out of etcd and of the API, one after another.
func (d *draft) removeDead() {
	var before []string
	for _, h := range d.drafts {
		removed := h.removeMembers(before)
		h.deleteNode(h.deletePods(removed))
		if len(removed) > 0 {
			before = removed
		}
	}
}

// forgetDead has the balancers that live send nobody to dead hosts.
func (d *draft) forgetDead() {
	nothing := func([]string) []string { return nil }
	d.balancersLose(d.in.Targets(view.Remove), nil, nothing)
}

// shutOutDead closes the others' firewalls to dead hosts: whoever has their addresses next is not let in.
func (d *draft) shutOutDead() { d.firewallsForget(d.in.Targets(view.Remove)) }

// deletePods deletes the Pods that only the dead host could end: what runs one of each,
// as a StatefulSet does, brings none elsewhere before.
func (h *hostDraft) deletePods(waits []string) []string {
	if _, there := h.in.Node(h.host.Name); !there || !h.in.ClusterFacts.Reachable {
		return nil
	}
	return []string{h.add(plan.Step{
		ID: clusterID(plan.PhaseRemoveNode, h.host.Name, "pods"), Phase: plan.PhaseRemoveNode, Lane: h.leaveLane(),
		After: after(waits), Why: "the kubelet that would end them is dead", Change: plan.Remove,
		Cluster: plan.DeletePods{Node: h.host.Name},
	})}
}
