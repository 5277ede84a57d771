package forecast

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/phases/plan"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// world is a State in the making: nodes w-1 … w-n with 4 CPUs each.
type world struct{ State }

func nodes(n int) *world {
	w := &world{State{DaemonSets: map[string]bool{}}}
	for i := range n {
		name := fmt.Sprintf("w-%d", i+1)
		w.Nodes = append(w.Nodes, corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelHostname: name}},
			Status: corev1.NodeStatus{
				Allocatable: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("4"), corev1.ResourceMemory: resource.MustParse("8Gi"), corev1.ResourcePods: resource.MustParse("110")},
				Conditions:  []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
			},
		})
	}
	return w
}

// pod adds a Ready Pod of a Deployment's ReplicaSet, of DaemonSet x, … (owner "" is a bare one).
func (w *world) pod(name, node, owner string, edits ...func(*corev1.Pod)) *world {
	pod := corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default", UID: types.UID("pod-" + name), Labels: map[string]string{}},
		Spec:       corev1.PodSpec{NodeName: node},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}},
	}
	if kind, of, owned := strings.Cut(owner, " "); owned {
		version := map[string]string{"Job": "batch/v1"}[kind]
		if version == "" {
			version = "apps/v1"
		}
		pod.Labels["app"] = of
		if kind == "Deployment" {
			kind, pod.Labels["pod-template-hash"] = "ReplicaSet", "5d"
			pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: version, Kind: kind, Name: of + "-5d", UID: types.UID(of), Controller: new(true)}}
		} else {
			pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: version, Kind: kind, Name: of, UID: types.UID(of), Controller: new(true)}}
		}
	}
	for _, edit := range edits {
		edit(&pod)
	}
	w.Pods = append(w.Pods, pod)
	return w
}

func (w *world) daemonSet(name string) *world {
	w.DaemonSets["default/"+name] = true
	return w
}

func (w *world) node(at int, edit func(*corev1.Node)) *world {
	edit(&w.Nodes[at-1])
	return w
}

// budget adds one for the Pods of an app, with the status that its controller would have.
func (w *world) budget(app string, desired, expected int32, edits ...func(*policyv1.PodDisruptionBudget)) *world {
	healthy := int32(0)
	for i := range w.Pods {
		if w.Pods[i].Labels["app"] == app && w.Pods[i].Status.Conditions[0].Status == corev1.ConditionTrue {
			healthy++
		}
	}
	b := policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Name: app, Namespace: "default"},
		Spec:       policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}, MinAvailable: new(intstr.FromInt32(desired))},
		Status:     policyv1.PodDisruptionBudgetStatus{DesiredHealthy: desired, ExpectedPods: expected, CurrentHealthy: healthy, DisruptionsAllowed: max(0, healthy-desired)},
	}
	for _, edit := range edits {
		edit(&b)
	}
	w.Budgets = append(w.Budgets, b)
	return w
}

// claim binds a claim to a volume that only one node reaches.
func (w *world) claim(name, node string) *world {
	w.Claims = append(w.Claims, corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default"}, Spec: corev1.PersistentVolumeClaimSpec{VolumeName: "pv-" + name}})
	w.Volumes = append(w.Volumes, corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "pv-" + name}, Spec: corev1.PersistentVolumeSpec{NodeAffinity: &corev1.VolumeNodeAffinity{
		Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{node}}}}}},
	}}})
	return w
}

func claims(name string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name}}})
	}
}

func apartFromItself(p *corev1.Pod) {
	p.Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{
		LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": p.Labels["app"]}}, TopologyKey: corev1.LabelHostname,
	}}}}
}

func asks(cpu string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.Containers = []corev1.Container{{Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)}}}}
	}
}

func emptyDir(p *corev1.Pod) {
	p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: "cache", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}})
}

func hostPath(p *corev1.Pod) {
	p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: "logs", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/var/log"}}})
}

func unready(p *corev1.Pod)   { p.Status.Conditions[0].Status = corev1.ConditionFalse }
func succeeded(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }
func mirror(p *corev1.Pod) {
	p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"}
}
func onPort80(p *corev1.Pod) {
	p.Spec.Containers = []corev1.Container{{Ports: []corev1.ContainerPort{{HostPort: 80, Protocol: corev1.ProtocolTCP}}}}
}
func onlyOnDisks(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{"disk": "ssd"} }

