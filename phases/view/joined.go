package view

import (
	"slices"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
)

// MarkerKey is the object that says that init has completed: its last step. Until it is
// there, init goes on with whatever hosts the file has; afterwards hosts come by join.
var MarkerKey = hosts.ObjectKey{APIVersion: "v1", Kind: "ConfigMap", Namespace: "kube-system", Name: "slipway"}

// LabelManaged is on the nodes of hosts that have come all the way into the cluster. A
// Node without it is still joining, or was not joined by Slipway.
const LabelManaged = "slipway.dev/managed"

// Joined tells whether the host has come all the way into the cluster. One that was seen
// and has nothing of it any more has to come again, whatever its Node still says.
func (v View) Joined(name string) bool {
	node, there := v.Node(name)
	facts, seen := v.Facts[name]
	if host, _ := v.Cluster.Host(name); !host.IsNode() {
		return v.balancerJoined(facts, seen)
	}
	bare := seen && (facts.Record == nil || facts.Record.Cluster.ID == "")
	return there && !bare && node.Labels[LabelManaged] == "true"
}

// balancerJoined is joined for a host that only balances, and has no node: its keepalived
// is what is started last. Of one that cannot be seen nobody can say otherwise.
func (v View) balancerJoined(facts hosts.Facts, seen bool) bool {
	unit := facts.Units[manifests.KeepalivedUnit]
	return !seen || Claimed(facts.Record) && CarriesBalancer(facts.Record) && unit.Enabled == "enabled"
}

// Completed tells whether init has completed, as far as the cluster can be asked.
func (v View) Completed() bool {
	_, there := v.ClusterFacts.Objects[MarkerKey]
	return there
}

// HasCome tells whether a host was in the cluster, by what is known without an API: it was seen
// there, or has what a host gets last. One that was prepared, or whose join was cut, has a record
// too. One that has none was installed anew since.
func (v View) HasCome(host cluster.Host, facts hosts.Facts) bool {
	switch {
	case !Claimed(facts.Record):
		return false
	case v.JoinedBefore[host.Name]:
		return true
	case !host.IsNode():
		return v.balancerJoined(facts, true)
	}
	_, there := facts.Files[manifests.KubeletConf]
	if host.HasRole(cluster.RoleControlPlane) { // where that one is written with the first files
		there = ServedOnce(facts)
	}
	return there && facts.Units[manifests.KubeletUnit].Enabled == "enabled"
}

// Settled tells whether a host is part of the cluster already, be its API silent: then what
// is found late is told, and does not stop what may repair the rest.
func (v View) Settled(host cluster.Host, facts hosts.Facts) bool {
	return v.Joined(host.Name) || v.HasCome(host, facts)
}

// Comes tells whether the plan is a join that brings the host in.
func (v View) Comes(name string) bool {
	return v.Workflow == Join && Among(v.Targets(Join), name)
}

// Pool names the control planes that are in the cluster, or will be when the plan is done,
// in the file's order: whom balancers send clients to. Until init has completed these are
// all of the file; from then on those that have come all the way, and those that a join
// brings. Whoever leaves is taken out of the file before (phases.Input.without).
func (v View) Pool() []string {
	names := []string{} // none is not the same as not said
	for _, host := range v.Cluster.ControlPlanes() {
		if !v.Completed() || v.Joined(host.Name) || v.Comes(host.Name) {
			names = append(names, host.Name)
		}
	}
	return names
}

// Holders names the hosts of the file that may hold the virtual address: those that carry
// keepalived already or that the plan brings in, and whoever could not be looked at. What
// the API says of their nodes does not count: a join may have been cut before its last step,
// and a keepalived that lists one host too many only sends its advertisements there too.
func (v View) Holders() []string {
	names := []string{}
	for _, host := range v.Cluster.Balancers() {
		facts, seen := v.Facts[host.Name]
		if !seen || CarriesKeepalived(facts.Record) || !v.Completed() || v.Comes(host.Name) {
			names = append(names, host.Name)
		}
	}
	return names
}

// Rest are the control planes that are in the cluster, or will be, when the hosts have left.
func (v View) Rest(leaving []cluster.Host) []cluster.Host {
	return slices.DeleteFunc(v.Cluster.ControlPlanes(), func(host cluster.Host) bool { return Among(leaving, host.Name) })
}

// ServedOnce tells whether a control plane's API server has answered before: what only talks to it
// is written after that.
func ServedOnce(facts hosts.Facts) bool {
	_, there := facts.Files[manifests.ControllerManifest]
	return there
}

// LeftOut are the hosts that an upgrade or a rollback leaves out, in the order of the file.
func (v View) LeftOut() []cluster.Host {
	return slices.DeleteFunc(slices.Clone(v.Cluster.Hosts), func(host cluster.Host) bool { return !slices.Contains(v.Without, host.Name) })
}

// Targets are the hosts that a workflow is for: those named or all, but for those that are left out; for a join only those
// that are not in the cluster yet, and for images, and for drains, only those that run containers.
func (v View) Targets(workflow Workflow) []cluster.Host {
	named, err := v.Named(v.Hosts)
	if err != nil {
		return nil
	}
	switch workflow {
	case Upgrade, Rollback:
		return slices.DeleteFunc(slices.Clone(named), func(host cluster.Host) bool { return slices.Contains(v.Without, host.Name) })
	case Join:
		return slices.DeleteFunc(slices.Clone(named), func(host cluster.Host) bool { return v.Joined(host.Name) })
	case ImageLoad, Cordon, Uncordon, Drain:
		return slices.DeleteFunc(slices.Clone(named), func(host cluster.Host) bool { return !host.IsNode() })
	}
	return named
}

// TargetNames are the names of the hosts that a workflow is for.
func (v View) TargetNames(workflow Workflow) []string {
	var names []string
	for _, host := range v.Targets(workflow) {
		names = append(names, host.Name)
	}
	return names
}

// Unseen are the names of the hosts that a workflow is for and that were not looked at.
func (v View) Unseen(workflow Workflow) []string {
	return slices.DeleteFunc(v.TargetNames(workflow), func(name string) bool { _, seen := v.Facts[name]; return seen })
}
