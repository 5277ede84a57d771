package phases

import (
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// TestWaitsHaveTheFilesPatience: each that the engine tells slow from stuck has the file's times.
func TestWaitsHaveTheFilesPatience(t *testing.T) {
	w := newWorld(t, 3, 1)
	w.cluster.Timeouts = cluster.Timeouts{
		ControlPlaneComponentHealthCheck: cluster.Duration(20 * time.Minute), KubeletHealthCheck: cluster.Duration(7 * time.Minute),
		WithoutProgress: cluster.Duration(3 * time.Minute), Limit: cluster.Duration(time.Hour),
	}
	p, _ := w.planned(Init)
	seen := map[string]bool{}
	for _, step := range p.Steps {
		var busy time.Duration
		switch step.Cluster.(type) {
		case plan.WaitAPI, plan.WaitPods, plan.MemberPromote:
			busy = 20 * time.Minute
		case plan.WaitNode, plan.WaitAvailable:
			busy = 7 * time.Minute
		case plan.WaitEndpoint:
			busy = 3 * time.Minute
		default:
			continue
		}
		seen[plan.Kind(step)] = true
		patience, limit, waits := plan.PatienceOf(step)
		if !waits || limit != time.Hour || patience.QuietTime() != 3*time.Minute || patience.BusyTime() != busy {
			t.Errorf("%s is waited for %s at most, %+v", step.ID, limit, patience)
		}
	}
	if len(seen) < 3 {
		t.Errorf("the plan has only %v", seen)
	}
}
