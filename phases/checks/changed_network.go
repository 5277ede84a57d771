package checks

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/view"
)

// lostNetwork is a host whose Pods would have no network once flannel is deleted, which the file
// no longer wants: containerd takes the first configuration by name, and that is flannel's or none.
func lostNetwork(v view.View, _ cluster.Host, facts hosts.Facts) []Finding {
	isFlannel := func(applied hosts.Applied) bool { return applied.Object == manifests.FlannelKey }
	if v.Cluster.Networking.AddOn == cluster.AddOnFlannel || !slices.ContainsFunc(v.ClusterFacts.Inventory, isFlannel) {
		return nil
	}
	for _, file := range slices.Sorted(maps.Keys(facts.Files)) {
		if path.Dir(file) == manifests.CNIConfFolder && slices.Contains(networkExtensions, path.Ext(file)) {
			if file != manifests.CNIConf {
				return nil
			}
			break
		}
	}
	return []Finding{finding("install the other network first: its configuration has to come before "+path.Base(manifests.CNIConf)+
		" by name; or set networking.addOn back to "+cluster.AddOnFlannel,
		"networking.addOn is %s, and no network of another's is in %s: without flannel, which would be deleted, the host's Pods would have none",
		v.Cluster.Networking.AddOn, manifests.CNIConfFolder)}
}

// movedNetworking is a cluster that has other subnets, or another domain, than the file. Nodes, Pods,
// Services, certificates and the Corefile have their addresses and names out of them, and nothing
// moves them all.
func movedNetworking(v view.View) []Finding {
	live, there := v.ClusterFacts.Objects[kubeadmConfigKey]
	if !there || !v.Completed() {
		return nil
	}
	have, err := manifests.NetworkingOf(live)
	if err != nil {
		return nil
	}
	want := v.Cluster.Networking
	var all []Finding
	compare := func(field string, have, want []string) {
		is, said := strings.Join(have, ","), strings.Join(want, ",")
		if is != "" && is != said {
			all = append(all, finding("set networking."+field+" back; changing it in a running cluster is not supported yet",
				"the cluster's networking.%s is %s, the file says %s", field, is, said))
		}
	}
	compare("podSubnets", have.PodSubnets, want.PodSubnets)
	compare("serviceSubnets", have.ServiceSubnets, want.ServiceSubnets)
	compare("dnsDomain", []string{have.DNSDomain}, []string{want.DNSDomain})
	return all
}
