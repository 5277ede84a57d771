package phases

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// may tells whether a step can end now: a wait only when what it waits for is so.
func (w *world) may(step plan.Step) bool {
	switch a := step.Cluster.(type) {
	case plan.WaitAPI:
		w.settle()
		return w.serves(a.Host)
	case plan.WaitEndpoint:
		w.settle()
		return w.reaches(a.Host)
	case plan.WaitNode:
		w.settle()
		node, there := w.nodes[a.Node]
		return w.apiUp() && there && (node.Ready || !a.Ready)
	case plan.WaitPods:
		w.settle()
		return w.apiUp() && !slices.ContainsFunc(a.Pods, func(pod plan.StaticPod) bool {
			return !w.runs(a.Host, manifests.ManifestsFolder+"/"+pod.Name+".yaml")
		})
	case plan.WaitAvailable:
		w.settle()
		_, there := w.objects[a.Object]
		inHostNetwork := a.Object.Name == "kube-proxy"
		return w.apiUp() && there && w.controlled() && w.maySpare(a) && (w.networked() || inHostNetwork)
	case plan.MemberPromote:
		w.settle()
		return w.quorate() && w.inSync(a.Name)
	}
	return true
}

// sound checks what a step takes for granted.
func (w *world) sound(step plan.Step) {
	w.t.Helper()
	switch a := step.Action.(type) {
	case hosts.SetUnit:
		if a.Active {
			w.soundUnit(step, a.Name)
		}
	case hosts.WriteFile:
		image, pod := strings.CutSuffix(strings.TrimPrefix(a.Path, manifests.ManifestsFolder+"/"), ".yaml")
		if pod && strings.HasPrefix(a.Path, manifests.ManifestsFolder) && !w.imageLoaded(step.Host, image) {
			w.t.Fatalf("step %s: the Pod is written before its image is there", step.ID)
		}
		if a.Path == manifests.APIServerManifest {
			w.soundServer(step)
		}
	}
}

// soundServer refuses an API server beside an etcd that cannot serve it: it would end, and
// the kubelet would start it again ever more rarely. In an init all etcds start together.
func (w *world) soundServer(step plan.Step) {
	w.t.Helper()
	if !w.cluster.StackedEtcd() || !w.unitActive(step.Host, manifests.KubeletUnit) || len(w.etcd.members) == 0 {
		return
	}
	w.settle()
	if member, there := w.memberOn(step.Host); !there || member.learner {
		w.t.Fatalf("step %s: the API server is written before its etcd has a vote", step.ID)
	}
}

func (w *world) soundUnit(step plan.Step, unit string) {
	w.t.Helper()
	var needs []string
	switch unit {
	case manifests.ContainerdUnit:
		needs = []string{manifests.Containerd}
	case manifests.HAProxyUnit:
		needs = []string{manifests.HAProxyConfig, balancerRoot(w.bill) + "/usr/sbin/haproxy", manifests.BalancerCA}
	case manifests.KeepalivedUnit:
		needs = []string{manifests.KeepalivedConfig, balancerRoot(w.bill) + "/usr/sbin/keepalived", balancerRoot(w.bill) + "/usr/sbin/nft"}
	case manifests.KubeletUnit:
		w.soundKubelet(step)
		needs = []string{manifests.Kube, manifests.KubeletConf, manifests.KubeletConfig, certs.KubeletCurrent}
	}
	for _, path := range needs {
		if !w.has(step.Host, path) {
			w.t.Fatalf("step %s: %s is started before %s is there", step.ID, unit, path)
		}
	}
}

func (w *world) soundKubelet(step plan.Step) {
	w.t.Helper()
	if !w.imageLoaded(step.Host, imagePause) {
		w.t.Fatalf("step %s: the kubelet is started before the pause image is there", step.ID)
	}
	w.settle()
	host, _ := w.cluster.Host(step.Host)
	if !host.HasRole(cluster.RoleControlPlane) && !w.mayRegister(step.Host) {
		w.t.Fatalf("step %s: the kubelet is started before it reaches any API server, be it one that starts", step.ID)
	}
}

func (w *world) doCluster(step plan.Step, contents plan.Contents) {
	w.t.Helper()
	w.settle()
	if w.doMember(step) {
		return
	}
	if boots, is := step.Cluster.(plan.WaitBoot); is {
		w.power(boots.Host, true)
		return
	}
	if !w.apiUp() {
		w.t.Fatalf("step %s: no API answers", step.ID)
	}
	switch a := step.Cluster.(type) {
	case plan.Apply:
		if _, there := w.objects[a.Object]; !there || !a.Seed {
			w.objects[a.Object] = json.RawMessage(contents[a.Content])
		}
		if !a.Seed && !slices.Contains(w.applied[a.Object], "slipway") {
			w.applied[a.Object] = append(w.applied[a.Object], "slipway")
		}
	case plan.Delete:
		if a.UID != "" && a.UID != uidOf(a.Object) {
			w.t.Fatalf("step %s: another object was meant", step.ID)
		}
		delete(w.objects, a.Object)
		delete(w.nodes, a.Object.Name)
	case plan.MarkNode:
		w.markNode(step, a)
	case plan.Cordon:
		w.setNode(step, a.Node, func(n *hosts.Node) {
			if !n.Unschedulable {
				n.CordonedBy = a.By
			}
			n.Unschedulable = true
		})
	case plan.Uncordon:
		w.setNode(step, a.Node, func(n *hosts.Node) {
			if a.By == "" || a.By == n.CordonedBy {
				n.Unschedulable, n.CordonedBy = false, ""
			}
		})
	case plan.DeletePods:
		if !w.down[a.Node] {
			w.t.Fatalf("step %s: Pods that run are deleted", step.ID)
		}
	case plan.Drain:
		if _, there := w.nodes[a.Node]; there {
			w.setNode(step, a.Node, func(n *hosts.Node) {
				if !n.Unschedulable {
					n.CordonedBy = a.By
				}
				n.Unschedulable = true
			})
		}
	case plan.WaitAPI, plan.WaitTurn, plan.WaitEndpoint, plan.WaitNode, plan.WaitAvailable, plan.WaitPods, plan.WaitBoot:
	default:
		w.t.Fatalf("step %s: the simulator knows no action %T", step.ID, a)
	}
}

func (w *world) markNode(step plan.Step, a plan.MarkNode) {
	w.setNode(step, a.Node, func(n *hosts.Node) {
		n.Labels = maps.Clone(n.Labels)
		maps.Copy(n.Labels, a.Labels)
		for _, key := range a.RemoveLabels {
			delete(n.Labels, key)
		}
		n.Marks = &hosts.Marks{Labels: a.Labels, Taints: a.Taints, Seal: a.Seal}
		n.Taints = slices.DeleteFunc(slices.Clone(n.Taints), func(t string) bool { return slices.Contains(a.RemoveTaints, t) })
		for _, taint := range a.Taints {
			if !slices.Contains(n.Taints, taint) {
				n.Taints = append(n.Taints, taint)
			}
		}
	})
}

func (w *world) setNode(step plan.Step, name string, change func(*hosts.Node)) {
	w.t.Helper()
	node, there := w.nodes[name]
	if !there {
		w.t.Fatalf("step %s: there is no node %s", step.ID, name)
	}
	change(&node)
	w.nodes[name] = node
}
