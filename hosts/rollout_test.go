package hosts_test

import (
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
)

func TestRollouts(t *testing.T) {
	tests := []struct {
		kind, object string
		done         bool
		missing      int
	}{
		{"Deployment", `{"metadata":{"generation":2},"status":{"observedGeneration":1,"replicas":1,"updatedReplicas":1,"availableReplicas":1}}`, false, 0},
		{"Deployment", `{"metadata":{"generation":2},"status":{"observedGeneration":2,"replicas":1,"updatedReplicas":1,"availableReplicas":1}}`, true, 0},
		{"Deployment", `{"spec":{"replicas":2},"status":{"replicas":3,"updatedReplicas":2,"availableReplicas":2}}`, false, 0},
		{"Deployment", `{"spec":{"replicas":0},"status":{}}`, true, 0},
		{"DaemonSet", `{"metadata":{"generation":1},"status":{}}`, false, 0},
		{"DaemonSet", `{"metadata":{"generation":1},"status":{"observedGeneration":1,"desiredNumberScheduled":3,"updatedNumberScheduled":3,"numberAvailable":2}}`, false, 0},
		{"DaemonSet", `{"metadata":{"generation":1},"status":{"observedGeneration":1,"desiredNumberScheduled":3,"updatedNumberScheduled":2,"numberAvailable":3}}`, false, 0},
		{"DaemonSet", `{"metadata":{"generation":1},"status":{"observedGeneration":1,"desiredNumberScheduled":3,"updatedNumberScheduled":3,"numberAvailable":3}}`, true, 0},
		{"DaemonSet", `{"metadata":{"generation":1},"status":{"observedGeneration":1,"desiredNumberScheduled":3,"updatedNumberScheduled":2,"numberAvailable":2}}`, true, 1},
		{"DaemonSet", `{"metadata":{"generation":1},"status":{"observedGeneration":1,"desiredNumberScheduled":3,"updatedNumberScheduled":1,"numberAvailable":2}}`, false, 1},
		{"DaemonSet", `{"metadata":{"generation":1},"status":{"observedGeneration":1,"desiredNumberScheduled":3,"updatedNumberScheduled":3,"numberAvailable":2}}`, true, 1},
		{"Deployment", `{"spec":{"replicas":2},"status":{"replicas":2,"updatedReplicas":2,"availableReplicas":1}}`, false, 1},
		{"StatefulSet", `{"spec":{"replicas":2},"status":{"updatedReplicas":2,"availableReplicas":1}}`, false, 0},
		{"StatefulSet", `{"spec":{"replicas":2},"status":{"updatedReplicas":2,"availableReplicas":2}}`, true, 0},
	}
	for i, test := range tests {
		done, seen, err := hosts.RolledOut(hosts.ObjectKey{Kind: test.kind}, []byte(test.object), test.missing)
		if err != nil || done != test.done || seen == "" {
			t.Errorf("%d: %s %s: %t, %q, %v", i, test.kind, test.object, done, seen, err)
		}
	}
}

func TestARolloutThatIsPausedSaysSo(t *testing.T) {
	done, seen, err := hosts.RolledOut(hosts.ObjectKey{Kind: "Deployment"}, []byte(`{"spec":{"replicas":2,"paused":true},"status":{"replicas":2}}`), 0)
	if want := "it is paused; of 2 replicas 0 are up to date, 0 available"; err != nil || done || seen != want {
		t.Errorf("%t, %q, %v", done, seen, err)
	}
}
