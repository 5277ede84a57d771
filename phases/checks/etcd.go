package checks

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/view"
)

// lostEtcdData says where starting etcd would not be sound. A new cluster of members is
// begun only where none of them has begun, or where all that have did so in the beginning of
// the very same cluster, which was interrupted.
func lostEtcdData(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	switch {
	case !v.Cluster.StackedEtcd():
		return nil
	case v.Completed() && !v.Joined(host.Name):
		return nil // it has to come by join, which the check of membership says
	case view.HasEtcdData(facts): // whether they are Slipway's, the check of folders looks at
		members := v.ClusterFacts.Members
		if len(members) == 0 || len(view.MembersOf(members, host)) > 0 {
			return nil
		}
		return []Finding{otherData(host)}
	}
	if why := begunWithout(v, host, facts); why != "" {
		return []Finding{finding(bringBack(v, host), "it has no etcd data, but %s", why)}
	}
	return nil
}

// otherData is a host whose etcd has data, and of which the living etcd knows nothing.
func otherData(host cluster.Host) Finding {
	return finding("if nobody needs them: slipway reset "+host.Name+", then slipway join",
		"%s holds the data of a member that the cluster's etcd does not have", manifests.EtcdData)
}

// bringBack is what to do about a member without its data.
func bringBack(v view.View, host cluster.Host) string {
	if _, noted := v.Facts[host.Name].Files[manifests.EtcdBegun]; noted && v.Facts[host.Name].Record == nil {
		return fmt.Sprintf("the note of it lies in %s, and nothing else on the host is known to be Slipway's, so no reset removes it: where nobody needs the member's data: rm -r %s",
			manifests.EtcdNotes, manifests.EtcdNotes)
	}
	mount := fmt.Sprintf("mount the disk that holds its data at %s, or restore them", manifests.EtcdData)
	if v.ClusterFacts.Reachable {
		if v.Completed() {
			return fmt.Sprintf("%s; where they are lost: slipway reset %s, then slipway join", mount, host.Name)
		}
		return mount + "; where they are lost, and the cluster holds nothing yet: slipway reset --all, then slipway init"
	}
	return mount + "; bring up the control planes that have theirs, then see: slipway status. Where most have lost theirs, save " +
		manifests.EtcdData + " of those that have not before anything else; where all were installed anew, or a first init was interrupted, begin anew by: slipway reset --all"
}

// begunWithout says why a member that begins on the host, which has no data, would not be part
// of what the others began; "" where it would.
func begunWithout(v view.View, host cluster.Host, facts hosts.Facts) string {
	switch {
	case len(v.ClusterFacts.Members) > 0 && v.Completed():
		return "the cluster's etcd is already running"
	case view.HasBegun(facts):
		return "its member has begun before"
	case view.HasRun(view.MembersOf(v.ClusterFacts.Members, host)):
		return "etcd has it as a member that has run"
	case view.MayBegin(facts):
		return begunOtherwise(v, host)
	case v.WasLetBegin(host.Name):
		return "this machine's state folder says that its member was let begin"
	}
	for _, other := range v.Cluster.ControlPlanes() {
		if other.Name != host.Name && view.HasBegun(v.Facts[other.Name]) {
			return fmt.Sprintf("a member has begun on %s, which none does before all have noted that they may", other.Name)
		}
	}
	if view.HasRun(v.ClusterFacts.Members) {
		return "the cluster's etcd has run"
	}
	return begunOtherwise(v, host)
}

// begunOtherwise says on which host a cluster of other members was begun.
func begunOtherwise(v view.View, host cluster.Host) string {
	want := memberNames(manifests.StackedCluster(v.Cluster))
	for _, other := range v.Cluster.ControlPlanes() {
		facts, seen := v.Facts[other.Name]
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

// How long 99 of 100 of etcd's writes may take to be durable. The first is what etcd's
// hardware guide asks for; the second is its election time-out: with a disk that is slower
// than that, members elect one leader after another.
const (
	syncWarning = 10 * time.Millisecond
	syncError   = time.Second
)

// slowEtcdDisk holds the disk that etcd is to write to against what etcd needs.
func slowEtcdDisk(v view.View, _ cluster.Host, facts hosts.Facts) []Finding {
	const fix = "give etcd a disk of its own that is faster: mount it at " + manifests.EtcdData
	const text = "99 of 100 writes to the disk below %s take up to %s to be durable; etcd wants %s"
	took := facts.Sync.Round(100 * time.Microsecond)
	switch {
	case !v.Cluster.StackedEtcd() || facts.Sync <= syncWarning:
		return nil
	case facts.Sync > syncError:
		return []Finding{finding(fix, text+", and cannot keep a leader when it takes so long", manifests.EtcdData, took, syncWarning)}
	}
	return []Finding{warning(fix, text, manifests.EtcdData, took, syncWarning)}
}

func unreachedEtcd(v view.View, _ cluster.Host, facts hosts.Facts) []Finding {
	if v.Cluster.StackedEtcd() {
		return nil
	}
	var all []Finding
	for _, address := range view.EtcdAddresses(v.Cluster) {
		if why := facts.Reach[address]; why != "" {
			all = append(all, finding("see that etcd listens there, and that nothing between filters it",
				"it does not reach etcd at %s: %s", address, why))
		}
	}
	return all
}
