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

// startKeepalived starts keepalived beside haproxy, before there is any API: its check costs
// a host its place in the election and not the election, which is over when the first API
// server answers. The others have to know of it before (told): whom the address's holder
// does not tell of itself, that host takes the address as well.
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

// balancerUnits are the units of a balancer in the order in which they are stopped. haproxy
// shuts its clients' connections while the address is still here, and so they come again at
// once. With the address gone first an answer that is under way has no source any more to
// be sent from, and its client waits until it gives up. Both in one step: between the two
// the address is here, and nobody answers at it.
var balancerUnits = []string{manifests.HAProxyUnit, manifests.KeepalivedUnit}
