package phases

import (
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// How long, in seconds, things may take before what holds them up is looked for.
const (
	apiTimeout     = 240
	nodeTimeout    = 300
	rolloutTimeout = 300
	// againTimeout is for a static Pod that may have ended again and again: between two starts of it
	// the kubelet waits up to 300 s.
	againTimeout = 330
)

// running are the phases whose steps a control plane or a node has to get over. Of containerd's
// files it reads some again by itself: there only a restart counts.
var running = []plan.Phase{
	plan.PhaseCerts, plan.PhaseKubeconfig, plan.PhaseEtcd,
	plan.PhaseControlPlane, plan.PhaseKubelet, plan.PhaseBinaries,
}

// awaitServing waits until the API server of one control plane takes requests, where it was
// touched or does not answer.
func (h *hostDraft) awaitServing() { h.awaitAPIServer("wait-serving", true) }

// awaitAPI waits until it is ready; after awaitServing, as both are of one lane.
func (h *hostDraft) awaitAPI() { h.awaitAPIServer(plan.PhaseWaitControlPlane, false) }

func (h *hostDraft) awaitAPIServer(name plan.Phase, serving bool) {
	why := h.apiIsAway()
	if why == "" {
		return
	}
	timeout := apiTimeout
	if !h.getsOver() {
		timeout = againTimeout
	}
	h.add(plan.Step{
		ID: clusterID(name, h.host.Name), Phase: plan.PhaseWaitControlPlane, Lane: plan.LaneWait + "/api/" + h.host.Name,
		After: after(h.made(writesPods(isServer), startsKubelet, does[plan.WaitPods])), Why: why,
		Cluster: plan.WaitAPI{Host: h.host.Name, Serving: serving, Timeout: timeout},
	})
}

// apiIsAway says why the host's API server has to be waited for; empty where it answers.
func (h *hostDraft) apiIsAway() string {
	switch {
	case h.getsOver():
		return "it is being started"
	case !h.in.ClusterFacts.Reachable:
		return "no API server answers: " + orUnknown(h.in.ClusterFacts.Cause)
	case h.isDown(hosts.ComponentAPIServer):
		return "it does not answer"
	default:
		return ""
	}
}

// getsOver tells whether the plan changes what the host has to get over.
func (h *hostDraft) getsOver() bool { return h.makes(startsContainerd, inPhase(running...)) }

// MaySettle tells whether what a plan has left to do may come to be so by itself: it is all in the
// cluster, as where an API server is silent for a moment, and nothing has to be done on a host.
func MaySettle(p plan.Plan) bool {
	return !slices.ContainsFunc(p.Steps, func(step plan.Step) bool { return step.Host != "" })
}

func orUnknown(cause string) string {
	if cause == "" {
		return "cause unknown"
	}
	return cause
}

// apis lists the waits for API servers that the host's own steps go by: where hosts take turns,
// a control plane goes by its own alone.
func (h *hostDraft) apis() []string {
	if h.in.takesTurns() && h.runsControlPlane() {
		return h.made(awaitsAPI)
	}
	return h.inCluster(awaitsAPI)
}

// awaitNodes waits for the nodes of an init.
func (d *draft) awaitNodes() {
	for _, h := range d.nodes() {
		h.awaitNode(h.apis())
	}
}

// awaitNode waits, after the API servers, until the host's node is Ready, or is there where the
// network that would make it Ready is the user's to bring.
func (h *hostDraft) awaitNode(apis []string) {
	ready := h.in.Cluster.Networking.AddOn != cluster.AddOnNone
	node, there := h.in.Node(h.host.Name)
	why := ""
	switch {
	case !there:
		why = "not registered yet"
	case ready && !node.Ready:
		why = "not Ready: " + orUnknown(node.Reason)
	case h.restartsKubelet():
		why = "it is being restarted"
	default:
		return
	}
	restarted := h.restartsKubelet() && (there || h.facts.Units[manifests.KubeletUnit].Active == "active")
	h.waitNode(why, restarted, after(h.made(startsKubelet, startsContainerd, does[plan.WaitEndpoint]), apis))
}

// waitNode waits for the host's node; restarted tells that a Ready of before does not count.
func (h *hostDraft) waitNode(why string, restarted bool, after []plan.Dependency) {
	h.add(plan.Step{
		ID: clusterID(plan.PhaseWaitNode, h.host.Name), Phase: plan.PhaseWaitNode, Lane: plan.LaneWait + "/node/" + h.host.Name,
		After: after, Why: why,
		Cluster: plan.WaitNode{
			Node: h.host.Name, Ready: h.in.Cluster.Networking.AddOn != cluster.AddOnNone, DaemonSets: h.in.daemonSets(),
			Restarted: restarted, Timeout: nodeTimeout,
		},
	})
}

// restartsKubelet tells whether the plan starts the host's kubelet, or what it needs, anew.
func (h *hostDraft) restartsKubelet() bool { return h.makes(startsKubelet, startsContainerd) }

// daemonSets are those of ours that the cluster has already: a node has come when its Pods
// have their network too. Those that the plan itself applies are waited for as a whole.
func (in Input) daemonSets() []hosts.ObjectKey {
	var found []hosts.ObjectKey
	for key := range in.ClusterFacts.Objects {
		if key.Kind == "DaemonSet" && in.Cluster.Networking.AddOn != cluster.AddOnNone {
			found = append(found, key)
		}
	}
	slices.SortFunc(found, func(a, b hosts.ObjectKey) int { return strings.Compare(a.String(), b.String()) })
	return found
}
