package phases

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// laneBalancer is where a host's balancer is brought up, beside all else: nothing on the
// host waits for it, and it waits for an API server of any host.
const laneBalancer = string(plan.PhaseLoadBalancer)

// endpointTimeout is how long, in seconds, the endpoint may take to lead to an API server
// that answers: a balancer of the user's own may look for it only every half a minute.
const endpointTimeout = 120

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

// installBalancers brings up the hosts that only balance.
func (d *draft) installBalancers() {
	for _, h := range d.balancers {
		h.install()
		h.startKeepalived(nil)
		h.tidy()
	}
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
		Cluster: plan.WaitEndpoint{Host: h.host.Name, Address: address, Timeout: endpointTimeout},
	})
}

// usesEndpointAnew tells whether something on the host begins to go by the endpoint: a
// worker's kubelet; on a control plane, its own balancer or whatever root does.
func (h *hostDraft) usesEndpointAnew() bool {
	return h.startsKubelet() || h.getsOver() || h.makes(inPhase(plan.PhaseLoadBalancer))
}

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
	return madeOn(d.followers, writes(plan.PhaseLoadBalancer), startsBalancer)
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
			d.warnOfDeafBalancer(host)
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

// isUp tells whether a unit runs, or is about to.
func (h *hostDraft) isUp(unit string) bool {
	return slices.Contains([]string{"active", "activating", "reloading"}, h.facts.Units[unit].Active)
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

// warnOfDeafBalancer tells of a balancer that does not hear who comes and goes.
func (d *draft) warnOfDeafBalancer(host cluster.Host) {
	units := []string{"haproxy"}
	if d.in.Cluster.VirtualAddress() != "" {
		units = append(units, "keepalived")
	}
	found := d.in.unreached(host.Name)
	d.plan.Warnings = append(d.plan.Warnings, fmt.Sprintf("%s: load-balancer: its %s cannot be told who the control planes are: %s (when the host is up again: slipway init)",
		host.Name, strings.Join(units, " and "), found.Detail))
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
