package phases

import (
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// Prepare plans to bring hosts to where only joining is left: settings, binaries,
// containerd, images, and the units of kubelet and balancers, not started. Nothing of the cluster's own
// is put there but, in mode local, its haproxy; so a host can be joined by hand as well. A host that is
// in the cluster with another bundle gets this one staged, for an upgrade: nothing that runs takes notice.
// With HostsOnly the hosts' own settings alone are set.
func Prepare(in Input) (plan.Plan, plan.Contents, error) {
	return planOf(in, view.Prepare,
		(*draft).renderHosts,
		(*draft).prepareHosts,
	)
}

// prepareHosts installs hosts as far as that belongs to no cluster.
func (d *draft) prepareHosts() {
	for _, h := range d.drafts {
		if d.in.HostsOnly {
			h.prepareSettings()
			continue
		}
		if h.onlyStages() {
			h.stage()
			h.loadImages()
			h.tidy()
			continue
		}
		h.withoutCluster()
		h.install()
		h.startKubelet(nil)
		h.tidy()
		if !h.isUp(manifests.KubeletUnit) { // else static Pods may name the images of the bundle before
			h.pruneImages(h.made(func(plan.Step) bool { return true }))
		}
	}
}

// withoutCluster takes away from a host's state what belongs to one cluster. A kubelet
// that runs already is left to run.
func (h *hostDraft) withoutCluster() {
	// In mode local a host's own haproxy is its only way to the API, also for who joins by hand.
	local := h.in.Cluster.Endpoint.Mode == cluster.EndpointLocal
	own := func(phase plan.Phase, file string) bool {
		switch phase {
		case plan.PhasePrepare, plan.PhaseContainerd, plan.PhaseActivate:
			return false
		case plan.PhaseKubelet:
			return !within(file, manifests.UnitsFolder)
		case plan.PhaseLoadBalancer:
			return !local && !within(file, manifests.UnitsFolder)
		}
		return true
	}
	h.state.Files = keep(h.state.Files, func(f manifests.File) bool { return !own(f.Phase, f.Path) })
	h.state.Links = keep(h.state.Links, func(l manifests.Link) bool { return !own(l.Phase, l.Path) })
	h.state.Directories = keep(h.state.Directories, func(dir manifests.Directory) bool { return !own(dir.Phase, dir.Path) })
	h.state.Units = keep(h.state.Units, func(unit manifests.Unit) bool {
		switch unit.Phase {
		case plan.PhaseLoadBalancer:
			return local
		case plan.PhaseKubelet:
			return h.facts.Units[unit.Name].Active != "active"
		case plan.PhaseEtcd:
			return false
		}
		return true
	})
	for i, unit := range h.state.Units {
		if unit.Phase == plan.PhaseKubelet {
			h.state.Units[i].Active, h.state.Units[i].Inputs = false, nil
		}
	}
}
