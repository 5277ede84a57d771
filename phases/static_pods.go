package phases

import (
	"path"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// servesAPI are the static Pods without which no API server answers.
var servesAPI = []string{manifests.EtcdManifest, manifests.APIServerManifest}

func isServer(manifest string) bool { return slices.Contains(servesAPI, manifest) }

// isClient tells whether a static Pod only talks to the API server.
func isClient(manifest string) bool { return !isServer(manifest) }

func podName(manifest string) string { return strings.TrimSuffix(path.Base(manifest), ".yaml") }

// hadPod tells whether a path is a static Pod's manifest that was there. The Pod may run though
// the kubelet does not.
func (h *hostDraft) hadPod(file string) bool {
	_, there := h.facts.Files[file]
	return there && path.Dir(file) == manifests.ManifestsFolder
}

// rewrites tells whether a file of the host is not as it should be.
func (h *hostDraft) rewrites(path string) bool {
	return slices.ContainsFunc(h.state.Files, func(file manifests.File) bool {
		if file.Path != path {
			return false
		}
		why, _ := h.fileDiffers(file)
		return why != ""
	})
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

func (h *hostDraft) startsControllers() bool {
	return slices.ContainsFunc(h.state.Files, func(file manifests.File) bool {
		if !isStaticPod(file) || isServer(file.Path) {
			return false
		}
		why, _ := h.fileDiffers(file)
		return why != ""
	})
}

// serverPods are the static Pods of a control plane but etcd's, as the API names them.
func serverPods(host string) []string {
	return []string{"kube-apiserver-" + host, "kube-controller-manager-" + host, "kube-scheduler-" + host}
}

// stopGrace is how long, in seconds, a control plane's components have to end: an API
// server tells its clients to go elsewhere, and lets what is under way come to its end.
const stopGrace = 10
