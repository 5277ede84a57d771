package hosts

import (
	"encoding/json"
	"fmt"
)

// RolledOut tells by a Deployment's, DaemonSet's or StatefulSet's own status whether all of it
// runs as its latest generation says, and how far it is.
func RolledOut(key ObjectKey, object []byte) (done bool, seen string, err error) {
	var live struct {
		Metadata struct{ Generation int64 }
		Spec     struct {
			Replicas *int64
			Paused   bool
		}
		Status struct {
			ObservedGeneration, Replicas, UpdatedReplicas, AvailableReplicas int64
			DesiredNumberScheduled, UpdatedNumberScheduled, NumberAvailable  int64
		}
	}
	if err := json.Unmarshal(object, &live); err != nil {
		return false, "", fmt.Errorf("read %s: %w", key, err)
	}
	status := live.Status
	what, wanted, updated, available := "replicas", int64(1), status.UpdatedReplicas, status.AvailableReplicas
	switch key.Kind {
	case "DaemonSet":
		what, wanted, updated, available = "nodes' Pods", status.DesiredNumberScheduled, status.UpdatedNumberScheduled, status.NumberAvailable
	case "Deployment", "StatefulSet":
		if live.Spec.Replicas != nil {
			wanted = *live.Spec.Replicas
		}
	default:
		return false, "", fmt.Errorf("a %s does not roll out", key.Kind)
	}
	if status.ObservedGeneration < live.Metadata.Generation {
		return false, "its controller has not taken it up", nil
	}
	surplus := key.Kind == "Deployment" && status.Replicas != wanted
	seen = fmt.Sprintf("of %d %s %d are up to date, %d available", wanted, what, updated, available)
	if live.Spec.Paused {
		seen = "it is paused; " + seen
	}
	return updated == wanted && available == wanted && !surplus, seen, nil
}
