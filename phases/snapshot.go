package phases

import (
	"slices"

	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// snapshotEtcd takes a snapshot of etcd after the steps given, and gives the step before which no host
// may change. An upgrade that has changed a control plane already has its snapshot: one that is taken
// now would hold what the new version has written.
func (d *draft) snapshotEtcd(waits []string) []string {
	from, _, found := d.in.SnapshotFrom()
	asBefore := func(h *hostDraft) bool {
		return h.hadPod(manifests.APIServerManifest) && h.rewrites(manifests.APIServerManifest)
	}
	if d.in.Workflow != view.Upgrade || !found || checks.IgnoresSnapshot(d.in.View) || len(d.planes) == 0 || !all(d.planes, asBefore) {
		return nil
	}
	return []string{d.add(plan.Step{
		ID: clusterID(plan.PhaseUpgrade, "etcd-snapshot"), Phase: plan.PhaseUpgrade, Lane: string(plan.PhaseUpgrade) + "/etcd",
		Subject: plan.Subject{Member: from.Name}, After: after(waits), Why: "what the cluster holds, from before the upgrade",
		Cluster: plan.SnapshotEtcd{From: from.Name, Tool: manifests.Etcdutl, Version: d.in.ClusterFacts.Version},
	})}
}

func all(drafts []*hostDraft, is func(*hostDraft) bool) bool {
	return !slices.ContainsFunc(drafts, func(h *hostDraft) bool { return !is(h) })
}
