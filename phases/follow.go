package phases

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// balancersFollow brings every balancer that is there already to the pool of the input.
func (d *draft) balancersFollow(in Input, except []cluster.Host, waits []string) {
	d.findFollowers(in, except)
	for _, h := range d.followers {
		h.follow(waits)
		h.tidy()
	}
}

// told lists the steps after which the balancers that are there already know who comes.
func (d *draft) told() []string {
	return join(d.opened, madeOn(d.followers, writes(plan.PhaseLoadBalancer), startsBalancer))
}

// findFollowers begins the parts of the hosts that carry a balancer already, each with what that
// should be for the pool of the input: its configuration and its units, nothing else of the host.
// Hosts that are worked on anyway are left out; those that leave are not in the input's file.
// One that cannot be reached is warned of.
func (d *draft) findFollowers(in Input, except []cluster.Host) {
	input, err := in.manifests()
	if err != nil {
		d.fail(err)
		return
	}
	for _, host := range in.Cluster.Balancers() {
		if among(except, host.Name) {
			continue
		}
		facts, seen := d.in.Facts[host.Name]
		if !seen {
			d.warnOfUntold(host)
			continue
		}
		if !view.CarriesBalancer(facts.Record) {
			continue
		}
		state, err := manifests.Balancer(input, host.Name)
		if err != nil {
			d.fail(err)
			return
		}
		d.followers = append(d.followers, d.forHost(host, state))
	}
}

// follow writes a balancer's configuration and has its units take it up; where units are
// named, theirs only. One that does not run is not started: a join that was cut may not have
// told the others of it yet.
func (h *hostDraft) follow(waits []string, units ...string) []string {
	part := *h
	part.state = partOf(h.state, units)
	part.writeFiles(waits, plan.PhaseLoadBalancer)
	part.startBalancerUnits(after(join(waits, h.written(plan.PhaseLoadBalancer))), h.isUp)
	return h.made(writes(plan.PhaseLoadBalancer), startsBalancer)
}

// partOf is what of a balancer's state belongs to the units named; none means all.
func partOf(state manifests.HostState, units []string) manifests.HostState {
	if len(units) == 0 {
		return state
	}
	state.Units = keep(state.Units, func(unit manifests.Unit) bool { return slices.Contains(units, unit.Name) })
	state.Files = keep(state.Files, func(file manifests.File) bool {
		if file.Path == manifests.BalancerCA { // both read it; it comes with the one whose folder it is in
			return slices.Contains(units, manifests.HAProxyUnit)
		}
		return slices.ContainsFunc(state.Units, func(unit manifests.Unit) bool {
			return slices.Contains(unit.Inputs, file.Path) || slices.Contains(unit.Reloads, file.Path)
		})
	})
	return state
}

// warnOfUntold warns of a balancer that cannot be told who comes and goes.
func (d *draft) warnOfUntold(host cluster.Host) {
	units := []string{"haproxy"}
	if d.in.Cluster.VirtualAddress() != "" {
		units = append(units, "keepalived")
	}
	d.plan.Warnings = append(d.plan.Warnings, fmt.Sprintf("%s: load-balancer: the configuration of %s cannot be updated with the list of control planes: %s (when the host is up again: slipway init)",
		host.Name, strings.Join(units, " and "), checks.Unreached(d.in.View, host.Name).Seen))
}

// followInfo applies cluster-info, where that names a control plane and not the endpoint.
func (d *draft) followInfo(in Input, waits []string) {
	if in.Cluster.Endpoint.Mode != cluster.EndpointLocal || !d.in.ClusterFacts.Reachable {
		return
	}
	var info manifests.Object
	input, err := in.manifests()
	if err == nil {
		info, err = manifests.ClusterInfo(input)
	}
	if err != nil {
		d.fail(err)
		return
	}
	d.applyObjects(manifests.ClusterState{Objects: []manifests.Object{info}}, info.Phase, after(waits))
}
