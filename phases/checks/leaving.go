package checks

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

// wholeCluster tells whether all hosts of the file leave: then nothing of the cluster is kept.
func wholeCluster(v view.View) bool {
	return v.Workflow == view.Reset && len(targets(v)) == len(v.Cluster.Hosts)
}

// unknownToFile is what the cluster has and the file lacks: it would be left behind without a
// control plane, and nothing of it moved away before.
func unknownToFile(v view.View) []Finding {
	names := strange(v)
	if len(names) == 0 || !wholeCluster(v) {
		return nil
	}
	const seen = "the cluster has also %s, which the file lacks"
	if v.Force {
		return []Finding{warning("", seen+": all that it runs is left behind without a control plane", strings.Join(names, ", "))}
	}
	return []Finding{finding("add what is missing to the file, or name the hosts that leave; if all that it lacks is dead: --force", seen, strings.Join(names, ", "))}
}

// strange names the nodes and members that the cluster has and the file lacks.
func strange(v view.View) []string {
	var names []string
	for _, node := range v.ClusterFacts.Nodes {
		if _, known := v.Cluster.Host(node.Name); !known {
			names = append(names, node.Name)
		}
	}
	ours := v.Memberships(v.Cluster.ControlPlanes())
	for _, member := range v.ClusterFacts.Members {
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
func Unseen(v view.View, joined []string) string {
	lacking := strange(v)
	for _, name := range joined {
		if _, known := v.Cluster.Host(name); !known && !slices.Contains(lacking, name) {
			lacking = append(lacking, name)
		}
	}
	switch {
	case len(lacking) > 0:
		return "the cluster had also " + strings.Join(lacking, ", ") + ", which the file lacks"
	case v.ClusterFacts.Reachable || len(joined) == 0 && !mayHaveBegun(v):
		return ""
	}
	return "no API server answered, which could have told whether the cluster had other hosts than the file: " + cmp.Or(v.ClusterFacts.Cause, "cause unknown")
}

// mayHaveBegun tells whether there may be data of the cluster, and so hosts in it: also where a
// host's disk is not mounted, or a reset that was cut has removed them.
func mayHaveBegun(v view.View) bool {
	return !v.Cluster.StackedEtcd() || slices.ContainsFunc(v.Cluster.ControlPlanes(), func(host cluster.Host) bool {
		facts, seen := v.Facts[host.Name]
		return !seen || view.HasBegun(facts) || !view.MayBegin(facts) && v.WasLetBegin(host.Name)
	})
}

// keptEtcd warns of the data that lie in an etcd which is not Slipway's.
func keptEtcd(v view.View) []Finding {
	if v.Cluster.StackedEtcd() || !wholeCluster(v) || !anyOwned(v) {
		return nil
	}
	return []Finding{warning("before a new init, have whoever owns it delete the keys below /registry",
		"the cluster's data stay in the etcd at %s, which is not Slipway's", strings.Join(view.EtcdAddresses(v.Cluster), ", "))}
}

// anyOwned tells whether one of those that leave is a node that carries something of Slipway's.
func anyOwned(v view.View) bool {
	return slices.ContainsFunc(targets(v), func(host cluster.Host) bool {
		facts, seen := v.Facts[host.Name]
		return host.IsNode() && (!seen || facts.Record != nil)
	})
}

// leaving are the hosts of a role that leave a cluster which goes on.
func leaving(v view.View, role cluster.Role) []cluster.Host {
	if wholeCluster(v) {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(targets(v)), func(host cluster.Host) bool { return !host.HasRole(role) })
}

// lastPlane tells whether no control plane would be left.
func lastPlane(v view.View) bool {
	planes := leaving(v, cluster.RoleControlPlane)
	return len(planes) > 0 && len(v.Rest(planes)) == 0
}

// lastOfItsRole says which hosts the cluster cannot go on without.
func lastOfItsRole(v view.View) []Finding {
	const fix = "put another one in its place first (slipway join); the whole cluster goes by: slipway reset --all"
	planes, balancers := leaving(v, cluster.RoleControlPlane), leaving(v, cluster.RoleLoadBalancer)
	switch {
	case lastPlane(v):
		return []Finding{finding(fix, "it is the last control plane: without one there is no cluster").on(planes[len(planes)-1].Name)}
	case len(balancers) > 0 && len(balancers) == len(v.Cluster.Balancers()):
		return []Finding{finding(fix, "it is the last load balancer: without one nothing holds %s", v.Cluster.Endpoint.Address).on(balancers[len(balancers)-1].Name)}
	}
	return nil
}

// quorumForLeaving says why the members of those that leave may not leave etcd.
func quorumForLeaving(v view.View) []Finding {
	planes := leaving(v, cluster.RoleControlPlane)
	if !v.Cluster.StackedEtcd() || lastPlane(v) {
		return nil
	}
	if cause := unknownMembers(v, planes); cause != "" {
		return []Finding{finding("bring etcd up first, on most of the control planes; the whole cluster goes by: slipway reset --all",
			"what members etcd has is not known, so no sum can be done: %s", cause)}
	}
	sum := view.NoQuorum(v.ClusterFacts.Members, v.Memberships(planes))
	switch {
	case sum == "":
		return nil
	case v.Workflow == view.Remove:
		return []Finding{finding("bring up the others that do not answer first; the whole cluster goes by: slipway reset --all", "%s", sum)}
	}
	return []Finding{finding("bring back the members that do not answer, or take those out first that are dead: slipway remove --offline; the whole cluster goes by: slipway reset --all", "%s", sum)}
}

// unknownMembers says why etcd's members are not known, where that matters.
func unknownMembers(v view.View, planes []cluster.Host) string {
	if len(v.ClusterFacts.Members) > 0 {
		return ""
	}
	for _, host := range planes {
		_, noted := v.Node(host.Name)
		facts, seen := v.Facts[host.Name]
		if noted || !seen || view.Claimed(facts.Record) {
			return cmp.Or(v.ClusterFacts.MembersCause, "cause unknown")
		}
	}
	return ""
}

// stillAlive says what of hosts that are removed for dead still answers.
func stillAlive(v view.View) []Finding {
	var found []Finding
	for _, host := range targets(v) {
		if sign := lifeSign(v, host); sign != "" {
			found = append(found, finding("take it out by: slipway reset "+host.Name+"; if it has died just now, wait until the cluster has noticed",
				"it is not dead%s", sign).on(host.Name))
		}
	}
	return found
}

func lifeSign(v view.View, host cluster.Host) string {
	healthy := func(m hosts.Member) bool { return m.Healthy }
	if slices.ContainsFunc(view.MembersOf(v.ClusterFacts.Members, host), healthy) {
		return ": its etcd answers"
	}
	if node, there := v.Node(host.Name); there && node.Ready {
		return " as far as the cluster knows: its node is Ready"
	}
	return ""
}

// known tells whether the cluster still knows anything of the host. Of a load balancer it
// never does.
func known(v view.View, host cluster.Host) bool {
	_, there := v.Node(host.Name)
	return there || len(view.MembersOf(v.ClusterFacts.Members, host)) > 0 || host.HasRole(cluster.RoleLoadBalancer)
}

// mayReturn tells what a host would do that comes back although it was removed.
func mayReturn(v view.View) []Finding {
	var found []Finding
	for _, host := range targets(v) {
		if known(v, host) && lifeSign(v, host) == "" && v.ClusterFacts.Reachable {
			found = append(found, wouldReturn(v, host).on(host.Name))
		}
	}
	return found
}

func wouldReturn(v view.View, host cluster.Host) Finding {
	would := "its kubelet would register its node again and start what it ran"
	if host.HasRole(cluster.RoleControlPlane) {
		would = "its API server would find no etcd"
	}
	if v.Cluster.VirtualAddress() != "" && view.Among(v.Cluster.Balancers(), host.Name) {
		would += ", and its keepalived, to which the others send no advertisements any more, would take " + v.Cluster.VirtualAddress() + " a second time"
	}
	return warning(fmt.Sprintf("wipe it before it is switched on again, or as soon as it is up, with a file that still has it: slipway reset %s", host.Name),
		"it is not contacted, and keeps all that is on it: if it came back, %s", would)
}
