package phases

import (
	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// startHAProxy starts haproxy as soon as it is there: that its API servers do not answer
// yet it finds out by itself, and when they do.
func (h *hostDraft) startHAProxy() {
	waits := join(h.base(), h.made(unpacks(bundle.SetLoadBalancer)), h.written(plan.PhaseLoadBalancer))
	h.startBalancerUnits(after(waits), func(name string) bool { return name != manifests.KeepalivedUnit })
}

// startKeepalived starts keepalived beside haproxy, before there is any API: a check that fails
// only lowers the host's priority, and the election is over when the first API server answers. The
// others have to know the host before (told): a backup that gets no advertisement promotes itself,
// and two hosts would have the address.
func (h *hostDraft) startKeepalived(told []string) {
	waits := after(join(h.base(), h.made(startsBalancer), told))
	h.startBalancerUnits(waits, func(name string) bool { return name == manifests.KeepalivedUnit })
}

func (h *hostDraft) startBalancerUnits(after []plan.Dependency, wanted func(name string) bool) {
	for _, unit := range h.units(plan.PhaseLoadBalancer) {
		if wanted(unit.Name) {
			h.setUnit(unit, after)
		}
	}
}
