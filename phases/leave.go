package phases

import (
	"slices"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// drainTimeout is how long, in seconds, a node's Pods have to go elsewhere.
const drainTimeout = 300

// without is the input of a cluster that the hosts are not in any more.
func (in Input) without(leaving []cluster.Host) Input {
	rest := *in.Cluster
	rest.Hosts = slices.DeleteFunc(slices.Clone(rest.Hosts), func(host cluster.Host) bool { return among(leaving, host.Name) })
	in.Cluster = &rest
	return in
}

// knownToBalancers tells whether the host's leaving concerns the balancers: it is one that they
// send clients to, or a peer of those that hold the virtual address.
func knownToBalancers(host cluster.Host) bool {
	return host.HasRole(cluster.RoleControlPlane) || host.HasRole(cluster.RoleLoadBalancer)
}

// cordon keeps new Pods away from a node that leaves, while its kubelet can still end
// those that it has.
func (h *hostDraft) cordon() {
	node, drains := h.drains()
	if !drains || node.Unschedulable {
		return
	}
	h.add(plan.Step{
		ID: clusterID(plan.PhaseRemoveNode, h.host.Name, "cordon"), Phase: plan.PhaseRemoveNode, Lane: h.leaveLane(),
		Why: "nothing new should come to it", Change: plan.Update, Cluster: plan.Cordon{Node: h.host.Name},
	})
}

// drains tells whether the host has a node whose Pods can be moved away.
func (h *hostDraft) drains() (hosts.Node, bool) {
	node, there := h.in.Node(h.host.Name)
	return node, there && h.in.ClusterFacts.Reachable && h.facts.Units[manifests.KubeletUnit].Active == "active"
}

func (h *hostDraft) leaveLane() string { return string(plan.PhaseRemoveNode) + "/" + h.host.Name }

// drain moves a node's Pods away, when no other node that leaves takes any in.
func (h *hostDraft) drain(cordoned []string) {
	if _, drains := h.drains(); !drains {
		return
	}
	h.add(plan.Step{
		ID: clusterID(plan.PhaseRemoveNode, h.host.Name, "drain"), Phase: plan.PhaseRemoveNode, Lane: h.leaveLane(),
		After: after(cordoned),
		Why:   "its Pods have to run elsewhere", Change: plan.Update,
		Cluster: plan.Drain{Node: h.host.Name, DrainOptions: plan.DrainOptions{Timeout: drainTimeout, DeleteEmptyDirData: true}},
	})
}

// quorumHolds looks once more, when the host's turn has come, whether etcd can do without
// its member: since the plan was made, draining alone may have taken minutes.
func (h *hostDraft) quorumHolds(waits []string) []string {
	if !h.in.Cluster.StackedEtcd() {
		return nil
	}
	for _, member := range view.Voting(view.MembersOf(h.in.ClusterFacts.Members, h.host)) {
		if member.Name == "" {
			continue
		}
		return []string{h.add(plan.Step{
			ID: clusterID(plan.PhaseRemoveEtcdMember, h.host.Name, "quorum"), Phase: plan.PhaseRemoveEtcdMember, Lane: h.leaveLane(),
			After: after(waits), Why: "another may have gone since the plan was made", Subject: plan.Subject{Member: member.Name}, Cluster: plan.QuorumHolds{Without: member.Name},
		})}
	}
	return nil
}

// removeMembers takes the host's members out of etcd. One that leads hands that over
// first: the others then need no election.
func (h *hostDraft) removeMembers(waits []string) []string {
	if !h.in.Cluster.StackedEtcd() {
		return nil
	}
	lane, id := h.leaveLane(), clusterID(plan.PhaseRemoveEtcdMember, h.host.Name)
	members := view.MembersOf(h.in.ClusterFacts.Members, h.host)
	var removed []string
	for i, member := range members {
		step := id
		if i > 0 {
			step += "/" + member.ID
		}
		if member.Healthy && !member.Learner && member.Name != "" {
			waits = []string{h.add(plan.Step{
				ID: step + "/move-leader", Phase: plan.PhaseRemoveEtcdMember, Lane: lane, After: after(waits),
				Why: "so that the other members need no election", Change: plan.Update,
				Subject: plan.Subject{Member: member.Name}, Cluster: plan.MoveLeader{From: member.Name},
			})}
		}
		removed = append(removed, h.add(plan.Step{
			ID: step, Phase: plan.PhaseRemoveEtcdMember, Lane: lane, After: after(waits),
			Why: "the host leaves the cluster", Change: plan.Remove, Subject: plan.Subject{Member: view.MemberName(member)},
			Cluster: plan.MemberRemove{ID: member.ID, Name: member.Name},
		}))
	}
	return removed
}

// deleteNode deletes the node once its kubelet cannot register it again.
func (h *hostDraft) deleteNode(waits []string) {
	if _, there := h.in.Node(h.host.Name); !there || !h.in.ClusterFacts.Reachable {
		return
	}
	h.add(plan.Step{
		ID: clusterID(plan.PhaseRemoveNode, h.host.Name, "delete"), Phase: plan.PhaseRemoveNode,
		Lane: h.leaveLane(), After: after(waits),
		Why: "the host leaves the cluster", Change: plan.Remove,
		Cluster: plan.Delete{Object: hosts.ObjectKey{APIVersion: "v1", Kind: "Node", Name: h.host.Name}},
	})
}

// balancersLose takes the hosts that leave out of the balancers that stay, and out of cluster-info,
// after the steps given. They stay peers of keepalived until their own is stopped (which stop
// does): a backup that gets no advertisement promotes itself, and two hosts would have the address.
// It gives what the rest of the leaving has to wait for.
func (d *draft) balancersLose(leaving []cluster.Host, waits []string, stop func(waits []string) []string) []string {
	if !slices.ContainsFunc(leaving, knownToBalancers) {
		return nil
	}
	rest := d.in.without(leaving)
	d.findFollowers(rest, leaving)
	d.followInfo(rest, waits)
	avoided := waits
	for _, h := range d.followers {
		avoided = join(avoided, h.follow(waits, manifests.HAProxyUnit))
	}
	waits = join(avoided, stop(avoided))
	for _, h := range d.followers {
		h.follow(waits, manifests.KeepalivedUnit)
		h.tidy()
	}
	return waits
}
