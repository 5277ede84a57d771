package phases

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
)

// checkQuorum is the check of whatever takes members out of etcd.
const checkQuorum = "quorum"

// voting are the members that have a vote. A learner has none, and counts for nothing.
func voting(members []hosts.Member) []hosts.Member {
	return slices.DeleteFunc(slices.Clone(members), func(m hosts.Member) bool { return m.Learner })
}

// memberName is what to call a member: one that never started has no name yet.
func memberName(m hosts.Member) string {
	if m.Name != "" {
		return m.Name
	}
	return strings.Join(m.Peers, ",")
}

// membersOf are the members that a host has in etcd: by its name, or by where its peers
// reach it, since one that never started has no name.
func membersOf(members []hosts.Member, host cluster.Host) []hosts.Member {
	peer := manifests.PeerURL(host)
	var found []hosts.Member
	for _, member := range members {
		if member.Name == host.Name || slices.Contains(member.Peers, peer) {
			found = append(found, member)
		}
	}
	return found
}

// noQuorum does the sum for members that leave one after another: of those that are there
// at each change, and of those that are left after it, a majority has to answer. It says
// where that is not so, with the sum; "" where all of them may go.
func noQuorum(members, leaving []hosts.Member) string {
	voters := voting(members)
	for _, goes := range voting(leaving) {
		at := slices.IndexFunc(voters, func(m hosts.Member) bool { return m.ID == goes.ID })
		if at < 0 {
			continue
		}
		if sum := tooFew(voters); sum != "" {
			return sum
		}
		voters = slices.Delete(voters, at, at+1)
		after := "after " + memberName(goes) + " leaves, "
		if len(voters) == 0 {
			return after + "etcd has no member, and the cluster's data are gone"
		}
		if sum := tooFew(voters); sum != "" {
			return after + sum
		}
	}
	return ""
}

// tooFew says, with the sum, why voting members are no quorum; "" where they are one.
func tooFew(voters []hosts.Member) string {
	var names, words []string
	answer := 0
	for _, member := range voters {
		name := memberName(member)
		names = append(names, name)
		if member.Healthy {
			answer++
		} else {
			name += ": " + orUnknown(member.Detail)
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

// quorumProblems says why the hosts' members may not leave etcd; nil where they may, and
// where none of the hosts has one.
func (in Input) quorumProblems(leaving []cluster.Host) []Problem {
	if !in.Cluster.StackedEtcd() {
		return nil
	}
	gone := in.memberships(leaving)
	if sum := noQuorum(in.ClusterFacts.Members, gone); sum != "" {
		fix := "bring back the members that do not answer, or take those out first that are dead: slipway remove --offline; the whole cluster goes by: slipway reset --all"
		if in.workflow == WorkflowRemove {
			fix = "bring up the others that do not answer first; the whole cluster goes by: slipway reset --all"
		}
		return []Problem{{Check: checkQuorum, Severity: SeverityError, Detail: sum, Fix: fix}}
	}
	return in.evenRest(gone)
}

// memberships are all members of the hosts, in the hosts' order.
func (in Input) memberships(of []cluster.Host) []hosts.Member {
	var found []hosts.Member
	for _, host := range of {
		found = append(found, membersOf(in.ClusterFacts.Members, host)...)
	}
	return found
}

// evenRest warns of an even number of members that are left: it is no safer than one less.
func (in Input) evenRest(gone []hosts.Member) []Problem {
	left := 0
	for _, member := range voting(in.ClusterFacts.Members) {
		if !slices.ContainsFunc(gone, func(m hosts.Member) bool { return m.ID == member.ID }) {
			left++
		}
	}
	if len(voting(gone)) == 0 || left == 0 || left%2 == 1 {
		return nil
	}
	return []Problem{{
		Check: checkQuorum, Severity: SeverityWarning,
		Detail: fmt.Sprintf("etcd is left with %d members, of which a quorum is %d: it survives the loss of %s, no more than with %s, and has one more to lose",
			left, hosts.Quorum(left), lossOf(left), hosts.Count(left-1, "member")),
		Fix: "add a control plane, or take one more out",
	}}
}

// lossOf says how many members may be lost.
func lossOf(voters int) string {
	spare := voters - hosts.Quorum(voters)
	if spare == 0 {
		return "none"
	}
	return fmt.Sprint(spare)
}
