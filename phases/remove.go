package phases

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// Remove plans to take hosts out of the cluster that are dead: all of it is done to the
// cluster and on the living hosts, nothing on the dead ones.
func Remove(in Input, names []string) (plan.Plan, plan.Contents, error) {
	in.Hosts = names
	return planOf(in, view.Remove,
		(*draft).beginHosts,
		(*draft).removeDead,
		(*draft).forgetDead,
	)
}

// removeDead takes dead hosts out of etcd and of the API, one after another.
func (d *draft) removeDead() {
	var before []string
	for _, h := range d.drafts {
		removed := h.removeMembers(before)
		h.deleteNode(h.deletePods(removed))
		if len(removed) > 0 {
			before = removed
		}
	}
}

// forgetDead has the balancers that live send nobody to dead hosts.
func (d *draft) forgetDead() {
	nothing := func([]string) []string { return nil }
	d.balancersLose(d.in.Targets(view.Remove), nil, nothing)
}

// deletePods deletes the Pods that only the dead host could end: what runs one of each,
// as a StatefulSet does, brings none elsewhere before.
func (h *hostDraft) deletePods(waits []string) []string {
	if _, there := h.in.Node(h.host.Name); !there || !h.in.ClusterFacts.Reachable {
		return nil
	}
	return []string{h.add(plan.Step{
		ID: clusterID(plan.PhaseRemoveNode, h.host.Name, "pods"), Phase: plan.PhaseRemoveNode, Lane: h.leaveLane(),
		After: after(waits), Why: "nobody is left to end them", Change: plan.Remove,
		Cluster: plan.DeletePods{Node: h.host.Name},
	})}
}

// removeProblems says what a removal must not begin with, and warns of the dead.
func (in Input) removeProblems(targets []cluster.Host) []Problem {
	problems := in.leaveProblems(targets)
	for _, host := range targets {
		problems = append(problems, in.alive(host)...)
	}
	problems = append(problems, in.heldUnseen(targets)...)
	if len(Errors(problems)) > 0 {
		return problems
	}
	if !in.ClusterFacts.Reachable {
		return append(problems, Problem{
			Check: "membership", Severity: SeverityError,
			Detail: "no API server answers, so no node can be deleted: " + orUnknown(in.ClusterFacts.Cause),
			Fix:    "see what holds the living ones up by: slipway status",
		})
	}
	for _, host := range targets {
		if in.known(host) {
			problems = append(problems, in.warnOfReturn(host))
		}
	}
	return problems
}

// alive says what of a host still answers. One that is taken out unheard must be dead.
func (in Input) alive(host cluster.Host) []Problem {
	const fix = "take it out by: slipway reset %s; if it has died just now, wait until the cluster has noticed"
	for _, member := range view.MembersOf(in.ClusterFacts.Members, host) {
		if member.Healthy {
			return []Problem{problem("membership", host, fmt.Sprintf(fix, host.Name), "it is not dead: its etcd answers")}
		}
	}
	if node, there := in.Node(host.Name); there && node.Ready {
		return []Problem{problem("membership", host, fmt.Sprintf(fix, host.Name), "it is not dead as far as the cluster knows: its node is Ready")}
	}
	return nil
}

// heldUnseen are hosts that may hold the virtual address still, whatever else of them is
// dead: nobody of the living has it. Taken out, such a one would hold it beside another.
func (in Input) heldUnseen(leaving []cluster.Host) []Problem {
	address, err := netip.ParseAddr(in.Cluster.VirtualAddress())
	if err != nil {
		return nil
	}
	var unseen []cluster.Host
	for _, host := range in.Cluster.Balancers() {
		facts, seen := in.Facts[host.Name]
		switch {
		case !among(leaving, host.Name):
			if seen && slices.Contains(addressesOf(facts), address) {
				return nil
			}
		case !seen || facts.Units[manifests.KeepalivedUnit].Active == "active":
			unseen = append(unseen, host)
		}
	}
	var problems []Problem
	for _, host := range unseen {
		problems = append(problems, problem(checkEndpoint, host, "cut its power first, then wait until another has it",
			"nobody of the living has %s: %s may hold it still", address, host.Name))
	}
	return problems
}

// known tells whether the cluster still knows anything of the host. Of a load balancer it
// never does.
func (in Input) known(host cluster.Host) bool {
	_, there := in.Node(host.Name)
	return there || len(view.MembersOf(in.ClusterFacts.Members, host)) > 0 || host.HasRole(cluster.RoleLoadBalancer)
}

// warnOfReturn tells what a host would do that comes back although it was removed.
func (in Input) warnOfReturn(host cluster.Host) Problem {
	would := "its kubelet would register its node again and start what it ran"
	if host.HasRole(cluster.RoleControlPlane) {
		would = "its API server would find no etcd"
	}
	if in.Cluster.VirtualAddress() != "" && among(in.Cluster.Balancers(), host.Name) {
		would += ", and its keepalived, whom the others no longer tell of themselves, would take " + in.Cluster.VirtualAddress() + " a second time"
	}
	return warning("return", host, fmt.Sprintf("wipe it before it is switched on again, or as soon as it is up, with a file that still has it: slipway reset %s", host.Name),
		"it is not contacted, and keeps all that is on it: if it came back, %s", would)
}
