package phases

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
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
	return h.stopUnits("load-balancer", keep(balancerUnits, h.ours), waits)
}

// ours tells whether a unit is one that Slipway put there.
func (h *hostDraft) ours(unit string) bool {
	record := h.facts.Record
	return record != nil && (slices.Contains(record.Units, unit) || view.Owns(record, manifests.UnitsFolder+"/"+unit))
}

// resetProblems says what a reset must not begin with.
func (in Input) resetProblems(targets []cluster.Host, whole bool) []Problem {
	var problems []Problem
	for _, host := range targets {
		problems = append(problems, in.resetHostProblems(host, whole)...)
	}
	if whole {
		return problemsOf(problems, in.strangers(), in.keptEtcd(targets))
	}
	problems = append(problems, in.leaveProblems(targets)...)
	if !in.ClusterFacts.Reachable && !in.Force && in.anyOwned(targets) {
		problems = append(problems, Problem{
			Check: "membership", Severity: SeverityError,
			Detail: "no API server answers, so no Pod can be moved away and no node deleted: " + orUnknown(in.ClusterFacts.Cause),
			Fix:    "bring the control plane up first, or go on without it: --force",
		})
	}
	return problems
}

// strangers is what the cluster has and the file lacks: it would be left behind without a
// control plane, and nothing of it moved away before.
func (in Input) strangers() []Problem {
	names := in.strange()
	if len(names) == 0 {
		return nil
	}
	found := Problem{Check: "membership", Severity: SeverityError,
		Detail: fmt.Sprintf("the cluster has also %s, which the file lacks", strings.Join(names, ", ")),
		Fix:    "add what is missing to the file, or name the hosts that leave; if all that it lacks is dead: --force"}
	if in.Force {
		found.Severity, found.Fix = SeverityWarning, ""
		found.Detail += ": all that it runs is left behind without a control plane"
	}
	return []Problem{found}
}

// strange names the nodes and members that the cluster has and the file lacks.
func (in Input) strange() []string {
	var names []string
	for _, node := range in.ClusterFacts.Nodes {
		if _, known := in.Cluster.Host(node.Name); !known {
			names = append(names, node.Name)
		}
	}
	ours := in.Memberships(in.Cluster.ControlPlanes())
	for _, member := range in.ClusterFacts.Members {
		known := slices.ContainsFunc(ours, func(m hosts.Member) bool { return m.ID == member.ID })
		if name := view.MemberName(member); !known && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// Unseen says why hosts that the file lacks may run in the cluster after all of the file
// were reset, by what was seen before and by the hosts that were once seen in it (joined);
// empty where none does: an API server told of all nodes, or the cluster never began.
func Unseen(in Input, joined []string) string {
	lacking := in.strange()
	for _, name := range joined {
		if _, known := in.Cluster.Host(name); !known && !slices.Contains(lacking, name) {
			lacking = append(lacking, name)
		}
	}
	switch {
	case len(lacking) > 0:
		return "the cluster had also " + strings.Join(lacking, ", ") + ", which the file lacks"
	case in.ClusterFacts.Reachable || len(joined) == 0 && !in.mayHaveBegun():
		return ""
	}
	return "no API server answered, which could have told whether the cluster had other hosts than the file: " + orUnknown(in.ClusterFacts.Cause)
}

// mayHaveBegun tells whether there may be data of the cluster, and so hosts in it: also where a
// host's disk is not mounted, or a reset that was cut has removed them.
func (in Input) mayHaveBegun() bool {
	return !in.Cluster.StackedEtcd() || slices.ContainsFunc(in.Cluster.ControlPlanes(), func(host cluster.Host) bool {
		facts, seen := in.Facts[host.Name]
		return !seen || view.HasBegun(facts) || !view.MayBegin(facts) && in.WasLetBegin(host.Name)
	})
}

// keptEtcd warns of the data that lie in an etcd which is not Slipway's.
func (in Input) keptEtcd(targets []cluster.Host) []Problem {
	if in.Cluster.StackedEtcd() || !in.anyOwned(targets) {
		return nil
	}
	return []Problem{{Check: "etcd", Severity: SeverityWarning,
		Detail: "the cluster's data stay in the etcd at " + strings.Join(view.EtcdAddresses(in.Cluster), ", ") + ", which is not Slipway's",
		Fix:    "before a new init, have whoever owns it delete the keys below /registry",
	}}
}

// resetHostProblems looks at one host. One that cannot be reached is only left as it is
// where nothing would go on there that hurts the others: a worker.
func (in Input) resetHostProblems(host cluster.Host, whole bool) []Problem {
	if _, seen := in.Facts[host.Name]; seen {
		return nil
	}
	found := in.unreached(host.Name)
	switch {
	case !whole && knownToBalancers(host):
		found.Fix = "bring the host up first; if it is dead: slipway remove --offline " + host.Name
	case in.Force:
		found.Severity = SeverityWarning
		found.Detail += "; nothing is removed from it"
	default:
		found.Fix = "bring the host up first, or go on without it: --force"
	}
	return []Problem{found}
}

// anyOwned tells whether any of the hosts is a node that carries something of Slipway's.
func (in Input) anyOwned(targets []cluster.Host) bool {
	return slices.ContainsFunc(targets, func(host cluster.Host) bool {
		facts, seen := in.Facts[host.Name]
		return !host.HasRole(cluster.RoleLoadBalancer) && (!seen || facts.Record != nil)
	})
}
