package plan

import "github.com/slipway-k8s/slipway/hosts"

// ClusterAction is one thing that is done to the cluster and not to a host. The set is
// closed. An action's type stands, with its description, in the file of what it is about
// (nodes.go, members.go, waits.go, and here for objects); phases/engine/api carries it out.
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

var _ = register(Apply{}, Delete{})

// Apply brings an API object to the wanted content (server-side apply, as slipway).
type Apply struct {
	Object  hosts.ObjectKey `json:"object"`
	Content string          `json:"content"` // ref of its JSON
	Secret  bool            `json:"secret,omitempty"`
	// Seed creates the object where it is absent, and otherwise leaves it as it is.
	Seed bool `json:"seed,omitempty"`
}

func (a Apply) describe() hosts.Description {
	return hosts.Description{Kind: "apply", Deed: "apply " + a.Object.String(), Refs: []string{a.Content}}
}

// Delete deletes an API object; its absence is no error.
type Delete struct {
	Object hosts.ObjectKey `json:"object"`
	// UID, if set, is of an object that Slipway has applied. It is deleted only if it still is that
	// one, and nobody else applies it.
	UID string `json:"uid,omitempty"`
}

func (a Delete) describe() hosts.Description {
	return hosts.Description{Kind: "delete", Deed: "delete " + a.Object.String()}
}
