package phases

import (
	"encoding/json"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// markerKey is the object that says that init has completed: its last step. Until it is
// there, init goes on with whatever hosts the file has; afterwards hosts come by join.
var markerKey = hosts.ObjectKey{APIVersion: "v1", Kind: "ConfigMap", Namespace: "kube-system", Name: "slipway"}

// completed tells whether init has completed, as far as the cluster can be asked.
func (in Input) completed() bool {
	_, there := in.ClusterFacts.Objects[markerKey]
	return there
}

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
	if d.in.completed() {
		return nil
	}
	content, err := json.Marshal(map[string]any{
		"apiVersion": markerKey.APIVersion,
		"kind":       markerKey.Kind,
		"metadata":   map[string]any{"name": markerKey.Name, "namespace": markerKey.Namespace},
		"data":       map[string]string{"cluster": d.in.ClusterID.Name, "id": d.in.ClusterID.ID},
	})
	if err != nil {
		return err
	}
	marker := manifests.Object{Phase: plan.PhaseUploadConfig, Key: markerKey, Content: content, Compare: manifests.Exact}
	d.apply(marker, "init has not completed before", plan.Create, after(waits, apis))
	return nil
}
