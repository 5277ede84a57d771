package phases

import (
	"path"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// imagePause is what every Pod's sandbox runs.
const imagePause = "pause"

func (h *hostDraft) runsControlPlane() bool { return h.host.HasRole(cluster.RoleControlPlane) }

// staticPods writes each static Pod when its images are there: a kubelet that has to
// look for an image elsewhere tries again only after ten seconds.
func (h *hostDraft) staticPods() {
	ready := join(h.base, h.written(manifests.PhaseCerts, manifests.PhaseKubeconfig, manifests.PhaseEtcd, manifests.PhaseControlPlane))
	for _, file := range h.state.Files {
		if !isStaticPod(file) {
			continue
		}
		why, change := h.fileDiffers(file)
		if why == "" {
			continue
		}
		images := h.loaded(imagePause, strings.TrimSuffix(path.Base(file.Path), ".yaml"))
		h.pods = append(h.pods, h.step(file.Phase, trimmed(file.Path), plan.LaneWork, change, why, h.writing(file), ready, images))
	}
}
