package phases

import (
	"slices"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// Reset plans to take hosts out of the cluster and to put each back to what it was; no
// names mean the whole cluster. Of a cluster that goes as a whole nothing is moved, and
// nothing needs its API or a quorum.
func Reset(in Input, names []string) (plan.Plan, plan.Contents, error) {
	in.Hosts = names
	if len(in.Targets(view.Reset)) == len(in.Cluster.Hosts) {
		return planOf(in, view.Reset,
			(*draft).beginHosts,
			(*draft).endHosts,
		)
	}
	return planOf(in, view.Reset,
		(*draft).beginHosts,
		(*draft).cordonNodes,
		(*draft).drainNodes,
		(*draft).leaveHosts,
	)
}

// endHosts stops and removes all of a cluster that goes as a whole.
func (d *draft) endHosts() {
	for _, h := range d.drafts {
		h.stopBalancer(nil)
		h.stopKubelet(nil)
		h.cleanUp(nil)
	}
}

// cordonNodes keeps new Pods away from all nodes that leave, before any of them is drained.
func (d *draft) cordonNodes() {
	for _, h := range d.drafts {
		h.cordon()
	}
}

// drainNodes moves the Pods of the nodes that leave to others.
func (d *draft) drainNodes() {
	cordoned := d.inCluster(does[plan.Cordon])
	for _, h := range d.drafts {
		h.drain(cordoned)
	}
}

// leaveHosts takes hosts out of a cluster that goes on: each one's Pods are moved away and the
// balancers send no client to it any more, before anything of it is stopped. Control
// planes go one after another, so that etcd is whole between two changes of its members.
func (d *draft) leaveHosts() {
	known := keep(d.drafts, func(h *hostDraft) bool { return knownToBalancers(h.host) })
	lost := d.balancersLose(d.in.Targets(view.Reset), madeOn(known, does[plan.Drain]), func(waits []string) []string {
		var released []string
		for _, h := range d.drafts {
			released = append(released, h.releaseAddress(waits)...)
		}
		return released
	})
	var before []string // the step that ends the last control plane's membership
	for _, h := range d.drafts {
		waits := h.made(does[plan.Drain])
		if knownToBalancers(h.host) {
			waits = join(waits, lost)
		}
		if h.runsControlPlane() {
			before = h.leaveControlPlane(waits, before)
			continue
		}
		stopped := h.stopKubelet(waits)
		h.deleteNode(join(waits, stopped))
		h.stopOtherBalancer(waits)
		h.cleanUp(nil)
	}
	d.firewallsForget(d.in.Targets(view.Reset))
}

// leaveControlPlane stops a control plane in the order in which no client loses a request: first
// the balancer, then the API server, which has its clients connect elsewhere, and last etcd.
func (h *hostDraft) leaveControlPlane(waits, before []string) []string {
	waits = join(waits, before)
	waits = join(waits, h.quorumHolds(waits))
	stopped := join(h.stopOtherBalancer(waits), h.stopKubelet(waits), h.stopServers(waits))
	removed := h.removeMembers(join(waits, stopped))
	h.deleteNode(join(waits, stopped, removed))
	h.cleanUp(removed)
	if len(removed) > 0 {
		return removed
	}
	return before
}

// stopServers ends what talks to the API, and the API server, while its etcd still runs.
func (h *hostDraft) stopServers(waits []string) []string {
	_, serves := h.facts.Files[manifests.APIServerManifest]
	if !serves || !view.Claimed(h.facts.Record) {
		return nil
	}
	return []string{h.clean("control-plane", plan.Update, "clients go elsewhere while etcd is there",
		hosts.StopPods{Only: serverPods(h.host.Name), Grace: stopGrace}, waits)}
}

// releaseAddress stops the balancer of a host that may have the virtual address.
func (h *hostDraft) releaseAddress(waits []string) []string {
	if !h.ours(manifests.KeepalivedUnit) {
		return nil
	}
	return h.stopBalancer(waits)
}

// stopOtherBalancer stops a balancer that has no virtual address.
func (h *hostDraft) stopOtherBalancer(waits []string) []string {
	if h.ours(manifests.KeepalivedUnit) {
		return nil
	}
	return h.stopBalancer(waits)
}

// stopBalancer stops what of the host's balancer is Slipway's.
func (h *hostDraft) stopBalancer(waits []string) []string {
	return h.stopUnits("load-balancer", keep(view.BalancerUnits, h.ours), waits)
}

// ours tells whether a unit is one that Slipway put there.
func (h *hostDraft) ours(unit string) bool {
	record := h.facts.Record
	return record != nil && (slices.Contains(record.Units, unit) || view.Owns(record, manifests.UnitsFolder+"/"+unit))
}
