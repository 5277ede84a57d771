package checks

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/view"
)

// otherBundle holds the bundle against the cluster file.
func otherBundle(v view.View) []Finding {
	if v.Workflow == view.Prepare {
		return otherBundleForPrepare(v)
	}
	if err := v.Bill.Serves(v.Cluster.KubernetesVersion); err != nil {
		return []Finding{finding("take a bundle of that version, or set kubernetesVersion: "+v.Bill.KubernetesVersion, "%v", err)}
	}
	return nil
}

// otherBundleForPrepare holds the bundle against the hosts that are to be prepared with it: those of the
// cluster may be upgraded to it later; the others are to join, with a version that suits the cluster's.
func otherBundleForPrepare(v view.View) []Finding {
	var all []Finding
	stages := false
	for _, host := range targets(v) {
		if v.StagesOnly(host) {
			stages = true
			continue
		}
		err := v.Bill.Serves(v.Cluster.KubernetesVersion)
		if err == nil {
			err = joinSkew(v)
		}
		if _, seen := v.Facts[host.Name]; seen && err != nil {
			all = append(all, finding("take a bundle of the cluster's version for it, which can join; to stage this one for an upgrade, name the hosts that are in the cluster",
				"%s", withoutFix(err)).on(host.Name))
		}
	}
	if stages {
		all = append(all, upgradeSkew(v)...)
	}
	return all
}

// joinSkew holds the kubelets of the bundle against the API server, where one answers.
func joinSkew(v view.View) error {
	server, err := cluster.ParseVersion(v.ClusterFacts.Version)
	if err != nil {
		return nil
	}
	kubelet, err := cluster.ParseVersion(v.Bill.KubernetesVersion)
	if err != nil {
		return nil // Serves has told
	}
	return cluster.KubeletSkew(kubelet, server)
}

// unguardedEtcd is a bundle whose etcd does not ask whether it may begin: it never makes of the
// note that it may the one that it has, and so nobody sees later that it has.
func unguardedEtcd(v view.View) []Finding {
	return when(v.Cluster.StackedEtcd() && !manifests.GuardsEtcd(v.Bill),
		finding("build the bundle anew: slipway bundle build",
			"the bundle's etcd has no guard at its start: where its disk is not mounted after a power cut, it begins an empty cluster"))
}

// otherVersion is a running cluster of another version than the file's or, where that says none,
// the bundle's.
func otherVersion(v view.View) []Finding {
	live := v.ClusterFacts.Version
	if live == v.Cluster.KubernetesVersion {
		return otherKubelets(v)
	}
	return when(live != "" && live != v.Cluster.KubernetesVersion, finding("set kubernetesVersion: "+live+", or change what runs by: slipway upgrade apply",
		"the cluster runs Kubernetes %s, the file or the bundle wants %s: init does not upgrade", live, v.Cluster.KubernetesVersion))
}

// otherKubelets are those that an upgrade has not come to yet: it was interrupted, has paused or has left
// them out.
func otherKubelets(v view.View) []Finding {
	var all []Finding
	for _, node := range v.ClusterFacts.Nodes {
		if _, known := v.Cluster.Host(node.Name); known && node.KubeletVersion != "" && node.KubeletVersion != v.Cluster.KubernetesVersion {
			all = append(all, finding("let the upgrade come to its end: slipway upgrade apply",
				"its kubelet is of %s, the API servers of %s: init does not upgrade", node.KubeletVersion, v.Cluster.KubernetesVersion).on(node.Name))
		}
	}
	return all
}

// upgradeSkew holds what the API servers and kubelets run against the version that they are to get.
func upgradeSkew(v view.View) []Finding {
	target, err := cluster.ParseVersion(v.Bill.KubernetesVersion)
	if err != nil {
		return nil // a bundle without a version serves none, which is told
	}
	var all []Finding
	if live, err := cluster.ParseVersion(v.ClusterFacts.Version); err == nil {
		if skew := skewIn(cluster.UpgradeSkew(live, target)); skew != nil {
			all = append(all, finding(cmp.Or(skew.Fix, "take a bundle of "+live.MinorString()+" or of the minor version after it"), "%s", skew.Seen()))
		}
	}
	skips := len(all) > 0
	for _, node := range v.ClusterFacts.Nodes {
		kubelet, err := cluster.ParseVersion(node.KubeletVersion)
		if err != nil {
			continue // it has not reported yet
		}
		host, _ := v.Cluster.Host(node.Name)
		if skew := skewIn(cluster.UpgradeSkew(kubelet, target)); !skips && host.HasRole(cluster.RoleControlPlane) && skew != nil && kubelet.Compare(target) < 0 {
			all = append(all, finding("bring it to the version of the others first, with a bundle of that: slipway upgrade apply", "its API server is behind: it has %s, and the bundle has %s: %s", kubelet, target, skew.Rule).on(node.Name))
		}
		if skew := skewIn(cluster.KubeletSkew(kubelet, target)); skew != nil {
			all = append(all, finding("bring its kubelet to a version that suits first: slipway upgrade apply, with a bundle of the version that the API servers have", "%s", skew.Seen()).on(node.Name))
		}
	}
	return all
}

// skewIn is the skew that an error is; nil where there is none.
func skewIn(err error) *cluster.Skew {
	skew, _ := errors.AsType[*cluster.Skew](err)
	return skew
}

// withoutFix is what an error says, where the finding has a fix of its own.
func withoutFix(err error) string {
	if skew := skewIn(err); skew != nil {
		return skew.Seen()
	}
	return fmt.Sprint(err)
}

// kubeletSkew holds the kubelets that would join against the API server.
func kubeletSkew(v view.View) []Finding {
	err := joinSkew(v) // that no API server answers has a check of its own
	return when(err != nil, finding("take a bundle with Kubernetes "+v.ClusterFacts.Version, "%s", withoutFix(err)))
}

func otherPlatform(v view.View, _ cluster.Host, facts hosts.Facts) []Finding {
	if v.Bill.Platform == (bundle.Platform{}) {
		return nil
	}
	if err := v.Bill.Runs(bundle.Platform{OS: "linux", Arch: facts.Arch}); err != nil {
		return []Finding{finding("take a bundle for linux/"+facts.Arch, "%v", err)}
	}
	return nil
}

// unmetSettings says which of the cluster's settings a host cannot have.
func unmetSettings(v view.View, _ cluster.Host, facts hosts.Facts) []Finding {
	if !v.Completed() {
		return nil
	}
	settings, err := v.ChosenSettings()
	if err != nil {
		return []Finding{finding("", "%v", err)}
	}
	var all []Finding
	for _, unmet := range settings.Unmet(facts) {
		all = append(all, finding("the cluster's settings were chosen at init for the hosts that it had; take another host", "%s", unmet))
	}
	return all
}