func ending(ago time.Duration) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: now.Add(-ago)} }
}

func finalizer(name string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Finalizers = []string{name} }
}

func grace(seconds int64) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Spec.TerminationGracePeriodSeconds = &seconds }
}

// lines writes a forecast down, a line for each Pod and each note.
func lines(f Forecast) []string {
	var all []string
	write := func(notes []Note) {
		for _, note := range notes {
			line := fmt.Sprintf("  %s %s: %s", note.Severity, note.Kind, note.Seen)
			if len(note.May) > 0 {
				line += fmt.Sprintf(" %v", note.May)
			}
			all = append(all, line)
		}
	}
	for _, host := range f.Hosts {
		write(host.Notes)
		for _, pod := range host.Pods {
			line := host.Name + " " + strings.TrimPrefix(pod.Name, "default/") + " " + string(pod.Fate)
			if pod.Why != "" {
				line += ": " + pod.Why
			}
			all = append(all, line)
			write(pod.Notes)
		}
	}
	return all
}

func TestForecast(t *testing.T) {
	var (
		one   = []Set{{Hosts: []string{"w-1"}}}
		both  = []Set{{Hosts: []string{"w-1", "w-2"}}}
		stay  = []Set{{Hosts: []string{"w-1"}}, {Hosts: []string{"w-2"}}}
		turns = []Set{{Hosts: []string{"w-1"}, Return: true}, {Hosts: []string{"w-2"}, Return: true}}
	)
	for name, test := range map[string]struct {
		world   *world
		sets    []Set
		options plan.DrainOptions
		want    string
	}{
		"what stays": {
			nodes(2).daemonSet("agent").pod("agent-1", "w-1", "DaemonSet agent").pod("kube-proxy-w-1", "w-1", "", mirror).
				pod("old", "w-1", "", succeeded).pod("other", "w-2", "Deployment other"),
			one, plan.DrainOptions{}, `
w-1 agent-1 stays: DaemonSet
w-1 kube-proxy-w-1 stays: static Pod
w-1 old evicted: it has ended`},
		"a selector leaves the others": {
			nodes(2).pod("a", "w-1", "Deployment a").pod("a2", "w-2", "Deployment a").pod("b", "w-1", "Deployment b"),
			one, plan.DrainOptions{PodSelector: "app=a"}, `
w-1 a evicted
w-1 b stays: --pod-selector leaves it`},
		"a DaemonSet that is gone": {
			nodes(2).pod("agent-1", "w-1", "DaemonSet agent"), one, plan.DrainOptions{}, `
w-1 agent-1 blocked
  blocks orphan: its DaemonSet default/agent is gone, and nothing makes it again [skip]`},
		"a DaemonSet that is gone, by force": {
			nodes(2).pod("agent-1", "w-1", "DaemonSet agent"), one, plan.DrainOptions{Force: true}, `
w-1 agent-1 deleted
  interrupts orphan: its DaemonSet default/agent is gone: it is deleted for good`},
		"a bare Pod": {nodes(2).pod("bare", "w-1", ""), one, plan.DrainOptions{}, `
w-1 bare blocked
  blocks bare: no controller makes it again elsewhere [skip]`},
		"a bare Pod, by force": {nodes(2).pod("bare", "w-1", ""), one, plan.DrainOptions{Force: true}, `
w-1 bare deleted
  interrupts bare: no controller makes it again: it is deleted for good`},
		"local data": {nodes(2).pod("a", "w-1", "Deployment a", emptyDir).pod("a2", "w-2", "Deployment a"), one, plan.DrainOptions{}, `
w-1 a blocked
  blocks emptyDir: what is in emptyDir cache would be lost [skip]`},
		"local data that may be lost": {nodes(2).pod("a", "w-1", "Deployment a", emptyDir, hostPath).pod("a2", "w-2", "Deployment a"), one, plan.DrainOptions{DeleteEmptyDirData: true}, `
w-1 a evicted
  told emptyDir: what is in emptyDir cache is lost
  told hostPath: it uses /var/log of its host, and gets another host's`},
		"a Job": {nodes(2).pod("sum", "w-1", "Job sum"), one, plan.DrainOptions{}, `
w-1 sum evicted
  interrupts job: the Job begins this Pod's work anew`},
		"the only one": {nodes(2).pod("db-0", "w-1", "StatefulSet db"), one, plan.DrainOptions{}, `
w-1 db-0 evicted
  interrupts single: it is the only one of StatefulSet default/db: that is missed until a new one is Ready`},
		"all on the hosts that go": {nodes(3).pod("a1", "w-1", "Deployment a").pod("a2", "w-2", "Deployment a"), both, plan.DrainOptions{}, `
w-1 a1 evicted
  interrupts single: all 2 Pods of Deployment default/a are on the hosts that go, and no budget keeps any
w-2 a2 evicted`},
		"long and too long": {
			nodes(2).pod("a", "w-1", "Deployment a", grace(120)).pod("b", "w-1", "Deployment b", grace(600)).pod("a2", "w-2", "Deployment a").pod("b2", "w-2", "Deployment b"),
			one, plan.DrainOptions{Timeout: 300}, `
w-1 a evicted
  told gracePeriod: it may take 2m to end
w-1 b blocked
  blocks gracePeriod: it may take 10m to end, and the time limit is 5m [skip]`},
		"a grace period of the user's": {
			nodes(2).pod("b", "w-1", "Deployment b", grace(600)).pod("b2", "w-2", "Deployment b"), one, plan.DrainOptions{Timeout: 300, GracePeriod: new(0)}, `
w-1 b evicted`},
		"finalizers": {
			nodes(2).pod("a", "w-1", "Deployment a", finalizer("example.com/hold")).pod("b", "w-1", "Job b", finalizer("batch.kubernetes.io/job-tracking")).
				pod("c", "w-1", "Deployment c", finalizer("example.com/hold"), ending(time.Minute)),
			one, plan.DrainOptions{}, `
w-1 a blocked
  blocks finalizer: it has finalizer example.com/hold: it stays until whoever set it removes it [wait skip]
w-1 b evicted
  interrupts job: the Job begins this Pod's work anew
w-1 c blocked
  blocks finalizer: it has finalizer example.com/hold: it was told to end, and stays until whoever set it removes it [wait skip]`},
		"Pods that end": {
			nodes(2).pod("a", "w-1", "Deployment a", ending(time.Minute)).pod("b", "w-1", "Deployment b", ending(time.Hour)).pod("a2", "w-2", "Deployment a"),
			one, plan.DrainOptions{SkipWaitForDelete: 600}, `
w-1 a evicted
  told ending: it is ending already
w-1 b stays: it was told to end long ago, and is not waited for (--skip-wait-for-delete-timeout)`},
		"a node that is not Ready": {
			nodes(2).pod("a", "w-1", "Deployment a").pod("a2", "w-2", "Deployment a").node(1, func(n *corev1.Node) {
				n.Status.Conditions[0] = corev1.NodeCondition{Type: corev1.NodeReady, Status: corev1.ConditionUnknown, Reason: "NodeStatusUnknown"}
			}), one, plan.DrainOptions{}, `
  blocks node: the node is not Ready, and no kubelet ends its Pods (NodeStatusUnknown) [wait skip]
w-1 a evicted`},
		"no such node":  {nodes(1), []Set{{Hosts: []string{"lb-1"}}}, plan.DrainOptions{}, ``},
		"what API says": {nodes(2).pod("a", "w-1", "Deployment a").pod("a2", "w-2", "Deployment a").refused("a", "a webhook says no"), one, plan.DrainOptions{}, "\nw-1 a blocked\n  blocks refused: the API server refuses its eviction now: a webhook says no [wait force skip]"},
		"API, by force": {nodes(2).pod("a", "w-1", "Deployment a").pod("a2", "w-2", "Deployment a").refused("a", "a webhook says no"), one, plan.DrainOptions{ForceAfter: 60}, "\nw-1 a deleted\n  interrupts refused: it is deleted after 60 s, although the API server refuses its eviction now: a webhook says no"},
		"a budget of 2": {nodes(3).pod("a1", "w-1", "Deployment a").pod("a2", "w-1", "Deployment a").pod("a3", "w-2", "Deployment a").budget("a", 2, 3), one, plan.DrainOptions{}, "\nw-1 a1 evicted\nw-1 a2 evicted"},
		"never":         {nodes(3).pod("a1", "w-1", "Deployment a").pod("a2", "w-2", "Deployment a").budget("a", 2, 2), one, plan.DrainOptions{}, "\nw-1 a1 blocked\n  blocks budget: budget default/a never lets one go: it needs 2 of 2 Ready [wait force skip]"},
		"never, forced": {nodes(3).pod("a1", "w-1", "Deployment a").pod("a2", "w-2", "Deployment a").budget("a", 2, 2), one, plan.DrainOptions{ForceAfter: 60}, "\nw-1 a1 deleted\n  interrupts budget: it is deleted after 60 s, although budget default/a never lets one go: it needs 2 of 2 Ready"},
		"not asked":     {nodes(3).pod("a1", "w-1", "Deployment a").pod("a2", "w-2", "Deployment a").budget("a", 2, 2), one, plan.DrainOptions{DisableEviction: true}, "\nw-1 a1 deleted\n  interrupts budget: it is deleted, not evicted (--disable-eviction), although budget default/a never lets one go: it needs 2 of 2 Ready"},
		"not now":       {nodes(3).pod("a1", "w-1", "Deployment a").pod("a2", "w-2", "Deployment a").pod("a3", "w-2", "Deployment a", unready).budget("a", 2, 3), one, plan.DrainOptions{}, "\nw-1 a1 blocked\n  blocks budget: budget default/a lets none go now: it needs 2 Ready, and of 3 Pods 2 are [wait force skip]"},
		"the unready":   {nodes(3).pod("a1", "w-1", "Deployment a", unready).pod("a2", "w-2", "Deployment a").pod("a3", "w-2", "Deployment a").budget("a", 2, 3), one, plan.DrainOptions{}, "\nw-1 a1 evicted"},
		"too few":       {nodes(3).pod("a1", "w-1", "Deployment a", unready).pod("a2", "w-2", "Deployment a").budget("a", 2, 3), one, plan.DrainOptions{}, "\nw-1 a1 blocked\n  blocks budget: budget default/a lets none go now: it needs 2 Ready, and of 3 Pods 1 are [wait force skip]"},
		"too few, and unready ones always go": {nodes(3).pod("a1", "w-1", "Deployment a", unready).pod("a2", "w-2", "Deployment a").budget("a", 2, 3, func(b *policyv1.PodDisruptionBudget) {
			b.Spec.UnhealthyPodEvictionPolicy = new(policyv1.AlwaysAllow)
		}), one, plan.DrainOptions{}, "\nw-1 a1 evicted"},
		"not counted": {nodes(3).pod("a1", "w-1", "Deployment a").pod("a2", "w-2", "Deployment a").budget("a", 1, 2, func(b *policyv1.PodDisruptionBudget) {
			b.Generation, b.Status = 2, policyv1.PodDisruptionBudgetStatus{ObservedGeneration: 1}
		}), one, plan.DrainOptions{}, "\nw-1 a1 blocked\n  blocks budget: budget default/a was changed, and no controller has counted its Pods since [wait force skip]"},
		"two budgets": {nodes(3).pod("a1", "w-1", "Deployment a").pod("a2", "w-2", "Deployment a").budget("a", 1, 2).budget("a", 1, 2, func(b *policyv1.PodDisruptionBudget) { b.Name = "b" }), one, plan.DrainOptions{},
			"\nw-1 a1 blocked\n  blocks budget: it has more than one budget (default/a, default/b), and the API server evicts no such Pod [force skip]"},

		// Nowhere else to go.
		"no room": {nodes(2).pod("a", "w-1", "Deployment a", asks("3")).pod("b", "w-2", "Deployment b", asks("2")).budget("a", 0, 1), one, plan.DrainOptions{}, `
w-1 a evicted
  interrupts nowhere: no other node takes it: 1 node: cordoned, or drained too; 1 node: too little cpu`},
		"no room for so many": {nodes(2).pod("a", "w-1", "Deployment a").budget("a", 0, 1).pod("b", "w-2", "Deployment b").node(2, func(n *corev1.Node) { n.Status.Allocatable[corev1.ResourcePods] = resource.MustParse("1") }), one, plan.DrainOptions{}, `
w-1 a evicted
  interrupts nowhere: no other node takes it: 1 node: cordoned, or drained too; 1 node: too little room for one more Pod`},
		"taints": {nodes(2).pod("a", "w-1", "Deployment a").budget("a", 0, 1).node(2, func(n *corev1.Node) {
			n.Spec.Taints = []corev1.Taint{{Key: "gpu", Effect: corev1.TaintEffectNoSchedule}}
		}), one, plan.DrainOptions{}, `
w-1 a evicted
  interrupts nowhere: no other node takes it: 1 node: cordoned, or drained too; 1 node: taint gpu:NoSchedule`},
		"a node selector": {nodes(2).pod("a", "w-1", "Deployment a", onlyOnDisks).budget("a", 0, 1), one, plan.DrainOptions{}, `
w-1 a evicted
  interrupts nowhere: no other node takes it: 1 node: cordoned, or drained too; 1 node: its node selector or affinity does not allow it`},
		"a host port": {nodes(2).pod("a1", "w-1", "Deployment a", onPort80).pod("a2", "w-2", "Deployment a", onPort80).budget("a", 1, 2), one, plan.DrainOptions{}, `
w-1 a1 evicted
  interrupts nowhere: no other node takes it: 1 node: cordoned, or drained too; 1 node: its host port is taken`},
		"a volume of the host": {nodes(2).pod("db-0", "w-1", "StatefulSet db", claims("data-db-0")).claim("data-db-0", "w-1").budget("db", 0, 1), one, plan.DrainOptions{}, `
w-1 db-0 evicted
  interrupts volume: no other node takes it: 1 node: cordoned, or drained too; 1 node: the volume of default/data-db-0 is not reached from there`},
		"anti-affinity": {nodes(2).pod("a1", "w-1", "Deployment a", apartFromItself).pod("a2", "w-2", "Deployment a", apartFromItself), one, plan.DrainOptions{}, `
w-1 a1 evicted
  interrupts nowhere: no other node takes it: 1 node: a Pod is there from which it must be apart (anti-affinity); 1 node: cordoned, or drained too`},
		"cordoned by a person, and not Ready": {
			nodes(3).pod("a", "w-1", "Deployment a").budget("a", 0, 1).node(2, func(n *corev1.Node) { n.Spec.Unschedulable = true }).
				node(3, func(n *corev1.Node) { n.Status.Conditions[0].Status = corev1.ConditionFalse }), one, plan.DrainOptions{}, `
w-1 a evicted
  interrupts nowhere: no other node takes it: 2 nodes: cordoned, or drained too; 1 node: not Ready`},

		// Sequences: three replicas that must be on three hosts, of which two are needed.
		"two that share a budget, for good": {threeApart(), stay, plan.DrainOptions{}, `
w-1 a1 evicted
  interrupts nowhere: no other node takes it: 2 nodes: a Pod is there from which it must be apart (anti-affinity); 1 node: cordoned, or drained too
w-2 a2 blocked
  blocks budget: budget default/a needs 2 Ready Pods: no more may be evicted while no other node takes default/a1 (evicted from w-1 before) [wait force skip]`},
		"two that share a budget, at once": {threeApart(), both, plan.DrainOptions{}, `
w-1 a1 evicted
  interrupts nowhere: no other node takes it: 1 node: a Pod is there from which it must be apart (anti-affinity); 2 nodes: cordoned, or drained too
w-2 a2 blocked
  blocks budget: budget default/a needs 2 Ready Pods: no more may be evicted while no other node takes default/a1 (evicted from w-1 before) [wait force skip]`},
		"two that share a budget, in turn": {threeApart(), turns, plan.DrainOptions{}, `
w-1 a1 evicted
  interrupts nowhere: no other node takes it: 2 nodes: a Pod is there from which it must be apart (anti-affinity); 1 node: cordoned, or drained too
w-2 a2 evicted
  interrupts nowhere: no other node takes it: 2 nodes: a Pod is there from which it must be apart (anti-affinity); 1 node: cordoned, or drained too`},
		"what goes to the next host goes on": {nodes(2).pod("a1", "w-1", "Deployment a").budget("a", 0, 1), stay, plan.DrainOptions{}, `
w-1 a1 evicted
w-2 a1 evicted
  interrupts nowhere: no other node takes it: 2 nodes: cordoned, or drained too`},
		"room is used up by those before": {
			nodes(3).pod("a", "w-1", "Deployment a", asks("3")).pod("b", "w-2", "Deployment b", asks("3")).budget("a", 0, 1).budget("b", 0, 1), stay, plan.DrainOptions{}, `
w-1 a evicted
w-2 b evicted
  interrupts nowhere: no other node takes it: 2 nodes: cordoned, or drained too; 1 node: too little cpu`},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Make(test.world.State, test.sets, Options{DrainOptions: test.options, Now: now})
			if err != nil {
				t.Fatal(err)
			}
			if got := "\n" + strings.Join(lines(f), "\n"); strings.TrimSpace(got) != strings.TrimSpace(test.want) {
				t.Errorf("forecast:%s\nwant:%s", got, test.want)
			}
			for _, host := range f.Hosts {
				for _, pod := range host.Pods {
					if (pod.Fate == Blocked) != (Worst(pod.Notes) == Blocks) {
						t.Errorf("%+v", pod)
					}
				}
			}
		})
	}
}

