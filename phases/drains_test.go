package phases

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/forecast"
	"github.com/slipway-k8s/slipway/phases/view"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// running adds to what is seen of a world what runs on its nodes.
func (in Input) running(pods ...corev1.Pod) Input {
	in.Workloads = &forecast.State{Pods: pods}
	for _, node := range in.ClusterFacts.Nodes {
		in.Workloads.Nodes = append(in.Workloads.Nodes, corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: node.Name}, Spec: corev1.NodeSpec{Unschedulable: node.Unschedulable},
			Status: corev1.NodeStatus{Allocatable: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("110")}, Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}},
		})
	}
	return in
}

func barePod(node string) corev1.Pod {
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "on-" + node, Namespace: "default", UID: "x"},
		Spec:       corev1.PodSpec{NodeName: node}, Status: corev1.PodStatus{Phase: corev1.PodRunning},
	}
}

// upgraded is a world whose next bundle waits.
func upgraded(t *testing.T, planes, workers int) *world {
	t.Helper()
	w := newWorld(t, planes, workers)
	w.beforeUpgrade()
	return w
}

// TestTheForecastGoesInTheOrderOfThePlan: each control plane alone, one worker alone, and then as many
// as are changed at a time; a rollback the other way round.
func TestTheForecastGoesInTheOrderOfThePlan(t *testing.T) {
	w := upgraded(t, 3, 5)
	w.etcd.leader = "cp-1" // it comes last
	in := w.observe()
	in.WorkersAtOnce = 2
	if got, want := fmt.Sprint(UpgradeDrains(in)), "[{[cp-2] true} {[cp-3] true} {[cp-1] true} {[w-1] true} {[w-2 w-3] true} {[w-4 w-5] true}]"; got != want {
		t.Errorf("the upgrade drains %s, want %s", got, want)
	}
	w.all(Upgrade)
	if left := UpgradeDrains(w.observe()); left == nil || len(left) > 0 {
		t.Errorf("where all is done it drains %v", left)
	}
	w.goBack()
	in = w.observe()
	in.WorkersAtOnce = 4
	if got, want := fmt.Sprint(RollbackDrains(in)), "[{[w-1] true} {[w-2 w-3 w-4 w-5] true} {[cp-1] true} {[cp-3] true} {[cp-2] true}]"; got != want {
		t.Errorf("the rollback drains %s, want %s", got, want)
	}
}

// TestADrainThatWouldNotEndStopsAnUpgrade: of the hosts that are drained, and unless it is ignored.
func TestADrainThatWouldNotEndStopsAnUpgrade(t *testing.T) {
	w := upgraded(t, 1, 2)
	in := w.observe().running(barePod("w-2"))
	in.Drains = UpgradeDrains(in)
	_, _, err := Upgrade(in)
	refused, _ := errors.AsType[*checks.Refused](err)
	if refused == nil || !strings.Contains(refused.Error(), "w-2: Drain: default/on-w-2: no controller makes it again elsewhere") || strings.Contains(err.Error(), "skip") {
		t.Fatalf("it ends with %v", err)
	}
	in.IgnoreChecks = []string{"Drain"}
	p, _, err := Upgrade(in)
	if err != nil || !strings.Contains(strings.Join(p.Warnings, "\n"), "default/on-w-2: no controller makes it again elsewhere; ignored by --ignore-checks") {
		t.Errorf("ignored: %v, %q", err, p.Warnings)
	}
	in = w.observe().running(barePod("elsewhere"))
	in.Drains = UpgradeDrains(in)
	if _, _, err := Upgrade(in); err != nil {
		t.Errorf("on a node that is not drained: %v", err)
	}
}

// TestWhatAnInterruptedUpgradeHasCordonedTakesPodsAgain: the forecast of the rest counts on it.
func TestWhatAnInterruptedUpgradeHasCordonedTakesPodsAgain(t *testing.T) {
	pod := barePod("w-2")
	pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web", UID: "web", Controller: new(true)}}
	for by, want := range map[string]bool{string(view.Upgrade): true, "": false} {
		in := inUse().cordoned("w-1", by).cordoned("cp-1", "").running(pod)
		for _, sets := range [][]forecast.Set{{{Hosts: []string{"w-1"}, Return: true}, {Hosts: []string{"w-2"}, Return: true}}, {{Hosts: []string{"w-2"}, Return: true}}} {
			in.Drains = sets
			f, err := in.TurnsForecast()
			if err != nil || strings.Contains(fmt.Sprint(f), "no other node takes it") == want {
				t.Errorf("cordoned by %q: %v, %v", by, f, err)
			}
		}
	}
}
