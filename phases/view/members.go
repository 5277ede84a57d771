package view

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
)

// Voting are the members that have a vote. A learner has none, and counts for nothing.
func Voting(members []hosts.Member) []hosts.Member {
	return slices.DeleteFunc(slices.Clone(members), func(m hosts.Member) bool { return m.Learner })
}

// MemberName is what to call a member: one that never started has no name yet.
func MemberName(m hosts.Member) string {
	if m.Name != "" {
		return m.Name
	}
	return strings.Join(m.Peers, ",")
}

// MembersOf are the members that a host has in etcd: by its name, or by where its peers
// reach it, since one that never started has no name.
func MembersOf(members []hosts.Member, host cluster.Host) []hosts.Member {
	peer := manifests.PeerURL(host)
	var found []hosts.Member
	for _, member := range members {
		if member.Name == host.Name || slices.Contains(member.Peers, peer) {
			found = append(found, member)
		}
	}
	return found
}

// Memberships are all members of the hosts, in the hosts' order.
func (v View) Memberships(of []cluster.Host) []hosts.Member {
	var found []hosts.Member
	for _, host := range of {
		found = append(found, MembersOf(v.ClusterFacts.Members, host)...)
	}
	return found
}

// NameOf is the name of the host that a member's peers lead to.
func (v View) NameOf(member hosts.Member) string {
	for _, host := range v.Cluster.ControlPlanes() {
		if slices.Contains(member.Peers, manifests.PeerURL(host)) {
			return host.Name
		}
	}
	return member.ID
}

// NoQuorum does the sum for members that leave one after another: of those that are there
// at each change, and of those that are left after it, a majority has to answer. It says
// where that is not so, with the sum; "" where all of them may go.
func NoQuorum(members, leaving []hosts.Member) string {
	voters := Voting(members)
	for _, goes := range Voting(leaving) {
		at := slices.IndexFunc(voters, func(m hosts.Member) bool { return m.ID == goes.ID })
		if at < 0 {
			continue
		}
		if sum := TooFew(voters); sum != "" {
			return sum
		}
		voters = slices.Delete(voters, at, at+1)
		after := "after " + MemberName(goes) + " leaves, "
		if len(voters) == 0 {
			return after + "etcd has no member, and the cluster's data are gone"
		}
		if sum := TooFew(voters); sum != "" {
			return after + sum
		}
	}
	return ""
}

// TooFew says, with the sum, why voting members are no quorum; "" where they are one.
func TooFew(voters []hosts.Member) string {
	var names, words []string
	answer := 0
	for _, member := range voters {
		name := MemberName(member)
		names = append(names, name)
		if member.Healthy {
			answer++
		} else {
			name += ": " + cmp.Or(member.Detail, "cause unknown")
		}
		words = append(words, name)
	}
	need := hosts.Quorum(len(voters))
	if answer >= need {
		return ""
	}
	return fmt.Sprintf("etcd has %s (%s), of which a quorum is %d; %s (%s)",
		hosts.Count(len(voters), "member"), strings.Join(names, ", "), need, answering(answer), strings.Join(words, "; "))
}

func answering(n int) string {
	switch n {
	case 0:
		return "none of them answers"
	case 1:
		return "only 1 answers"
	}
	return fmt.Sprintf("only %d answer", n)
}

// StaleMember is a member of etcd that stands in the way of a join, and why.
type StaleMember struct {
	Member hosts.Member
	Why    string
}

// StaleMembers are those that no host of the file can be.
func (v View) StaleMembers() []StaleMember {
	var stale []StaleMember
	for _, member := range v.ClusterFacts.Members {
		if why := v.whyStale(member); why != "" {
			stale = append(stale, StaleMember{member, why})
		}
	}
	return stale
}

func (v View) whyStale(member hosts.Member) string {
	name := member.Name
	if name == "" {
		name = v.NameOf(member)
	}
	host, known := v.Cluster.Host(name)
	if !known || !host.HasRole(cluster.RoleControlPlane) {
		return "the cluster file has no such control plane"
	}
	if want := manifests.PeerURL(host); !slices.Contains(member.Peers, want) {
		return fmt.Sprintf("the cluster file has %s at %s", host.Name, want)
	}
	facts, seen := v.Facts[name]
	if seen && (member.Name != "" || HasBegun(facts)) && v.Comes(name) && !HasEtcdData(facts) {
		return "it has run, and its host has no data of etcd's any more"
	}
	return ""
}

// SnapshotFrom is the control plane that a snapshot of etcd is taken from, and its member: the first
// of the file whose member is well, of those that are reached. false where there is none.
func (v View) SnapshotFrom() (cluster.Host, hosts.Member, bool) {
	if !v.Cluster.StackedEtcd() {
		return cluster.Host{}, hosts.Member{}, false
	}
	for _, host := range v.Cluster.ControlPlanes() {
		_, reached := v.Facts[host.Name]
		for _, member := range Voting(MembersOf(v.ClusterFacts.Members, host)) {
			if reached && member.Healthy {
				return host, member, true
			}
		}
	}
	return cluster.Host{}, hosts.Member{}, false
}
