package phases

import (
	"github.com/slipway-k8s/slipway/phases/plan"
)

// bootstrapTokens applies what joining by hand needs: cluster-info and the rights of
// bootstrap tokens. Tokens themselves are ephemeral: none is part of what should be.
func (d *draft) bootstrapTokens() {
	d.applyObjects(d.objects, plan.PhaseBootstrapToken, after(d.inCluster(applies(plan.Phase.IsAddon)), d.inCluster(awaitsAPI)))
}
