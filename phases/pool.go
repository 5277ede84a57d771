package phases

import (
	"slices"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/manifests"
)

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
