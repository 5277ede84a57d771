package phases

import (
	"slices"

	"github.com/slipway-k8s/slipway/cluster"
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
