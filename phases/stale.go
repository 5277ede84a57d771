package phases

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

// memberText names a member for people.
func memberText(m hosts.Member) string {
	return strings.TrimSpace(m.Name + " (" + m.ID + ", " + strings.Join(m.Peers, ",") + ")")
}

// memberProblems says why control planes cannot become members of etcd.
func (in Input) memberProblems(targets []cluster.Host) []Problem {
	var planes []cluster.Host
	for _, host := range targets {
		if host.HasRole(cluster.RoleControlPlane) {
			planes = append(planes, host)
		}
	}
	if len(planes) == 0 || !in.Cluster.StackedEtcd() {
		return nil
	}
	if len(in.ClusterFacts.Members) == 0 {
		return []Problem{{
			Check: "etcd", Severity: SeverityError, Detail: "what members etcd has is not known: " + orUnknown(in.ClusterFacts.MembersCause),
			Fix: "bring etcd up first, on most of the control planes",
		}}
	}
	problems := in.staleProblems()
	stale := in.StaleMembers()
	isStale := func(m hosts.Member) bool {
		return slices.ContainsFunc(stale, func(s view.StaleMember) bool { return s.Member.ID == m.ID })
	}
	stay := slices.DeleteFunc(slices.Clone(in.ClusterFacts.Members), isStale)
	for _, member := range stay {
		if name := in.NameOf(member); member.Learner && !in.Comes(name) {
			problems = append(problems, Problem{Check: "etcd", Host: name, Severity: SeverityError,
				Detail: "it is a learner of etcd's, which takes one at a time", Fix: "let it complete first: slipway join"})
		}
	}
	problems = append(problems, in.growProblems(planes, stay)...)
	for _, host := range planes {
		if facts, seen := in.Facts[host.Name]; seen && view.HasEtcdData(facts) && len(view.MembersOf(stay, host)) == 0 {
			problems = append(problems, otherData(host))
		}
	}
	return problems
}

// staleProblems names members that stand in the way, unless they may be removed. One that
// answers is somebody's: it is never removed on the way.
func (in Input) staleProblems() []Problem {
	var problems []Problem
	var gone []hosts.Member
	for _, stale := range in.StaleMembers() {
		found := Problem{Check: "etcd", Severity: SeverityError,
			Detail: fmt.Sprintf("etcd has the member %s, but %s", memberText(stale.Member), stale.Why)}
		switch {
		case stale.Member.Healthy:
			found.Detail += "; it answers"
			found.Fix = "put its host into the cluster file as it is; if it has to go: slipway reset, by a file that has it"
		case in.RemoveStale:
			gone = append(gone, stale.Member)
			continue
		default:
			found.Fix = "if its host is gone for good, have it removed: slipway join --remove-stale"
		}
		problems = append(problems, found)
	}
	if sum := view.NoQuorum(in.ClusterFacts.Members, gone); sum != "" {
		problems = append(problems, Problem{Check: checkQuorum, Severity: SeverityError, Detail: sum,
			Fix: "bring back the members that do not answer"})
	}
	return problems
}

// growProblems is a member that does not answer: etcd takes in no new one beside it, since
// that might make it lose its quorum.
func (in Input) growProblems(planes []cluster.Host, stay []hosts.Member) []Problem {
	grows := slices.ContainsFunc(planes, func(host cluster.Host) bool { return len(view.MembersOf(stay, host)) == 0 })
	if !grows {
		return nil
	}
	var problems []Problem
	for _, member := range view.Voting(stay) {
		if !member.Healthy {
			name := view.MemberName(member)
			problems = append(problems, Problem{Check: checkQuorum, Host: member.Name, Severity: SeverityError,
				Detail: "etcd takes in no new member while " + name + " does not answer: " + orUnknown(member.Detail),
				Fix:    "bring it back; if it is dead: slipway remove --offline " + name})
		}
	}
	return problems
}
