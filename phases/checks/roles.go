package checks

import (
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/view"
)

// otherRole holds what the host's record says that it was made to be against what the cluster file
// gives it. What belongs to a role would be removed with it, or added beside it, in no order that
// etcd and the endpoint's clients outlive.
func otherRole(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	was := ""
	switch record := facts.Record; {
	case !view.Claimed(record):
	case view.RanControlPlane(record) && !host.HasRole(cluster.RoleControlPlane):
		was = "a control plane"
	case view.Owns(record, manifests.EtcdManifest) && !v.Cluster.StackedEtcd():
		was = "a control plane with a member of etcd"
	case view.OnlyBalances(record) && host.IsNode():
		was = "a load balancer"
	case view.Owns(record, manifests.UnitsFolder+"/"+manifests.KubeletUnit) && !host.IsNode():
		was = "a node"
	case host.HasRole(cluster.RoleControlPlane) && !view.RanControlPlane(record) && v.Completed() && v.Joined(host.Name):
		was = "a worker"
	}
	if was == "" {
		return nil
	}
	return []Finding{finding("set its roles and etcd back in the cluster file, take it out with: slipway reset "+host.Name+"; then change the file, and bring it in again with: slipway join",
		"the host was made %s, which the cluster file does not say any more", was)}
}
