package phases

import (
	"slices"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// addons applies the add-ons as soon as an API answers and the images are where a Pod
// may be put first.
func (d *draft) addons(state manifests.ClusterState, drafts []*hostDraft, apis []string) ([]string, error) {
	var loaded []string
	for _, h := range drafts {
		if h.runsControlPlane() && len(h.imageOrder) > 0 {
			loaded = append(loaded, h.imageOrder[len(h.imageOrder)-1])
		}
	}
	var ids []string
	for _, phase := range objectPhases(state) {
		if !phase.IsAddon() {
			continue
		}
		applied, err := d.applyObjects(state, phase, after(nil, apis, loaded))
		if err != nil {
			return nil, err
		}
		ids = append(ids, applied...)
	}
	return ids, nil
}

// awaitAddons waits until what was applied, or is not all there yet, has rolled out.
func (d *draft) awaitAddons(state manifests.ClusterState, applied, nodes, apis []string) []string {
	var ids []string
	for _, object := range state.Objects {
		if !rollsOut(object.Key) {
			continue
		}
		if object.Key.Kind == "Deployment" && d.in.Cluster.Networking.AddOn == cluster.AddOnNone {
			continue // its Pods need the network that the user brings
		}
		step := clusterID(object.Phase, thing(object.Key))
		why := ""
		switch live, there := d.in.ClusterFacts.Objects[object.Key]; {
		case !there || slices.Contains(applied, step):
			why = "it is being rolled out"
		case !rolledOut(object.Key, live):
			why = "not all of it is available"
		case len(nodes) > 0:
			why = "there are new nodes"
		default:
			continue
		}
		waits := join(nodes)
		if slices.Contains(applied, step) {
			waits = join(waits, []string{step})
		}
		ids = append(ids, d.add(plan.Step{
			ID: step + "/available", Phase: object.Phase, Subject: plan.Subject{Object: object.Key}, Lane: plan.LaneWait + "/" + thing(object.Key),
			After: after(waits, apis), Why: why,
			Cluster: plan.WaitAvailable{Object: object.Key, Timeout: rolloutTimeout},
		}))
	}
	return ids
}

// rollouts are the objects that bring Pods up.
func rollouts(state manifests.ClusterState) []hosts.ObjectKey {
	var keys []hosts.ObjectKey
	for _, object := range state.Objects {
		if rollsOut(object.Key) {
			keys = append(keys, object.Key)
		}
	}
	return keys
}

func rollsOut(key hosts.ObjectKey) bool { return key.Kind == "Deployment" || key.Kind == "DaemonSet" }

// objectPhases lists the phases that the state's objects have, in the order that
// serves a new cluster soonest.
func objectPhases(state manifests.ClusterState) []plan.Phase {
	phases := slices.Clone(manifests.ObjectPhases)
	for _, object := range state.Objects {
		if !slices.Contains(phases, object.Phase) {
			phases = append(phases, object.Phase)
		}
	}
	return phases
}
