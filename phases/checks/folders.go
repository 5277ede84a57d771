package checks

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/view"
)

// occupiedFolders refuses a host where something of others' lies in what a reset would empty.
func occupiedFolders(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	var all []Finding
	if host.HasRole(cluster.RoleControlPlane) && v.Cluster.StackedEtcd() && !view.RanEtcd(facts.Record, facts) {
		all = occupied(manifests.EtcdData, view.Inside(manifests.EtcdData, facts))
	}
	if view.Claimed(facts.Record) {
		return all
	}
	for _, tree := range []string{manifests.KubeletFolder, manifests.CNIState, manifests.ContainerdData} {
		all = append(all, occupied(tree, view.Inside(tree, facts))...)
	}
	var kubeadms []string
	for _, file := range slices.Sorted(maps.Keys(facts.Files)) {
		within := func(tree string) bool { return cluster.Within(file, tree) }
		if facts.Files[file].Type != hosts.TypeDirectory && slices.ContainsFunc(manifests.KubeadmPaths(), within) {
			kubeadms = append(kubeadms, file)
		}
	}
	return append(all, occupied(manifests.KubernetesFolder, kubeadms)...)
}

// occupied is the finding of a folder that holds something, if it does.
func occupied(folder string, things []string) []Finding {
	const few = 3
	if len(things) == 0 {
		return nil
	}
	named := strings.Join(things[:min(few, len(things))], ", ")
	if more := len(things) - few; more > 0 {
		named += fmt.Sprintf(" and %d more", more)
	}
	return []Finding{finding(fmt.Sprintf("if nobody needs it: mv %s %s.old", folder, folder),
		"%s holds what Slipway did not make, and what a reset would remove: %s", folder, named).of("DirAvailable", folder)}
}

// networkExtensions are of the files that containerd reads as network configurations.
var networkExtensions = []string{".conf", ".conflist", ".json"}

// otherNetworkConfigs looks for network configurations of others. A node takes the first by
// name: one that comes after the cluster's, such as Podman's, is left alone by both, and a
// reset keeps it.
func otherNetworkConfigs(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	var all []Finding
	for _, file := range slices.Sorted(maps.Keys(facts.Files)) {
		if path.Dir(file) != manifests.CNIConfFolder || !slices.Contains(networkExtensions, path.Ext(file)) || facts.Record != nil && view.Owns(facts.Record, file) {
			continue
		}
		aside := "if nobody needs it: mv " + file + " " + file + ".off"
		add := func(found Finding) { all = append(all, found.of("FileAvailable", file)) }
		switch {
		case file == manifests.CNIConf && !view.Claimed(facts.Record):
			add(finding(aside, "%s is not Slipway's, which would write its own there", file))
		case file == manifests.CNIConf || v.Cluster.Networking.AddOn != cluster.AddOnFlannel:
		case file < manifests.CNIConf:
			add(late(v, host, facts, aside,
				"%s is a network configuration of others, and comes before %s by name: the node's Pods would get that network", file, manifests.CNIConf))
		case !view.Claimed(facts.Record):
			add(warning("",
				"%s is a network configuration of others (Podman has such): it comes after %s by name, and neither uses the other's", file, path.Base(manifests.CNIConf)))
		}
	}
	return all
}

// closedWay looks whether haproxy, which is a user of its own, gets to its root folder and to its
// configuration. What of the way was there before Slipway keeps its mode.
func closedWay(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	const enter = 0o001
	way := manifests.ParentsOf([]string{bundle.ComponentsFolder + "/" + bundle.SetLoadBalancer})
	// haproxy.service shows this folder within the root, so its own parents do not count.
	// keepalived is root, and its check, which is not, is shown the CA's file alone.
	way = append(way, path.Dir(manifests.HAProxyConfig))
	var all []Finding
	for _, directory := range way {
		have, there := facts.Files[directory]
		if !there || have.Type != hosts.TypeDirectory || have.Mode&enter != 0 || view.MadeDirectory(facts.Record, directory) {
			continue
		}
		all = append(all, finding("chmod o+x "+directory,
			"%s has mode %04o: haproxy, which does not run as root, could not get through it", directory, have.Mode))
	}
	return all
}
