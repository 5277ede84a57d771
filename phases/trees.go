package phases

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
)

// Some trees are emptied by a reset with all that is in them, noted or not: the kubelet,
// etcd, Pods and kubeadm write there. They are the cluster's because they were empty
// when the host was claimed for it, which is checked here, before that.

// claimed tells whether a cluster has noted the host as its own. Which one it is, the
// check of membership looks at.
func claimed(record *hosts.Record) bool { return record != nil && record.Cluster.ID != "" }

// clusterTrees are the trees on a host that are the cluster's. What tells so of etcd's
// data and of the logs comes after these, so that a reset that is cut still knows.
func clusterTrees(record *hosts.Record, facts hosts.Facts) []string {
	if !claimed(record) {
		return nil
	}
	table := manifests.OwnershipTable()
	var trees []string
	if ranEtcd(record, facts) {
		trees = append(trees, manifests.EtcdData, manifests.EtcdNotes)
	}
	if ranKubelet(record, facts) {
		trees = append(trees, table.Logs...)
	}
	for _, tree := range table.Trees {
		if tree != manifests.EtcdData {
			trees = append(trees, tree)
		}
	}
	return trees
}

// ranEtcd tells whether the cluster's etcd was ever begun on a host: other hosts may have
// an etcd of somebody else's at the same place.
func ranEtcd(record *hosts.Record, facts hosts.Facts) bool {
	if !claimed(record) {
		return false
	}
	_, begun := facts.Files[manifests.EtcdManifest]
	return begun || owns(record, manifests.EtcdData) || owns(record, manifests.EtcdManifest) ||
		slices.ContainsFunc(record.Priors, func(prior hosts.Prior) bool { return prior.Setting == "file/"+manifests.EtcdData })
}

// ranKubelet tells whether a kubelet of the cluster was ever begun on a host. Where
// kubeadm reset emptied its folder, Pods' networks have still left something.
func ranKubelet(record *hosts.Record, facts hosts.Facts) bool {
	if !claimed(record) {
		return false
	}
	_, networked := facts.Files[manifests.CNIConf]
	return networked || owns(record, manifests.KubeletFolder) ||
		len(inside(manifests.KubeletFolder, facts)) > 0 || len(inside(manifests.CNIState, facts)) > 0
}

// owns tells whether the record names a path, or something below it.
func owns(record *hosts.Record, tree string) bool {
	return slices.ContainsFunc(record.Paths, func(owned hosts.Owned) bool { return within(owned.Path, tree) })
}

// inside lists what was seen below a folder. The place for what a file system check finds
// is no content.
func inside(folder string, facts hosts.Facts) []string {
	var found []string
	for _, file := range sortedKeys(facts.Files) {
		if file != folder && within(file, folder) && path.Base(file) != "lost+found" {
			found = append(found, file)
		}
	}
	return found
}

// checkTrees refuses a host where something of others' lies in what a reset would empty.
func checkTrees(in Input, host cluster.Host, facts hosts.Facts) []Problem {
	var problems []Problem
	if host.HasRole(cluster.RoleControlPlane) && in.Cluster.StackedEtcd() && !ranEtcd(facts.Record, facts) {
		problems = append(problems, occupied("etcd", host, manifests.EtcdData, inside(manifests.EtcdData, facts))...)
	}
	if claimed(facts.Record) {
		return problems
	}
	for _, tree := range []string{manifests.KubeletFolder, manifests.CNIState, manifests.ContainerdData} {
		problems = append(problems, occupied("data", host, tree, inside(tree, facts))...)
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
		if path.Dir(file) != manifests.CNIConfFolder || !slices.Contains(networkExtensions, path.Ext(file)) || facts.Record != nil && owns(facts.Record, file) {
			continue
		}
		aside := "if nobody needs it: mv " + file + " " + file + ".off"
		switch {
		case file == manifests.CNIConf && !claimed(facts.Record):
			problems = append(problems, problem("data", host, aside, "%s is not Slipway's, which would write its own there", file))
		case file == manifests.CNIConf || in.Cluster.Networking.AddOn != cluster.AddOnFlannel:
		case file < manifests.CNIConf:
			problems = append(problems, in.problemUnlessSettled("data", host, facts, aside,
				"%s is a network configuration of others, and comes before %s by name: the node's Pods would get that network", file, manifests.CNIConf))
		case !claimed(facts.Record):
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
