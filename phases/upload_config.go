package phases

import (
	"encoding/json"

	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// configuration applies, when what nodes wait for has been applied, what is neither an add-on's nor a token's: the configuration
// that kubeadm keeps in the cluster, and the rights to read it. Administrators and logs come
// first of all, as soon as an API server takes requests: who administers may look on.
func (d *draft) configuration(state manifests.ClusterState, addons, served, apis []string) ([]string, error) {
	var ids []string
	for _, phase := range objectPhases(state) {
		if phase.IsAddon() || phase == plan.PhaseBootstrapToken {
			continue
		}
		waits := after(addons, apis)
		if phase == plan.PhaseKubeletFinalize {
			waits = after(nil, served)
		}
		applied, err := d.applyObjects(state, phase, waits)
		if err != nil {
			return nil, err
		}
		ids = append(ids, applied...)
	}
	return ids, nil
}

// complete notes in the cluster that init is done.
func (d *draft) complete(waits []string, apis []string) error {
	if d.in.Completed() {
		return nil
	}
	content, err := json.Marshal(map[string]any{
		"apiVersion": view.MarkerKey.APIVersion,
		"kind":       view.MarkerKey.Kind,
		"metadata":   map[string]any{"name": view.MarkerKey.Name, "namespace": view.MarkerKey.Namespace},
		"data":       map[string]string{"cluster": d.in.ClusterID.Name, "id": d.in.ClusterID.ID},
	})
	if err != nil {
		return err
	}
	marker := manifests.Object{Phase: plan.PhaseUploadConfig, Key: view.MarkerKey, Content: content, Compare: manifests.Exact}
	d.apply(marker, "init has not completed before", plan.Create, after(waits, apis))
	return nil
}
