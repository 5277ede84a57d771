package phases

import (
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// applyAddons applies the add-ons as soon as an API answers and the images are where a Pod
// may be put first.
func (d *draft) applyAddons() {
	var loaded []string
	for _, h := range d.planes {
		if images := h.made(does[hosts.LoadImage]); len(images) > 0 {
			loaded = append(loaded, images[len(images)-1])
		}
	}
	waits := after(nil, d.inCluster(awaitsAPI), loaded)
	for _, phase := range objectPhases(d.objects) {
		if phase.IsAddon() {
			d.applyObjects(d.objects, phase, waits)
		}
	}
}

// awaitAddons waits until what was applied, or is not all there yet, has rolled out.
func (d *draft) awaitAddons() {
	nodes, apis := d.inCluster(does[plan.WaitNode]), d.inCluster(awaitsAPI)
	for _, object := range d.objects.Objects {
		if !rollsOut(object.Key) {
			continue
		}
		if object.Key.Kind == "Deployment" && d.in.Cluster.Networking.AddOn == cluster.AddOnNone {
			continue // its Pods need the network that the user brings
		}
		applied := d.inCluster(appliesObject(object.Key))
		why := ""
		switch live, there := d.in.ClusterFacts.Objects[object.Key]; {
		case !there || len(applied) > 0:
			why = "it is being rolled out"
		case !d.in.rolledOut(object.Key, live):
			why = "not all of it is available"
		case len(nodes) > 0:
			why = "there are new nodes"
		default:
			continue
		}
		d.add(plan.Step{
			ID: clusterID(object.Phase, thing(object.Key), "available"), Phase: object.Phase,
			Subject: plan.Subject{Object: object.Key}, Lane: plan.LaneWait + "/" + thing(object.Key),
			After: after(join(nodes, applied), apis), Why: why,
			Cluster: plan.WaitAvailable{Object: object.Key, Missing: d.in.missing(), Timeout: d.in.limit(), Patience: d.in.nodePatience()},
		})
	}
}

// bootstrapTokens applies what joining by hand needs: cluster-info and the rights of
// bootstrap tokens. Tokens themselves are ephemeral: none is part of what should be.
func (d *draft) bootstrapTokens() {
	d.applyObjects(d.objects, plan.PhaseBootstrapToken, after(d.inCluster(applies(plan.Phase.IsAddon)), d.inCluster(awaitsAPI)))
}
