package plan

import "github.com/slipway-k8s/slipway/hosts"

// Subject is whom a step is about: a host, an object of the API, or a member of etcd. A step that
// is done to the cluster for a host's sake is about that host.
type Subject struct {
	Host   string          `json:"host,omitempty"`
	Object hosts.ObjectKey `json:"object,omitzero"`
	Member string          `json:"member,omitempty"` // its name or, where it has none, where its peers are
}
