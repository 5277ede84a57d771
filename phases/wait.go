package phases

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// running are the phases whose steps a control plane or a node has to get over. Of containerd's
// files it reads some again by itself: there only a restart counts. Sets are told by their actions:
// nothing reads the bill that is in force.
var running = []plan.Phase{
	plan.PhaseCerts, plan.PhaseKubeconfig, plan.PhaseEtcd, plan.PhaseControlPlane, plan.PhaseKubelet,
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
	patience := h.in.podPatience()
	if !h.restartsPods() {
		patience = h.in.againPatience()
	}
	wait := plan.WaitAPI{Host: h.host.Name, Serving: serving, Timeout: h.in.limit(), Patience: patience}
	if h.in.Workflow.ChangesVersion() {
		wait.Version = h.in.Bill.KubernetesVersion
	}
	h.add(plan.Step{
		ID: clusterID(name, h.host.Name), Phase: plan.PhaseWaitControlPlane, Lane: plan.LaneWait + "/api/" + h.host.Name,
		After: after(h.made(writesPods(isServer), startsKubelet, does[plan.WaitPods])), Why: why,
		Cluster: wait,
	})
}

// apiIsAway says why the host's API server has to be waited for; empty where it answers.
func (h *hostDraft) apiIsAway() string {
	switch {
	case h.restartsPods():
		return "it is being started"
	case !h.in.ClusterFacts.Reachable:
		return "no API server answers: " + orUnknown(h.in.ClusterFacts.Cause)
	case h.isDown(hosts.ComponentAPIServer):
		return "it does not answer"
	default:
		return ""
	}
}

// restartsPods tells whether the plan makes the host's Pods start again.
func (h *hostDraft) restartsPods() bool {
	return h.makes(startsContainerd, does[hosts.Unpack], inPhase(running...))
}

