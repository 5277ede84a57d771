package phases

import (
	"fmt"
	"slices"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

// checkQuorum is the check of whatever takes members out of etcd.
const checkQuorum = "quorum"

// quorumProblems says why the hosts' members may not leave etcd; nil where they may, and
// where none of the hosts has one.
func (in Input) quorumProblems(leaving []cluster.Host) []Problem {
	if !in.Cluster.StackedEtcd() {
		return nil
	}
	gone := in.Memberships(leaving)
	if sum := view.NoQuorum(in.ClusterFacts.Members, gone); sum != "" {
		fix := "bring back the members that do not answer, or take those out first that are dead: slipway remove --offline; the whole cluster goes by: slipway reset --all"
		if in.Workflow == view.Remove {
			fix = "bring up the others that do not answer first; the whole cluster goes by: slipway reset --all"
		}
		return []Problem{{Check: checkQuorum, Severity: SeverityError, Detail: sum, Fix: fix}}
	}
	return in.evenRest(gone)
}

// evenRest warns of an even number of members that are left: it is no safer than one less.
func (in Input) evenRest(gone []hosts.Member) []Problem {
	left := 0
	for _, member := range view.Voting(in.ClusterFacts.Members) {
		if !slices.ContainsFunc(gone, func(m hosts.Member) bool { return m.ID == member.ID }) {
			left++
		}
	}
	if len(view.Voting(gone)) == 0 || left == 0 || left%2 == 1 {
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
