package phases

import (
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// bootstrapTokens applies what joining by hand needs: cluster-info and the rights of
// bootstrap tokens. Tokens themselves are ephemeral: none is part of what should be.
func (d *draft) bootstrapTokens(state manifests.ClusterState, addons, apis []string) ([]string, error) {
	return d.applyObjects(state, plan.PhaseBootstrapToken, after(addons, apis))
}