// MaySettle tells whether what a plan has left to do may come to be so by itself: it is all in the
// cluster, as where an API server is silent for a moment, and nothing has to be done on a host.
func MaySettle(p plan.Plan) bool {
	return !slices.ContainsFunc(p.Steps, func(step plan.Step) bool { return step.Host != "" })
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
func (d *draft) awaitNodes() { awaitNodesOf(d.nodes()) }

// awaitWorkers and awaitPlanes do so for a part of them.
func (d *draft) awaitWorkers() { awaitNodesOf(d.workers) }

func (d *draft) awaitPlanes() { awaitNodesOf(d.planes) }

func awaitNodesOf(drafts []*hostDraft) {
	for _, h := range drafts {
		h.awaitNode(h.apis(), h.comesBack())
	}
}

// awaitNode waits, after one step of each of the lists, until the host's node is Ready, or is
// there where the network that would make it Ready is the user's to bring.
func (h *hostDraft) awaitNode(anyOf ...[]string) {
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
	h.waitNode(why, restarted, after(h.made(startsKubelet, startsContainerd, does[plan.WaitEndpoint]), anyOf...))
}

// comesBack lists the steps of which one is done before the host's node may come back, where its
// kubelet runs on: those by which hosts come to hold the virtual address, if none may have it.
// This is for an init alone: a join does not plan all of the hosts that may have it.
func (h *hostDraft) comesBack() []string {
	if h.runsControlPlane() || h.restartsKubelet() {
		return nil
	}
	return holding(slices.Concat(h.planes, h.balancers))
}

// holding lists the steps by which hosts come to hold the virtual address; none where there
// is no such address, or a host that may have it already.
func holding(drafts []*hostDraft) []string {
	holders := keep(drafts, func(h *hostDraft) bool { return h.in.Cluster.MayHold(h.host) })
	for _, h := range holders {
		if !h.makes(starts(manifests.KeepalivedUnit)) {
			return nil
		}
	}
	return madeOn(holders, starts(manifests.KeepalivedUnit))
}

// waitNode waits for the host's node; restarted tells that a Ready of before does not count.
func (h *hostDraft) waitNode(why string, restarted bool, after []plan.Dependency) {
	h.add(plan.Step{
		ID: clusterID(plan.PhaseWaitNode, h.host.Name), Phase: plan.PhaseWaitNode, Lane: plan.LaneWait + "/node/" + h.host.Name,
		After: after, Why: why,
		Cluster: plan.WaitNode{
			Node: h.host.Name, Ready: h.in.Cluster.Networking.AddOn != cluster.AddOnNone, DaemonSets: h.in.daemonSets(),
			Restarted: restarted, Timeout: h.in.limit(), Patience: h.in.nodePatience(),
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

// awaitPods waits until static Pods of the host run, of those that had run before: the ones that
// the steps write anew and, where the plan starts the kubelet, all of the group. A kubelet that
// kept ending may not have seen what was written last, and the Pods of before run on.
func (h *hostDraft) awaitPods(name string, of func(path string) bool) {
	if !h.in.takesTurns() {
		return
	}
	wait := podsWait{name: name, why: "what answers may be the Pod of before", after: h.made(writesPods(of), startsKubelet), patience: h.in.podPatience()}
	h.awaitPodsOf(wait, func(file manifests.File) bool {
		return of(file.Path) && (h.makes(startsKubelet) || h.rewrites(file.Path))
	})
}

// podsWait is how a host's static Pods are waited for.
type podsWait struct {
	name, why string
	after     []string
	patience  plan.Patience
}

// awaitPodsOf waits until those static Pods run by their manifests that are meant and whose
// manifest was there before.
func (h *hostDraft) awaitPodsOf(wait podsWait, meant func(manifests.File) bool) {
	var pods []plan.StaticPod
	for _, file := range h.state.Files {
		if isStaticPod(file) && h.hadPod(file.Path) && meant(file) {
			pods = append(pods, plan.StaticPod{Name: podName(file.Path), Manifest: h.put(file.Content, file.Secret)})
		}
	}
	if len(pods) == 0 {
		return
	}
	h.add(plan.Step{
		ID: clusterID("wait-pods", h.host.Name, wait.name), Phase: plan.PhaseWaitControlPlane, Lane: plan.LaneWait + "/pods/" + h.host.Name,
		After: after(wait.after), Why: wait.why,
		Cluster: plan.WaitPods{Host: h.host.Name, Pods: pods, Timeout: h.in.limit(), Patience: wait.patience},
	})
}

// awaitEndpoints waits until control planes reach the endpoint. Nothing of a control plane's own
// waits for it, but an endpoint that leads nowhere must not be found later, by whoever uses it first.
func (d *draft) awaitEndpoints() {
	for _, h := range d.planes {
		h.awaitEndpoint(h.apis())
	}
}

// awaitEndpoint waits until the host reaches the API by the endpoint, where that is more
// than a control plane's own address, and where what the host does by it is begun anew.
func (h *hostDraft) awaitEndpoint(apis []string) {
	if h.in.Cluster.Endpoint.Mode == cluster.EndpointControlPlane || !h.usesEndpointAnew() {
		return
	}
	address, err := manifests.EndpointAddress(h.in.Cluster)
	if err != nil {
		h.fail(fmt.Errorf("plan %s: %w", h.host.Name, err))
		return
	}
	// The network add-on goes by the endpoint too: without it no node gets Ready.
	h.add(plan.Step{
		ID: clusterID(plan.PhaseWaitEndpoint, h.host.Name), Phase: plan.PhaseWaitEndpoint, Lane: plan.LaneWait + "/endpoint/" + h.host.Name,
		After: after(h.made(does[hosts.AddHostsEntry], startsBalancer), apis), Why: "the cluster is reached by it",
		Cluster: plan.WaitEndpoint{Host: h.host.Name, Address: address, Timeout: h.in.limit(), Patience: h.in.endpointPatience()},
	})
}

// usesEndpointAnew tells whether something on the host begins to go by the endpoint: a
// worker's kubelet; on a control plane, its own balancer or whatever root does.
func (h *hostDraft) usesEndpointAnew() bool {
	return h.startsKubelet() || h.restartsPods() || h.makes(inPhase(plan.PhaseLoadBalancer))
}
