package phases

import (
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// snapshotEtcd takes a snapshot of etcd after the steps given, and gives the step before which no host
// may change.
func (d *draft) snapshotEtcd(waits []string) []string {
	from, _, found := d.in.SnapshotFrom()
	if d.in.Workflow != view.Upgrade || !found || checks.IgnoresSnapshot(d.in.View) || len(d.planes) == 0 || !d.in.SnapshotDue() {
		return nil
	}
	return []string{d.add(plan.Step{
		ID: clusterID(plan.PhaseUpgrade, "etcd-snapshot"), Phase: plan.PhaseUpgrade, Lane: string(plan.PhaseUpgrade) + "/etcd",
		Subject: plan.Subject{Member: from.Name}, After: after(waits), Why: "what the cluster holds, from before the upgrade",
		Cluster: plan.SnapshotEtcd{From: from.Name, Tool: manifests.Etcdutl, Version: d.in.ClusterFacts.Version},
	})}
}
