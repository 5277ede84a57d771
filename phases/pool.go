package phases

import (
	"slices"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/manifests"
)

// pool names the control planes that are in the cluster, or will be when the plan is done,
// in the file's order: whom balancers send clients to. Until init has completed these are
// all of the file; from then on those that have come all the way, and those that a join
// brings. Whoever leaves is taken out of the file before (Input.without).
func (in Input) pool() []string {
	names := []string{} // none is not the same as not said
	for _, host := range in.Cluster.ControlPlanes() {
		if !in.completed() || in.joined(host.Name) || in.comes(host.Name) {
			names = append(names, host.Name)
		}
	}
	return names
}

// comes tells whether the plan is a join that brings the host in.
func (in Input) comes(name string) bool {
	return in.workflow == WorkflowJoin && slices.ContainsFunc(in.targets(WorkflowJoin), func(host cluster.Host) bool {
		return host.Name == name
	})
}

// holders names the hosts of the file that may hold the virtual address: those that carry
// keepalived already or that the plan brings in, and whoever could not be looked at. What
// the API says of their nodes does not count: a join may have been cut before its last step,
// and who knows a peer too many only tells one more of itself.
func (in Input) holders() []string {
	names := []string{}
	for _, host := range in.Cluster.Balancers() {
		facts, seen := in.Facts[host.Name]
		if !seen || carriesKeepalived(facts.Record) || !in.completed() || in.comes(host.Name) {
			names = append(names, host.Name)
		}
	}
	return names
}

// untoldHolders are hosts of the cluster that cannot be told of a keepalived which the join
// starts: one that holds the virtual address all the same, or that boots later with the
// peers of before, and the newcomer would both have it.
func (in Input) untoldHolders(targets []cluster.Host) []Problem {
	if in.Cluster.VirtualAddress() == "" || !slices.ContainsFunc(targets, in.startsKeepalived) {
		return nil
	}
	var problems []Problem
	for _, host := range in.Cluster.Balancers() {
		if _, seen := in.Facts[host.Name]; seen || among(targets, host.Name) || !in.known(host) {
			continue
		}
		problems = append(problems, problem(checkEndpoint, host,
			"bring it up, or take it out, and then out of the file: slipway remove --offline "+host.Name,
			"its keepalived cannot be told of the new one, and both would hold %s: %s", in.Cluster.VirtualAddress(), in.unreached(host.Name).Detail))
	}
	return problems
}

// startsKeepalived tells whether a host is to run keepalived and does not yet.
func (in Input) startsKeepalived(host cluster.Host) bool {
	return in.Cluster.Balances(host) && in.Facts[host.Name].Units[manifests.KeepalivedUnit].Active != "active"
}
