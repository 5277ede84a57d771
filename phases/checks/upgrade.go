package checks

import (
	"cmp"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/view"
)

// unknownSettings are what the file says for Kubernetes' programs and the version that is coming
// does not know any more: they would not start with it.
func unknownSettings(v view.View) []Finding {
	var all []Finding
	for _, problem := range cluster.Unknown(v.Cluster) {
		all = append(all, finding(problem.Fix, "%s of the cluster file: %s", problem.Path, problem.Message))
	}
	return all
}

// unwellForUpgrade is what is not well before an upgrade begins. One that has begun goes on: what it
// changed last may be what is not well.
func unwellForUpgrade(v view.View) []Finding {
	begun := v.UpgradeBegun()
	v = withoutLeftOut(v)
	all := unwellNodes(v)
	for _, found := range unwell(v) {
		if found.Fix == growCluster {
			continue // an upgrade does with one control plane, which is away meanwhile
		}
		all = append(all, found)
	}
	if !begun {
		return all
	}
	for i := range all {
		all[i].Severity = Warning
	}
	return all
}

func unwellNodes(v view.View) []Finding {
	var all []Finding
	for _, node := range v.ClusterFacts.Nodes {
		if _, known := v.Cluster.Host(node.Name); known && !node.Ready {
			all = append(all, finding("see why by: slipway status; what is stopped is started again by: slipway init, with a bundle of the version that runs",
				"the node is not Ready: %s", cmp.Or(node.Reason, "cause unknown")).on(node.Name))
		}
	}
	return all
}

// halfUpgraded is a host of which an upgrade to another bundle has changed a part: what would be kept of it is
// of two versions, and could not be gone back to.
func halfUpgraded(v view.View, _ cluster.Host, facts hosts.Facts) []Finding {
	_, told := facts.Files[manifests.BillFile]
	if told || len(facts.Kept) == 0 || v.HalfChanged(facts) {
		return nil
	}
	last := facts.Kept[len(facts.Kept)-1]
	return []Finding{finding("run that upgrade again with its bundle, or go back first: slipway upgrade rollback",
		"an upgrade to another bundle (%s) has changed a part of it", last.Before)}
}

// rollbackSkew holds what the API servers run against the version to which they are to go back.
func rollbackSkew(v view.View) []Finding {
	target, err := cluster.ParseVersion(v.Bill.KubernetesVersion)
	if err != nil {
		return nil // of nothing kept is told before
	}
	live, err := cluster.ParseVersion(v.ClusterFacts.Version)
	if err != nil {
		return nil // no API server answers
	}
	skew := skewIn(cluster.RollbackSkew(live, target))
	if skew == nil {
		return nil
	}
	return []Finding{finding(cmp.Or(skew.Fix, SnapshotIsLeft(v.SnapshotFolder)), "%s", skew.Seen())}
}

// brokenKept is what a host has kept and cannot be put back. Where all is in force that the cluster goes back
// to, it is not needed: the host was cut before its first change, or after its last.
func brokenKept(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	why, broken := facts.KeptBroken[v.BackFrom]
	return when(broken && !v.InForce(facts), finding("take the host out of the cluster (slipway reset "+host.Name+") and of the file, roll back, and let it join with a bundle of the older version; or "+SnapshotIsLeft(v.SnapshotFolder),
		"what it has kept from before the upgrade is not whole: %s", why))
}
