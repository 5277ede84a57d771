package phases

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
)

// etcdMember is there as soon as an etcd has data. It is its log that etcd itself goes by:
// the folder above is made by a first start that fails, too, and then --initial-* still count.
const etcdMember = manifests.EtcdData + "/member/wal"

func hasEtcdData(facts hosts.Facts) bool {
	_, there := facts.Files[etcdMember]
	return there
}

// keepInitialCluster leaves etcd's --initial-* flags as they are found while there are
// data: etcd reads them once, and a change of them would only restart it.
func (h *hostDraft) keepInitialCluster(in manifests.Input) error {
	if !hasEtcdData(h.facts) {
		return nil
	}
	found, ok := manifests.InitialClusterOf(h.facts.Contents[manifests.EtcdManifest])
	if !ok {
		return nil
	}
	return h.beginEtcd(in, found)
}

// etcdProblems says where starting etcd would not be sound. A new cluster of members is
// begun only where none of them has data, or where all data there are come from the
// beginning of the very same cluster, which was interrupted.
func (in Input) etcdProblems(targets []cluster.Host) []Problem {
	var problems []Problem
	for _, host := range targets {
		facts, seen := in.Facts[host.Name]
		if !seen || !host.HasRole(cluster.RoleControlPlane) || !in.Cluster.StackedEtcd() {
			continue
		}
		if in.completed() && !in.joined(host.Name) {
			continue // it has to come by join, which the check of membership says
		}
		if hasEtcdData(facts) { // whether they are Slipway's, the check of the trees looks at
			problems = append(problems, in.otherDataProblems(host)...)
			continue
		}
		if why := in.begunWithout(host); why != "" {
			problems = append(problems, problem("etcd", host, fmt.Sprintf("restore its data in %s; where they are lost: slipway reset %s, then slipway join", manifests.EtcdData, host.Name),
				"it has no etcd data, but %s", why))
		}
	}
	return problems
}

// otherDataProblems is a host whose etcd has data, and of which the living etcd knows nothing.
func (in Input) otherDataProblems(host cluster.Host) []Problem {
	members := in.ClusterFacts.Members
	if len(members) == 0 || len(membersOf(members, host)) > 0 {
		return nil
	}
	return []Problem{otherData(host)}
}

func otherData(host cluster.Host) Problem {
	return problem("etcd", host, "if nobody needs them: slipway reset "+host.Name+", then slipway join",
		"%s holds the data of a member that the cluster's etcd does not have", manifests.EtcdData)
}

// begunWithout says why a new etcd on the host would not be part of what the others
// began; "" where it would.
func (in Input) begunWithout(host cluster.Host) string {
	if len(in.ClusterFacts.Members) > 0 && in.completed() {
		return "the cluster's etcd is already running"
	}
	want := memberNames(manifests.StackedCluster(in.Cluster))
	for _, other := range in.Cluster.ControlPlanes() {
		facts, seen := in.Facts[other.Name]
		if !seen || other.Name == host.Name || !hasEtcdData(facts) {
			continue
		}
		begun, ok := manifests.InitialClusterOf(facts.Contents[manifests.EtcdManifest])
		if !ok {
			continue
		}
		if have := memberNames(begun); begun.State == "existing" || !slices.Equal(have, want) {
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
