package phases

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// A member of etcd begins once. One that begins again without its data votes a second time on
// what it has agreed to before, and two of three that do so make an empty cluster beside the
// one that has the data. So a host notes that its member may begin, all founders do so before
// the first of them begins, and etcd makes of that note the one that it has begun.

// Begun are the hosts of the file on which a member of etcd was seen to have begun.
func Begun(in Input) []cluster.Host {
	return keep(in.Cluster.ControlPlanes(), func(host cluster.Host) bool { return view.HasBegun(in.Facts[host.Name]) })
}

// BegunMeanwhile are the hosts that have no data of etcd and the note that they may begin, by a look
// before etcd was asked, while a member that has run is known of them to etcd: they may have
// begun between the two.
func BegunMeanwhile(in Input) []cluster.Host {
	return keep(in.Cluster.ControlPlanes(), func(host cluster.Host) bool {
		return view.MayBegin(in.Facts[host.Name]) && view.HasRun(view.MembersOf(in.ClusterFacts.Members, host))
	})
}

// LetsBegin tells whether a step lets a member of etcd begin on its host.
func LetsBegin(step plan.Step) bool {
	file, writes := step.Action.(hosts.WriteFile)
	return writes && file.Path == manifests.EtcdMayBegin
}

// letBegin notes on the host that its member may begin, in the state given, after the steps
// given; none where it has data or has noted so.
func (h *hostDraft) letBegin(state string, after []string) []string {
	if !h.in.Cluster.StackedEtcd() || view.HasEtcdData(h.facts) {
		return nil
	}
	note := manifests.File{
		Phase: plan.PhaseEtcd, Path: manifests.EtcdMayBegin, Mode: 0o600, Content: []byte(state + "\n"), Compare: manifests.Exact,
	}
	why, change := h.fileDiffers(note)
	if why == "" {
		return nil
	}
	return []string{h.step(note.Phase, trimmed(note.Path), laneBegin, change, why, h.writing(note), h.base(), after)}
}

// laneBegin is where a host's note is written, beside all else: every founder waits for it.
const laneBegin = "etcd-begin"

// etcdProblems says where starting etcd would not be sound. A new cluster of members is
// begun only where none of them has begun, or where all that have did so in the beginning of
// the very same cluster, which was interrupted.
func (in Input) etcdProblems(targets []cluster.Host) []Problem {
	var problems []Problem
	for _, host := range targets {
		facts, seen := in.Facts[host.Name]
		if !seen || !host.HasRole(cluster.RoleControlPlane) || !in.Cluster.StackedEtcd() {
			continue
		}
		if in.Completed() && !in.Joined(host.Name) {
			continue // it has to come by join, which the check of membership says
		}
		if view.HasEtcdData(facts) { // whether they are Slipway's, the check of the trees looks at
			problems = append(problems, in.otherDataProblems(host)...)
			continue
		}
		if why := in.begunWithout(host, facts); why != "" {
			problems = append(problems, problem("etcd", host, in.bringBack(host), "it has no etcd data, but %s", why))
		}
	}
	return problems
}

// guardProblems refuses a bundle whose etcd does not ask whether it may begin: it never makes
// of the note that it may the one that it has, and so nobody sees later that it has.
func (in Input) guardProblems() []Problem {
	if !in.Cluster.StackedEtcd() || manifests.GuardsEtcd(in.Bill) {
		return nil
	}
	return []Problem{{
		Check: "bundle", Severity: SeverityError,
		Detail: "the bundle's etcd has no guard at its start: where its disk is not mounted after a power cut, it begins an empty cluster",
		Fix:    "build the bundle anew: slipway bundle build",
	}}
}

// bringBack is what to do about a member without its data.
func (in Input) bringBack(host cluster.Host) string {
	if _, noted := in.Facts[host.Name].Files[manifests.EtcdBegun]; noted && in.Facts[host.Name].Record == nil {
		return fmt.Sprintf("the note of it lies in %s, and nothing else on the host is known to be Slipway's, so no reset removes it: where nobody needs the member's data: rm -r %s",
			manifests.EtcdNotes, manifests.EtcdNotes)
	}
	mount := fmt.Sprintf("mount the disk that holds its data at %s, or restore them", manifests.EtcdData)
	if in.ClusterFacts.Reachable {
		if in.Completed() {
			return fmt.Sprintf("%s; where they are lost: slipway reset %s, then slipway join", mount, host.Name)
		}
		return mount + "; where they are lost, and the cluster holds nothing yet: slipway reset --all, then slipway init"
	}
	return mount + "; bring up the control planes that have theirs, then see: slipway status. Where most have lost theirs, save " +
		manifests.EtcdData + " of those that have not before anything else; where all were installed anew, or a first init was interrupted, begin anew by: slipway reset --all"
}

// begunWithout says why a member that begins on the host, which has no data, would not be part
// of what the others began; "" where it would.
func (in Input) begunWithout(host cluster.Host, facts hosts.Facts) string {
	switch {
	case len(in.ClusterFacts.Members) > 0 && in.Completed():
		return "the cluster's etcd is already running"
	case view.HasBegun(facts):
		return "its member has begun before"
	case view.HasRun(view.MembersOf(in.ClusterFacts.Members, host)):
		return "etcd has it as a member that has run"
	case view.MayBegin(facts):
		return in.begunOtherwise(host)
	case in.WasLetBegin(host.Name):
		return "this machine's state folder says that its member was let begin"
	}
	for _, other := range in.Cluster.ControlPlanes() {
		if other.Name != host.Name && view.HasBegun(in.Facts[other.Name]) {
			return fmt.Sprintf("a member has begun on %s, which none does before all have noted that they may", other.Name)
		}
	}
	if view.HasRun(in.ClusterFacts.Members) {
		return "the cluster's etcd has run"
	}
	return in.begunOtherwise(host)
}

// begunOtherwise says on which host a cluster of other members was begun.
func (in Input) begunOtherwise(host cluster.Host) string {
	want := memberNames(manifests.StackedCluster(in.Cluster))
	for _, other := range in.Cluster.ControlPlanes() {
		facts, seen := in.Facts[other.Name]
		if !seen || other.Name == host.Name || !view.HasEtcdData(facts) {
			continue
		}
		begun, ok := manifests.InitialClusterOf(facts.Contents[manifests.EtcdManifest])
		if have := memberNames(begun); ok && !slices.Equal(have, want) {
			return fmt.Sprintf("%s was begun with the members %s", other.Name, strings.Join(have, ", "))
		}
	}
	return ""
}

func memberNames(initial manifests.InitialCluster) []string {
	var names []string
	for _, member := range initial.Members {
		names = append(names, member.Name)
	}
	slices.Sort(names)
	return names
}
