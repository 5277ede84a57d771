package checks

import (
	"slices"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

// wrongLeftOut is what must not be left out of an upgrade or of a way back: a host that is up, whose Pods of
// DaemonSets would be replaced by what is not there; and one that would be of a version that the others
// must not run beside.
func wrongLeftOut(v view.View) []Finding {
	var all []Finding
	for _, host := range v.LeftOut() {
		if sign := lifeSign(v, host); sign != "" {
			all = append(all, finding("run the command without \"--without "+host.Name+"\"; to end before its turn: --pause-after; if it has died just now, wait until the cluster has noticed",
				"it is not down%s", sign).on(host.Name))
		}
		node, there := v.Node(host.Name)
		if there && v.Workflow == view.Rollback && node.KubeletVersion != v.Bill.KubernetesVersion {
			all = append(all, finding("bring it up, and run the command without \"--without "+host.Name+"\"; if it is dead: slipway remove "+host.Name+" --offline",
				"it has %s, and all others would go back to %s", node.KubeletVersion, v.Bill.KubernetesVersion).on(host.Name))
		}
	}
	return all
}

// withoutLeftOut is the view without what is seen of hosts that are left out.
func withoutLeftOut(v view.View) view.View {
	of := v.Memberships(v.LeftOut())
	v.ClusterFacts.Nodes = slices.DeleteFunc(slices.Clone(v.ClusterFacts.Nodes), func(node hosts.Node) bool { return slices.Contains(v.Without, node.Name) })
	v.ClusterFacts.Health = slices.DeleteFunc(slices.Clone(v.ClusterFacts.Health), func(health hosts.Health) bool { return slices.Contains(v.Without, health.Host) })
	v.ClusterFacts.Members = slices.DeleteFunc(slices.Clone(v.ClusterFacts.Members), func(member hosts.Member) bool {
		return slices.ContainsFunc(of, func(m hosts.Member) bool { return m.ID == member.ID })
	})
	return v
}

// QuorumInTurn is why etcd cannot do without the member of a control plane that is changed, where others
// are left out.
func QuorumInTurn(v view.View, host cluster.Host) []Finding {
	members, own := view.Voting(v.ClusterFacts.Members), view.MembersOf(v.ClusterFacts.Members, host)
	for i, member := range members {
		if slices.ContainsFunc(own, func(m hosts.Member) bool { return m.ID == member.ID }) {
			members[i].Healthy, members[i].Detail = false, "it starts anew"
		}
	}
	sum := view.TooFew(members)
	if len(v.Memberships(v.LeftOut())) == 0 || sum == "" {
		return nil
	}
	found := finding("bring back what is left out, or put another control plane in its place: slipway remove HOST --offline, and slipway join",
		"its etcd starts anew in its turn, and then %s", sum).on(host.Name)
	found.Check, found.Severity = "Quorum", Error
	return []Finding{found}
}