func threeApart() *world {
	w := nodes(3)
	for i := range 3 {
		w.pod(fmt.Sprintf("a%d", i+1), fmt.Sprintf("w-%d", i+1), "Deployment a", apartFromItself)
	}
	return w.budget("a", 2, 3)
}

func (w *world) refused(pod, why string) *world {
	w.Refused = map[string]string{"default/" + pod: why}
	return w
}

// TestWhatSeparatesOthers: who is there may keep a Pod away that says nothing of it.
func TestWhatSeparatesOthers(t *testing.T) {
	w := nodes(2).pod("a", "w-1", "Deployment a").pod("b", "w-2", "Deployment b", func(p *corev1.Pod) {
		apartFromItself(p)
		p.Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution[0].LabelSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "a"}}
	})
	f, err := Make(w.State, []Set{{Hosts: []string{"w-1"}}}, Options{})
	if got := strings.Join(lines(f), "\n"); err != nil || !strings.Contains(got, "from which it must be apart") {
		t.Errorf("%v %s", err, got)
	}
}

func TestASelectorThatIsNone(t *testing.T) {
	if _, err := Make(State{}, nil, Options{DrainOptions: plan.DrainOptions{PodSelector: "a in"}}); err == nil {
		t.Error("it was taken")
	}
}

// BenchmarkForecast: 500 nodes and 10,000 Pods, each host in its turn.
func BenchmarkForecast(b *testing.B) {
	w := nodes(500)
	var sets []Set
	for i := range 500 {
		name := fmt.Sprintf("w-%d", i+1)
		sets = append(sets, Set{Hosts: []string{name}, Return: true})
		for j := range 20 {
			app := fmt.Sprintf("app-%d", (i*20+j)/10)
			edits := []func(*corev1.Pod){asks("100m")}
			if j%2 == 0 {
				edits = append(edits, apartFromItself)
			}
			w.pod(fmt.Sprintf("p-%d-%d", i, j), fmt.Sprintf("w-%d", (i+37*j)%500+1), "Deployment "+app, edits...)
		}
	}
	for i := range 1000 {
		app := fmt.Sprintf("app-%d", i)
		w.Budgets = append(w.Budgets, policyv1.PodDisruptionBudget{
			ObjectMeta: metav1.ObjectMeta{Name: app, Namespace: "default"},
			Spec:       policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}},
			Status:     policyv1.PodDisruptionBudgetStatus{DesiredHealthy: 8, ExpectedPods: 10, CurrentHealthy: 10, DisruptionsAllowed: 2},
		})
	}
	for b.Loop() {
		f, err := Make(w.State, sets, Options{Now: now})
		if err != nil || len(f.Hosts) != 500 || len(f.Blocked()) > 0 {
			b.Fatal(err, f.Blocked())
		}
	}
}
