package phases

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// applyObjects brings the objects of one phase that are not as they should be, in
// their order: what a later one names comes before it.
func (d *draft) applyObjects(state manifests.ClusterState, phase plan.Phase, waits []plan.Dependency) {
	for _, object := range state.Objects {
		if object.Phase != phase {
			continue
		}
		object, err := d.keepReplicas(object)
		why, change := "", plan.Change("")
		if err == nil {
			why, change, err = d.objectDiffers(object)
		}
		if err != nil {
			d.fail(err)
			return
		}
		if why != "" {
			d.apply(object, why, change, waits)
		}
	}
}

// keepReplicas leaves a Deployment as many replicas as it has: how many CoreDNS needs is
// for whoever scales it to say, as it is with kubeadm.
func (d *draft) keepReplicas(object manifests.Object) (manifests.Object, error) {
	live, there := d.in.ClusterFacts.Objects[object.Key]
	if !there || object.Key.Kind != "Deployment" {
		return object, nil
	}
	var found struct {
		Spec struct {
			Replicas *json.Number `json:"replicas"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(live, &found); err != nil || found.Spec.Replicas == nil {
		return object, err
	}
	content, err := decodeObject(object.Content)
	if err != nil {
		return object, err
	}
	if spec, ok := content["spec"].(map[string]any); ok {
		spec["replicas"] = *found.Spec.Replicas
	}
	object.Content, err = json.Marshal(content)
	return object, err
}

func (d *draft) apply(object manifests.Object, why string, change plan.Change, waits []plan.Dependency) {
	d.add(plan.Step{
		ID: clusterID(object.Phase, thing(object.Key)), Phase: object.Phase, Subject: plan.Subject{Object: object.Key}, Lane: string(object.Phase),
		After: waits, Why: why, Change: change,
		Cluster: plan.Apply{
			Object: object.Key, Content: d.put(object.Content, object.Secret), Secret: object.Secret,
			Seed: object.Compare == manifests.Seed,
		},
	})
}

// thing is an object as it stands in a step's id.
func thing(key hosts.ObjectKey) string {
	parts := []string{strings.ToLower(key.Kind)}
	if key.Namespace != "" {
		parts = append(parts, key.Namespace)
	}
	return strings.Join(append(parts, key.Name), "/")
}

func (d *draft) objectDiffers(object manifests.Object) (string, plan.Change, error) {
	live, there := d.in.ClusterFacts.Objects[object.Key]
	if !there {
		return "absent", plan.Create, nil
	}
	if object.Compare == manifests.Seed {
		return "", "", nil
	}
	where, err := unlike(object.Content, live)
	if err != nil || where == "" {
		return "", "", err
	}
	return where + " differs", plan.Update, nil
}

// rolledOut tells whether all of what rolls out is there, but on nodes that are left out.
func (in Input) rolledOut(key hosts.ObjectKey, live json.RawMessage) bool {
	done, _, err := hosts.RolledOut(key, live, in.missing())
	return err == nil && done
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
