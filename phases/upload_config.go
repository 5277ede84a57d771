package phases

import (
	"encoding/json"

	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// uploadConfig applies, when what nodes wait for has been applied, what is neither an add-on's nor
// a token's: the configuration that kubeadm keeps in the cluster, and the rights to read it.
// Administrators and logs come first of all, as soon as an API server takes requests: who
// administers may look on.
func (d *draft) uploadConfig() {
	waits := after(d.inCluster(applies(plan.Phase.IsAddon)), d.inCluster(awaitsAPI))
	for _, phase := range objectPhases(d.objects) {
		switch {
		case phase == plan.PhaseKubeletFinalize:
			d.applyObjects(d.objects, phase, after(nil, d.inCluster(awaitsServing)))
		case isConfig(phase):
			d.applyObjects(d.objects, phase, waits)
		}
	}
}

func isConfig(phase plan.Phase) bool { return !phase.IsAddon() && phase != plan.PhaseBootstrapToken }

func isToken(phase plan.Phase) bool { return phase == plan.PhaseBootstrapToken }

// complete notes in the cluster that init is done, after all else that it does there.
func (d *draft) complete() {
	if d.in.Completed() {
		return
	}
	waits := join(
		d.inCluster(applies(isConfig), applies(plan.Phase.IsAddon), applies(isToken)),
		madeOn(d.planes, awaitsEndpoint),
		d.inCluster(does[plan.WaitNode]),
		madeOn(d.drafts, does[plan.WaitPods]),
		d.inCluster(does[plan.MarkNode], does[plan.WaitAvailable], does[plan.Delete]),
		madeOn(d.drafts, startsBalancer),
	)
	content, err := json.Marshal(map[string]any{
		"apiVersion": view.MarkerKey.APIVersion,
		"kind":       view.MarkerKey.Kind,
		"metadata":   map[string]any{"name": view.MarkerKey.Name, "namespace": view.MarkerKey.Namespace},
		"data":       map[string]string{"cluster": d.in.ClusterID.Name, "id": d.in.ClusterID.ID},
	})
	if err != nil {
		d.fail(err)
		return
	}
	marker := manifests.Object{Phase: plan.PhaseUploadConfig, Key: view.MarkerKey, Content: content, Compare: manifests.Exact}
	d.apply(marker, "init has not completed before", plan.Create, after(waits, d.inCluster(awaitsAPI)))
}
