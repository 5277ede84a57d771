package phases

import (
	"slices"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// startContainerd brings containerd up as soon as its binaries and files are there, so
// that images can be loaded while the rest is written.
func (h *hostDraft) startContainerd() {
	for _, unit := range h.units(plan.PhaseContainerd) {
		h.setUnit(unit, after(join(h.base(), h.setsWith(unit.Inputs), h.written(plan.PhaseContainerd, plan.PhasePrepare))))
	}
}

// startKubelet starts the kubelet when the first thing that it does can succeed: one that
// starts earlier asks an API that does not answer yet, ever more rarely, up to every seven
// seconds. On a control plane that is when the static Pods and their images are there: its
// API server takes connections a second or two after. Elsewhere it is what the workflow says:
// all of one set of steps, and any of each other.
func (h *hostDraft) startKubelet(reached []string, anyOf ...[]string) {
	waits := join(h.base(), h.setsWith(nil), h.made(startsContainerd), h.written(
		plan.PhasePrepare, plan.PhaseContainerd, plan.PhaseCerts, plan.PhaseKubeconfig, plan.PhaseKubelet))
	if h.runsControlPlane() {
		waits = join(waits, h.made(writesPods(isServer)))
	} else {
		waits = join(waits, h.made(does[hosts.LoadImage], does[hosts.NameImage]), reached)
	}
	for _, unit := range h.units(plan.PhaseKubelet) {
		h.setUnit(unit, after(waits, anyOf...))
	}
	for _, unit := range h.units(plan.PhaseEtcd) { // it acts when it is stopped
		h.setUnit(unit, after(join(h.base(), h.setsWith(nil), h.written(plan.PhaseEtcd))))
	}
}

// startsKubelet tells whether the plan has to start the kubelet, or to restart it.
func (h *hostDraft) startsKubelet() bool {
	return slices.ContainsFunc(h.units(plan.PhaseKubelet), func(unit manifests.Unit) bool {
		why, _, _ := h.unitDue(unit)
		return why != ""
	})
}
