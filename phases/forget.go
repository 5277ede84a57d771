package phases

import (
	"fmt"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// forgetOld has hosts forget, when all of them are upgraded and well, the versions before those that the
// file has them keep. What only those needed is pruned after it.
func (d *draft) forgetOld() {
	waits := d.inCluster(does[plan.WaitAvailable])
	for _, h := range d.drafts {
		waits = join(waits, h.changed())
	}
	most := cluster.DefaultKeepVersions
	if said := d.in.Cluster.Upgrade.KeepVersions; said != nil {
		most = *said
	}
	for _, h := range d.drafts {
		kept := h.keepsAfter().Kept // in the order of time
		for _, old := range kept[:max(0, len(kept)-most)] {
			h.step(plan.PhaseUpgrade, "forget/"+old.Before, plan.LaneWork, plan.Remove,
				fmt.Sprintf("the file has hosts keep %s, and %s is older", hosts.Count(most, "version"), old.Version), hosts.ForgetVersion{Before: old.Before}, waits)
		}
	}
}
