package phases

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/view"
)

// Some trees are emptied by a reset with all that is in them, noted or not: the kubelet,
// etcd, Pods and kubeadm write there. They are the cluster's because they were empty
// when the host was claimed for it, which is checked here, before that.

// checkTrees refuses a host where something of others' lies in what a reset would empty.
func checkTrees(in Input, host cluster.Host, facts hosts.Facts) []Problem {
	var problems []Problem
	if host.HasRole(cluster.RoleControlPlane) && in.Cluster.StackedEtcd() && !view.RanEtcd(facts.Record, facts) {
		problems = append(problems, occupied("etcd", host, manifests.EtcdData, view.Inside(manifests.EtcdData, facts))...)
	}
	if view.Claimed(facts.Record) {
		return problems
	}
	for _, tree := range []string{manifests.KubeletFolder, manifests.CNIState, manifests.ContainerdData} {
		problems = append(problems, occupied("data", host, tree, view.Inside(tree, facts))...)
	}
	var kubeadms []string
	for _, file := range sortedKeys(facts.Files) {
		switch {
		case facts.Files[file].Type == hosts.TypeDirectory:
		case inTrees(file, manifests.KubeadmPaths()):
			kubeadms = append(kubeadms, file)
		}
	}
	return append(problems, occupied("data", host, manifests.KubernetesFolder, kubeadms)...)
}

// networkExtensions are of the files that containerd reads as network configurations.
var networkExtensions = []string{".conf", ".conflist", ".json"}

// checkNetworkConfigs looks for network configurations of others. A node takes the first by
// name: one that comes after the cluster's, such as Podman's, is left alone by both, and a
// reset keeps it.
func checkNetworkConfigs(in Input, host cluster.Host, facts hosts.Facts) []Problem {
	var problems []Problem
	for _, file := range sortedKeys(facts.Files) {
		if path.Dir(file) != manifests.CNIConfFolder || !slices.Contains(networkExtensions, path.Ext(file)) || facts.Record != nil && view.Owns(facts.Record, file) {
			continue
		}
		aside := "if nobody needs it: mv " + file + " " + file + ".off"
		switch {
		case file == manifests.CNIConf && !view.Claimed(facts.Record):
			problems = append(problems, problem("data", host, aside, "%s is not Slipway's, which would write its own there", file))
		case file == manifests.CNIConf || in.Cluster.Networking.AddOn != cluster.AddOnFlannel:
		case file < manifests.CNIConf:
			problems = append(problems, in.problemUnlessSettled("data", host, facts, aside,
				"%s is a network configuration of others, and comes before %s by name: the node's Pods would get that network", file, manifests.CNIConf))
		case !view.Claimed(facts.Record):
			problems = append(problems, warning("data", host, "",
				"%s is a network configuration of others (Podman has such): it comes after %s by name, and neither uses the other's", file, path.Base(manifests.CNIConf)))
		}
	}
	return problems
}

// occupied is the problem of a folder that holds something, if it does.
func occupied(check string, host cluster.Host, folder string, things []string) []Problem {
	const few = 3
	if len(things) == 0 {
		return nil
	}
	named := strings.Join(things[:min(few, len(things))], ", ")
	if more := len(things) - few; more > 0 {
		named += fmt.Sprintf(" and %d more", more)
	}
	return []Problem{problem(check, host, fmt.Sprintf("if nobody needs it: mv %s %s.old", folder, folder),
		"%s holds what Slipway did not make, and what a reset would remove: %s", folder, named)}
}
