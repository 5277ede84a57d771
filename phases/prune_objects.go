package phases

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// pruneObjects deletes what Slipway has applied and what the cluster should no longer hold: what
// was applied last goes first, and all of it when what may take its place is there.
func (d *draft) pruneObjects() {
	wanted := map[hosts.ObjectKey]bool{}
	for _, object := range d.objects.Objects {
		wanted[object.Key] = true
	}
	waits := after(d.inCluster(does[plan.Apply], does[plan.WaitAvailable]), d.inCluster(awaitsAPI))
	for _, found := range slices.Backward(d.in.ClusterFacts.Inventory) {
		switch {
		case wanted[found.Object]:
		case len(found.Others) > 0:
			d.plan.Warnings = append(d.plan.Warnings, fmt.Sprintf("%s is no longer part of the cluster, but %s applies it too: it stays (whoever keeps it takes the label %s off)",
				found.Object, strings.Join(found.Others, ", "), hosts.LabelInventory))
		default:
			d.prune(found, waits)
		}
	}
	d.warnOfNamespaces(wanted)
}

func (d *draft) prune(found hosts.Applied, waits []plan.Dependency) {
	phase := plan.PhaseOf(found.Phase)
	d.add(plan.Step{
		ID: clusterID(phase, thing(found.Object), "delete"), Phase: phase, Subject: plan.Subject{Object: found.Object}, Lane: "prune",
		After: waits, Why: "Slipway applied it, and it is no longer part of the cluster", Change: plan.Remove,
		Cluster: plan.Delete{Object: found.Object, UID: found.UID},
	})
}

// warnOfNamespaces tells of the namespaces that Slipway leaves behind.
func (d *draft) warnOfNamespaces(wanted map[hosts.ObjectKey]bool) {
	stays := map[string]bool{}
	for key := range wanted {
		stays[key.Namespace] = true
	}
	for _, step := range d.plan.Steps {
		if namespace := step.Subject.Object.Namespace; does[plan.Delete](step) && !stays[namespace] {
			stays[namespace] = true
			d.plan.Warnings = append(d.plan.Warnings, fmt.Sprintf("namespace %s stays, since others may have something in it: kubectl delete namespace %s",
				namespace, namespace))
		}
	}
}
