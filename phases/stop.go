package phases

import (
	"slices"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// Stop plans to end all that a cluster runs: the workers' Pods while the API still answers, then
// controllers, API servers and etcd of all control planes, and last what carries the endpoint. Every
// unit stays enabled: hosts that boot bring the cluster up again by themselves.
func Stop(in Input) (plan.Plan, plan.Contents, error) {
	return planOf(in, view.Stop,
		(*draft).beginHosts,
		(*draft).stopWorkers,
		(*draft).stopControlPlanes,
		(*draft).stopBalancers,
	)
}

// Start plans to start what is enabled on the hosts and does not run: the control planes at once,
// since etcd needs most of them, then what carries the endpoint, then the workers. It cordons
// and uncordons nothing.
func Start(in Input) (plan.Plan, plan.Contents, error) {
	return planOf(in, view.Start,
		(*draft).beginHosts,
		(*draft).resumeControlPlanes,
		(*draft).resumeBalancers,
		(*draft).resumeWorkers,
		(*draft).awaitMembers,
	)
}

// workloadGrace is how long, in seconds, the containers of a host that is stopped have to end: as
// long as a Pod has that does not say so itself.
const workloadGrace = 30

func (d *draft) stopWorkers() {
	for _, h := range d.workers {
		if h.runsPods() {
			stopped := h.stop(plan.PhaseKubelet, nil, manifests.KubeletUnit)
			h.endPods(plan.PhaseKubelet, "pods", hosts.StopPods{Grace: workloadGrace}, stopped)
		}
	}
}

// stopControlPlanes stops one kind of component on all of them before the next: no controller
// sees the others' nodes go, and no API server runs without its etcd.
func (d *draft) stopControlPlanes() {
	planes := keep(d.planes, (*hostDraft).runsPods)
	waits := madeOn(d.workers, does[hosts.StopPods])
	each := func(stop func(h *hostDraft) []string) {
		var stopped []string
		for _, h := range planes {
			stopped = join(stopped, stop(h))
		}
		waits = join(stopped)
	}
	each(func(h *hostDraft) []string { return h.stop(plan.PhaseKubelet, waits, manifests.KubeletUnit) })
	each(func(h *hostDraft) []string { return h.endServers("controllers", serverPods(h.host.Name)[1:], waits) })
	each(func(h *hostDraft) []string { return h.endServers("api-server", serverPods(h.host.Name)[:1], waits) })
	each(func(h *hostDraft) []string {
		if !d.in.Cluster.StackedEtcd() {
			return waits
		}
		etcd := hosts.StopPods{Only: []string{"etcd-" + h.host.Name}, Grace: stopGrace}
		return h.endPods(plan.PhaseEtcd, "etcd", etcd, waits)
	})
	each(func(h *hostDraft) []string {
		return h.endPods(plan.PhaseKubelet, "pods", hosts.StopPods{Grace: workloadGrace}, waits)
	})
}

func (d *draft) stopBalancers() {
	waits := madeOn(d.nodes(), does[hosts.StopPods])
	for _, h := range d.drafts {
		h.stop(plan.PhaseLoadBalancer, waits, keep(view.BalancerUnitsOn(d.in.Cluster, h.host), h.isUp)...)
	}
}

// runsPods tells whether the host's kubelet runs, or Pods that it has left.
func (h *hostDraft) runsPods() bool {
	return h.isUp(manifests.KubeletUnit) || len(h.facts.Sandboxes) > 0
}

// stop stops units that stay enabled, if there are any.
func (h *hostDraft) stop(phase plan.Phase, waits []string, units ...string) []string {
	if len(units) == 0 {
		return waits
	}
	return []string{h.step(phase, "stop", plan.LaneWork, plan.Update, "the cluster is stopped", hosts.StopUnits{Names: units, Enabled: true}, waits)}
}

func (h *hostDraft) endServers(thing string, pods, waits []string) []string {
	return h.endPods(plan.PhaseControlPlane, thing, hosts.StopPods{Only: pods, Grace: stopGrace}, waits)
}

func (h *hostDraft) endPods(phase plan.Phase, thing string, pods hosts.StopPods, waits []string) []string {
	return []string{h.step(phase, thing, plan.LaneWork, plan.Update, "the cluster is stopped", pods, waits)}
}

func (d *draft) resumeControlPlanes() {
	for _, h := range d.planes {
		h.resumeUnits(plan.PhaseContainerd, nil, manifests.ContainerdUnit)
		h.resumeUnits(plan.PhaseLoadBalancer, nil, keep(view.BalancerUnitsOn(d.in.Cluster, h.host), notAddress)...)
		h.resumeUnits(plan.PhaseKubelet, nil, manifests.KubeletUnit)
		h.awaitAPI()
	}
}

// resumeBalancers starts load balancers, and lets hosts have the virtual address once an API
// server answers: a control plane once its own does.
func (d *draft) resumeBalancers() {
	for _, h := range slices.Concat(d.balancers, d.planes) {
		units := view.BalancerUnitsOn(d.in.Cluster, h.host)
		h.resumeUnits(plan.PhaseLoadBalancer, nil, keep(units, notAddress)...)
		waits := d.inCluster(awaitsAPI)
		if h.runsControlPlane() {
			waits = h.made(awaitsAPI)
		}
		if slices.Contains(units, manifests.KeepalivedUnit) {
			h.resumeUnits(plan.PhaseLoadBalancer, after(nil, waits), manifests.KeepalivedUnit)
		}
	}
}

// resumeWorkers starts workers when an API server answers, and so etcd has its quorum, and a host
// carries the endpoint.
func (d *draft) resumeWorkers() {
	carriers := slices.Concat(d.balancers, d.planes)
	haproxy, keepalived := madeOn(carriers, starts(manifests.HAProxyUnit)), madeOn(carriers, starts(manifests.KeepalivedUnit))
	for _, h := range d.workers {
		h.resumeUnits(plan.PhaseContainerd, nil, manifests.ContainerdUnit)
		h.resumeUnits(plan.PhaseLoadBalancer, nil, view.BalancerUnitsOn(d.in.Cluster, h.host)...)
		h.resumeUnits(plan.PhaseKubelet, after(nil, d.inCluster(awaitsAPI), haproxy, keepalived), manifests.KubeletUnit)
	}
}

// awaitMembers waits for the nodes of hosts whose kubelet is one of the cluster's.
func (d *draft) awaitMembers() {
	for _, h := range d.nodes() {
		if why := h.nodeIsAway(); why != "" && h.isEnabled(manifests.KubeletUnit) {
			h.waitNode(why, true, after(h.made(startsKubelet, startsContainerd), d.inCluster(awaitsAPI)))
		}
	}
}

// nodeIsAway says why the host's node has to be waited for: a Ready of before the cluster was
// stopped does not count. Empty: it is there.
func (h *hostDraft) nodeIsAway() string {
	node, there := h.in.Node(h.host.Name)
	switch {
	case h.restartsKubelet():
		return "it is being started"
	case !h.in.ClusterFacts.Reachable:
		return "no API server answers: " + orUnknown(h.in.ClusterFacts.Cause)
	case !there:
		return "not registered yet"
	case !node.Ready && h.in.Cluster.Networking.AddOn != cluster.AddOnNone:
		return "not Ready: " + orUnknown(node.Reason)
	}
	return ""
}

func notAddress(unit string) bool { return unit != manifests.KeepalivedUnit }

func (h *hostDraft) isEnabled(unit string) bool { return h.facts.Units[unit].Enabled == "enabled" }

// resumeUnits starts those of units that are enabled and do not run, with what they read as it
// lies on the host. One that is not enabled is not the cluster's yet.
func (h *hostDraft) resumeUnits(phase plan.Phase, waits []plan.Dependency, units ...string) {
	for _, unit := range units {
		if h.isUp(unit) || !h.isEnabled(unit) || h.makes(starts(unit)) {
			continue
		}
		h.add(plan.Step{
			ID: h.stepID(phase, unit), Phase: phase, Host: h.host.Name, Lane: plan.LaneWork, After: waits,
			Why: "is " + orNothing(h.facts.Units[unit].Active), Change: plan.Update,
			Action: hosts.SetUnit{Name: unit, Enabled: true, Active: true, Inputs: h.asFound(unit)},
		})
	}
}
