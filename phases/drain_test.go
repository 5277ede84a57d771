package phases

import (
	"errors"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/forecast"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// inUse is a cluster of a control plane, a load balancer and two workers, w-1 with a bare Pod and
// w-2 with one of a StatefulSet.
func inUse(names ...string) Input {
	c := &cluster.Cluster{Name: "try", Hosts: []cluster.Host{testPlane(1), testBalancer(1), testWorker(1), testWorker(2)}}
	cluster.Defaults(c)
	in := Input{view.View{Cluster: c, Hosts: names, OnBlocked: cluster.OnBlockedStop, Drain: plan.DrainOptions{Timeout: 300}}}
	in.ClusterFacts.Reachable = true
	in.Workloads = &forecast.State{}
	for _, name := range []string{"cp-1", "w-1", "w-2"} {
		in.ClusterFacts.Nodes = append(in.ClusterFacts.Nodes, hosts.Node{Name: name, Ready: true})
		in.Workloads.Nodes = append(in.Workloads.Nodes, corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Status:     corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}},
		})
	}
	for _, pod := range []struct {
		node   string
		owners []metav1.OwnerReference
	}{{"w-1", nil}, {"w-2", []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "StatefulSet", Name: "db", UID: "db", Controller: new(true)}}}} {
		in.Workloads.Pods = append(in.Workloads.Pods, corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: "on-" + pod.node, Namespace: "default", UID: "x", OwnerReferences: pod.owners},
			Spec:       corev1.PodSpec{NodeName: pod.node}, Status: corev1.PodStatus{Phase: corev1.PodRunning},
		})
	}
	return in
}

func (in Input) cordoned(name, by string) Input {
	for i := range in.ClusterFacts.Nodes {
		if node := &in.ClusterFacts.Nodes[i]; node.Name == name {
			node.Unschedulable, node.CordonedBy = true, by
		}
	}
	return in
}

// did writes a plan down: what each step does, and for whom.
func did(p plan.Plan) string {
	var all []string
	for _, step := range p.Steps {
		text := plan.Describe(step)
		switch action := step.Cluster.(type) {
		case plan.Cordon:
			text += " by " + action.By
		case plan.Drain:
			text += " by " + action.By
		case plan.Uncordon:
			text += " by " + action.By
		}
		if step.IsRescue() {
			text = "else " + text
		}
		all = append(all, strings.TrimSuffix(text, " by "))
	}
	return strings.Join(all, ", ")
}

func TestPlansOfCordonAndDrain(t *testing.T) {
	forced := func(in Input) Input { in.View.Drain.Force = true; return in }
	on := func(in Input, choice cluster.OnBlocked) Input { in.OnBlocked = choice; return in }
	silent := func(in Input) Input { in.ClusterFacts.Reachable = false; return in }
	for name, test := range map[string]struct {
		make    func(Input) (plan.Plan, plan.Contents, error)
		in      Input
		want    string
		refused string
	}{
		"cordon":                      {Cordon, inUse("w-1", "w-2"), "cordon w-1, cordon w-2", ""},
		"cordoned already":            {Cordon, inUse("w-1").cordoned("w-1", ""), "", ""},
		"cordoned for a time":         {Cordon, inUse("w-1").cordoned("w-1", "drain"), "cordon w-1", ""},
		"uncordon":                    {Uncordon, inUse("w-1", "w-2").cordoned("w-2", "upgrade"), "uncordon w-2", ""},
		"a load balancer":             {Cordon, inUse("lb-1"), "", "it is a load balancer"},
		"no API":                      {Cordon, silent(inUse("w-1")), "", "no API server answers"},
		"drain":                       {Drain, inUse("w-2"), "cordon w-2 by drain, drain w-2 by drain, cordon w-2, else uncordon w-2 by drain", ""},
		"nothing runs there":          {Drain, inUse("cp-1"), "cordon cp-1", ""},
		"all are cordoned first":      {Drain, forced(inUse("w-1", "w-2")), "cordon w-1 by drain, cordon w-2 by drain, drain w-1 by drain, cordon w-1, drain w-2 by drain, cordon w-2, else uncordon w-1 by drain, else uncordon w-2 by drain", ""},
		"a person has cordoned it":    {Drain, inUse("w-2").cordoned("w-2", ""), "drain w-2", ""},
		"taken up after a kill":       {Drain, inUse("w-2").cordoned("w-2", "drain"), "cordon w-2 by drain, drain w-2 by drain, cordon w-2, else uncordon w-2 by drain", ""},
		"another workflow's":          {Drain, inUse("w-2").cordoned("w-2", "upgrade"), "drain w-2 by drain", ""},
		"a bare Pod":                  {Drain, inUse("w-1"), "", "default/on-w-1: no controller makes it again elsewhere"},
		"waiting makes no controller": {Drain, on(inUse("w-1"), cluster.OnBlockedWait), "", "no controller makes it again"},
		"left out":                    {Drain, on(inUse("w-1", "w-2"), cluster.OnBlockedSkip), "cordon w-2 by drain, drain w-2 by drain, cordon w-2, else uncordon w-2 by drain", ""},
		"nobody is left":              {Drain, on(inUse("w-1"), cluster.OnBlockedSkip), "", "every host is left out"},
	} {
		t.Run(name, func(t *testing.T) {
			p, _, err := test.make(test.in)
			refused, _ := errors.AsType[*checks.Refused](err)
			switch {
			case test.refused != "" && (refused == nil || !strings.Contains(refused.Error(), test.refused)):
				t.Errorf("it ends with %v, want %q", err, test.refused)
			case test.refused == "" && err != nil:
				t.Error(err)
			case did(p) != test.want:
				t.Errorf("the plan is %q, want %q", did(p), test.want)
			}
		})
	}
}

// TestWhatMayPassIsTold: who waits for a blocker is told of it all the same.
func TestWhatMayPassIsTold(t *testing.T) {
	in := inUse("w-2")
	in.OnBlocked = cluster.OnBlockedWait
	in.Workloads.Refused = map[string]string{"default/on-w-2": "a webhook says no"}
	p, _, err := Drain(in)
	if err != nil || !strings.Contains(strings.Join(p.Warnings, "\n"), "default/on-w-2 (StatefulSet default/db): the API server refuses its eviction now: a webhook says no") {
		t.Errorf("%v %q", err, p.Warnings)
	}
	in.OnBlocked = cluster.OnBlockedStop
	if _, _, err := Drain(in); err == nil {
		t.Error("it is not refused")
	}
}
