package checks

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

// joiningPlanes are the control planes that are to become members of etcd.
func joiningPlanes(v view.View) []cluster.Host {
	if !v.Cluster.StackedEtcd() || !v.ClusterFacts.Reachable || !v.Completed() {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(targets(v)), func(host cluster.Host) bool { return !host.HasRole(cluster.RoleControlPlane) })
}

// lasting are the members that no join removes.
func lasting(v view.View) []hosts.Member {
	stale := v.StaleMembers()
	return slices.DeleteFunc(slices.Clone(v.ClusterFacts.Members), func(m hosts.Member) bool {
		return slices.ContainsFunc(stale, func(s view.StaleMember) bool { return s.Member.ID == m.ID })
	})
}

// membersInTheWay says why control planes cannot become members of etcd.
func membersInTheWay(v view.View) []Finding {
	planes := joiningPlanes(v)
	if len(planes) == 0 {
		return nil
	}
	if len(v.ClusterFacts.Members) == 0 {
		return []Finding{finding("bring etcd up first, on most of the control planes",
			"what members etcd has is not known: %s", cmp.Or(v.ClusterFacts.MembersCause, "cause unknown"))}
	}
	all := staleMembers(v)
	stay := lasting(v)
	for _, member := range stay {
		if name := v.NameOf(member); member.Learner && !v.Comes(name) {
			all = append(all, finding("let it complete first: slipway join", "it is a learner of etcd's, which takes one at a time").on(name))
		}
	}
	for _, host := range planes {
		if facts, seen := v.Facts[host.Name]; seen && view.HasEtcdData(facts) && len(view.MembersOf(stay, host)) == 0 {
			all = append(all, otherData(host).on(host.Name))
		}
	}
	return all
}

// staleMembers stand in the way, unless they may be removed. One that answers is somebody's: it
// is never removed on the way.
func staleMembers(v view.View) []Finding {
	var all []Finding
	for _, stale := range v.StaleMembers() {
		const seen = "etcd has the member %s, but %s"
		switch {
		case stale.Member.Healthy:
			all = append(all, finding("put its host into the cluster file as it is; if it has to go: slipway reset, by a file that has it",
				seen+"; it answers", memberText(stale.Member), stale.Why))
		case !v.RemoveStale:
			all = append(all, finding("if its host is gone for good, have it removed: slipway join --remove-stale", seen, memberText(stale.Member), stale.Why))
		}
	}
	return all
}

// memberText names a member for people.
func memberText(m hosts.Member) string {
	return strings.TrimSpace(m.Name + " (" + m.ID + ", " + strings.Join(m.Peers, ",") + ")")
}

// quorumForJoin says why etcd cannot lose the members that a join removes, nor take in new ones: it
// takes in none beside a member that does not answer, since that might make it lose its quorum.
func quorumForJoin(v view.View) []Finding {
	planes, stay := joiningPlanes(v), lasting(v)
	if len(planes) == 0 || len(v.ClusterFacts.Members) == 0 {
		return nil
	}
	var all []Finding
	if v.RemoveStale {
		var gone []hosts.Member
		for _, stale := range v.StaleMembers() {
			if !stale.Member.Healthy {
				gone = append(gone, stale.Member)
			}
		}
		if sum := view.NoQuorum(v.ClusterFacts.Members, gone); sum != "" {
			all = append(all, finding("bring back the members that do not answer", "%s", sum))
		}
	}
	if !slices.ContainsFunc(planes, func(host cluster.Host) bool { return len(view.MembersOf(stay, host)) == 0 }) {
		return all
	}
	for _, member := range view.Voting(stay) {
		if name := view.MemberName(member); !member.Healthy {
			all = append(all, finding("bring it back; if it is dead: slipway remove --offline "+name,
				"etcd takes in no new member while %s does not answer: %s", name, cmp.Or(member.Detail, "cause unknown")).on(member.Name))
		}
	}
	return all
}

// evenMembers warns of an even number of control planes, where each has a vote in etcd.
func evenMembers(v view.View) []Finding {
	n := len(v.Pool())
	return when(v.Cluster.StackedEtcd() && n > 0 && n%2 == 0, warning("take an odd number of control planes",
		"etcd will have %d members, of which a quorum is %d: it survives the loss of %s, no more than with %d, and has one more to lose",
		n, hosts.Quorum(n), lossOf(n), n-1))
}

// evenRest warns of an even number of members that are left: it is no safer than one less.
func evenRest(v view.View) []Finding {
	gone := view.Voting(v.Memberships(leaving(v, cluster.RoleControlPlane)))
	left := 0
	for _, member := range view.Voting(v.ClusterFacts.Members) {
		if !slices.ContainsFunc(gone, func(m hosts.Member) bool { return m.ID == member.ID }) {
			left++
		}
	}
	if !v.Cluster.StackedEtcd() || len(gone) == 0 || left == 0 || left%2 == 1 || len(quorumForLeaving(v)) > 0 {
		return nil
	}
	return []Finding{warning("add a control plane, or take one more out",
		"etcd is left with %d members, of which a quorum is %d: it survives the loss of %s, no more than with %s, and has one more to lose",
		left, hosts.Quorum(left), lossOf(left), hosts.Count(left-1, "member"))}
}

// lossOf says how many members may be lost.
func lossOf(voters int) string {
	spare := voters - hosts.Quorum(voters)
	if spare == 0 {
		return "none"
	}
	return fmt.Sprint(spare)
}
