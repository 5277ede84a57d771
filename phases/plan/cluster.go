package plan

import "github.com/slipway-k8s/slipway/hosts"

// ClusterAction is one thing that is done to the cluster and not to a host. The set is
// closed. An action's type stands, with its description, in the file of what it is about
// (objects.go, nodes.go, members.go, waits.go); phases/engine/api carries it out.
type ClusterAction interface {
	describe() hosts.Description
}

// clusterActions is the closed set, filled by register.
var clusterActions = hosts.Kinds[ClusterAction]{}

// register adds action types to the closed set: `var _ = register(X{})` stands where X does.
func register(zeros ...ClusterAction) hosts.Kinds[ClusterAction] {
	for _, zero := range zeros {
		clusterActions[zero.describe().Kind] = zero
	}
	return clusterActions
}
