package phases

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
)

// etcdMember is there as soon as an etcd has data.
const etcdMember = manifests.EtcdData + "/member"

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
	for i, file := range h.state.Files {
		if file.Path != manifests.EtcdManifest {
			continue
		}
		content, err := manifests.EtcdPod(in, h.host.Name, found)
		if err != nil {
			return fmt.Errorf("render %s for %s: %w", file.Path, h.host.Name, err)
		}
		h.state.Files = slices.Clone(h.state.Files)
		h.state.Files[i].Content = content
	}
	return nil
}

// etcdProblems says where starting etcd would not be sound. A new cluster of members is
// begun only where none of them has data, or where all data there are come from the
// beginning of the very same cluster, which was interrupted.
func (in Input) etcdProblems(targets []cluster.Host) []Problem {
	var problems []Problem
	for _, host := range targets {
		facts, seen := in.Facts[host.Name]
		if !seen || !host.HasRole(cluster.RoleControlPlane) {
			continue
		}
		if hasEtcdData(facts) {
			continue // whose they are, the check of the trees looks at
		}
		if why := in.begunWithout(host); why != "" {
			problems = append(problems, Problem{Check: "etcd", Host: host.Name, Severity: SeverityError,
				Detail: "it has no etcd data, but " + why + "; adding an etcd member to a running cluster comes with high availability",
				Fix:    "restore its data in " + manifests.EtcdData + ", or reset the whole cluster: slipway reset"})
		}
	}
	return problems
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
