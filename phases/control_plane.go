package phases

import (
	"slices"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// imagePause is what every Pod's sandbox runs.
const imagePause = "pause"

// servesAPI are the static Pods without which no API server answers.
var servesAPI = []string{manifests.EtcdManifest, manifests.APIServerManifest}

func isServer(manifest string) bool { return slices.Contains(servesAPI, manifest) }

// isClient tells whether a static Pod only talks to the API server.
func isClient(manifest string) bool { return !isServer(manifest) }

// installControlPlanes brings control planes to where their static Pods can be written, and lets
// their members of etcd begin.
func (d *draft) installControlPlanes() {
	for _, h := range d.planes {
		h.install()
		h.letBegin(manifests.StateNew, nil)
	}
}

// startControlPlanes brings up etcd and the API servers, all at once.
func (d *draft) startControlPlanes() {
	founders := madeOn(d.planes, LetsBegin)
	for _, h := range d.planes {
		h.staticPods(join(founders, h.quorumInTurn()))
		h.startKubelet(nil)
		h.awaitPods("servers", isServer)
	}
	for _, h := range d.planes {
		h.awaitServing()
	}
	for _, h := range d.planes {
		h.awaitAPI()
	}
}

// startControllers brings up what only talks to the API server.
func (d *draft) startControllers() {
	for _, h := range d.planes {
		h.startKeepalived(nil)
		h.apiClients(h.inTurn())
		h.awaitPods("clients", isClient)
		h.tidy()
	}
}

// staticPods writes what the API server needs, after the steps given and before the kubelet
// starts.
func (h *hostDraft) staticPods(after []string) { h.writePods(isServer, after) }

// staticPod writes one static Pod after the steps given.
func (h *hostDraft) staticPod(path string, after []string) {
	h.writePods(func(manifest string) bool { return manifest == path }, after)
}

// apiClients writes the static Pods that only talk to the API server, once it answers. A
// controller manager or scheduler that starts before it is refused, asks for its
// leadership again 2 to 4 s later, and takes the processor from the server meanwhile.
func (h *hostDraft) apiClients(answers []string) { h.writePods(isClient, answers) }

// turnTimeout is how long, in seconds, spare controllers wait at most for the first ones to
// have brought up nodes and add-ons.
const turnTimeout = 30

// inTurn has the controllers of one control plane start before those of the others, whichever
// host's API server answers first: one leads, and the others' starting costs it time.
func (h *hostDraft) inTurn() []string {
	answers := h.made(awaitsAPI)
	network := h.in.Cluster.Networking.AddOn != cluster.AddOnNone // else nodes get Ready when the user brings one
	if h.in.takesTurns() || len(h.planes) < 2 || !network || len(answers) == 0 || !h.startsControllers() {
		return answers
	}
	return []string{h.add(plan.Step{
		ID: clusterID("wait-turn", h.host.Name), Phase: plan.PhaseWaitControlPlane, Lane: plan.LaneWait + "/turn/" + h.host.Name,
		After: after(answers), Why: "one control plane's controllers lead, the others are spares",
		Cluster: plan.WaitTurn{Host: h.host.Name, Objects: rollouts(h.objects), Timeout: turnTimeout},
	})}
}

func (h *hostDraft) startsControllers() bool {
	return slices.ContainsFunc(h.state.Files, func(file manifests.File) bool {
		if !isStaticPod(file) || isServer(file.Path) {
			return false
		}
		why, _ := h.fileDiffers(file)
		return why != ""
	})
}

// writePods writes static Pods, each when its images are there: a kubelet that has to
// look for an image elsewhere tries again only after ten seconds.
func (h *hostDraft) writePods(wanted func(manifest string) bool, after []string) {
	ready := join(h.base(), after, h.written(plan.PhaseCerts, plan.PhaseKubeconfig, plan.PhaseEtcd, plan.PhaseControlPlane))
	for _, file := range h.state.Files {
		if !isStaticPod(file) || !wanted(file.Path) {
			continue
		}
		why, change := h.fileDiffers(file)
		if why == "" {
			continue
		}
		images := h.loaded(imagePause, podName(file.Path))
		h.step(file.Phase, trimmed(file.Path), plan.LaneWork, change, why, h.writing(file), ready, images)
	}
}
