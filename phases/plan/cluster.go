package plan

import "github.com/slipway-k8s/slipway/hosts"

// ClusterAction is one thing that is done to the cluster and not to a host. The set is
// closed: it is the types of this file. phases/engine/api carries them out.
type ClusterAction interface {
	// Kind is the action's name in plans, events and journals.
	Kind() string
	clusterAction()
}

// Apply brings an API object to the wanted content (server-side apply, as slipway).
type Apply struct {
	Object  hosts.ObjectKey `json:"object"`
	Content string          `json:"content"` // ref of its JSON
	Secret  bool            `json:"secret,omitempty"`
	// Seed creates it where it is absent, and otherwise leaves it alone.
	Seed bool `json:"seed,omitempty"`
}

// Delete deletes an API object; its absence is no error.
type Delete struct {
	Object hosts.ObjectKey `json:"object"`
}

// MarkNode sets labels and taints on a node, and removes those listed.
type MarkNode struct {
	Node         string            `json:"node"`
	Labels       map[string]string `json:"labels,omitempty"`
	Taints       []string          `json:"taints,omitempty"` // key=value:effect
	RemoveTaints []string          `json:"removeTaints,omitempty"`
}

// Cordon marks a node unschedulable.
type Cordon struct {
	Node string `json:"node"`
}

// Uncordon makes a node schedulable again.
type Uncordon struct {
	Node string `json:"node"`
}

// Drain evicts a node's Pods, honouring disruption budgets, as kubectl drain
// --ignore-daemonsets --delete-emptydir-data does.
type Drain struct {
	Node    string `json:"node"`
	Timeout int    `json:"timeoutSeconds"`
}

// WaitAPI waits until the API server on one host answers /readyz.
type WaitAPI struct {
	Host    string `json:"host"`
	Timeout int    `json:"timeoutSeconds"`
}

// WaitNode waits until a node is registered or, with Ready, is Ready.
type WaitNode struct {
	Node    string `json:"node"`
	Ready   bool   `json:"ready"`
	Timeout int    `json:"timeoutSeconds"`
}

// WaitAvailable waits until a Deployment or DaemonSet has rolled out.
type WaitAvailable struct {
	Object  hosts.ObjectKey `json:"object"`
	Timeout int             `json:"timeoutSeconds"`
}

func (Apply) Kind() string         { return "apply" }
func (Delete) Kind() string        { return "delete" }
func (MarkNode) Kind() string      { return "mark-node" }
func (Cordon) Kind() string        { return "cordon" }
func (Uncordon) Kind() string      { return "uncordon" }
func (Drain) Kind() string         { return "drain" }
func (WaitAPI) Kind() string       { return "wait-api" }
func (WaitNode) Kind() string      { return "wait-node" }
func (WaitAvailable) Kind() string { return "wait-available" }

func (Apply) clusterAction()         {}
func (Delete) clusterAction()        {}
func (MarkNode) clusterAction()      {}
func (Cordon) clusterAction()        {}
func (Uncordon) clusterAction()      {}
func (Drain) clusterAction()         {}
func (WaitAPI) clusterAction()       {}
func (WaitNode) clusterAction()      {}
func (WaitAvailable) clusterAction() {}
