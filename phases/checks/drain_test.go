package checks

import (
	"fmt"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/phases/forecast"
	"github.com/slipway-k8s/slipway/phases/view"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestOfManyBlockersTheFirstAreNamed: errors before those that are waited for, and the rest counted.
func TestOfManyBlockersTheFirstAreNamed(t *testing.T) {
	v := view.View{OnBlocked: cluster.OnBlockedWait, Drains: []forecast.Set{{Hosts: []string{"w-1"}, Return: true}}, Workloads: &forecast.State{}}
	v.Workloads.Nodes = []corev1.Node{{ObjectMeta: metav1.ObjectMeta{Name: "w-1"}}} // not Ready: that may pass
	for i := range mostBlockers + 5 {
		v.Workloads.Pods = append(v.Workloads.Pods, corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("lone-%d", i), Namespace: "default"}, Spec: corev1.PodSpec{NodeName: "w-1"}})
	}
	found := blockedTurns(v)
	last := found[len(found)-1]
	if len(found) != mostBlockers+1 || last.Seen != "6 more things would keep drains from their end" || last.Severity == Warning {
		t.Fatalf("%d findings, the last %v", len(found), last)
	}
	for _, one := range found[:mostBlockers] {
		if !strings.Contains(one.Seen, "no controller makes it again") || strings.Contains(one.Fix, "skip") {
			t.Errorf("%v", one)
		}
	}
	v.Workloads.Pods, v.Cluster = v.Workloads.Pods[:1], &cluster.Cluster{}
	for workflow, want := range map[view.Workflow]Severity{view.Upgrade: "", view.Rollback: Warning} {
		v.OnBlocked, v.Drain.Force, v.Workflow = cluster.OnBlockedStop, true, workflow
		if found := blockedTurns(v); len(found) != 1 || !strings.HasPrefix(found[0].Seen, "the node is not Ready") || found[0].Severity != want {
			t.Errorf("%s, with a node that is not Ready: %v", workflow, found)
		}
	}
	v.Workloads.Pods = nil
	if found := blockedTurns(v); len(found) > 0 {
		t.Errorf("nothing goes: %v", found)
	}
}
