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

// MarkNode sets labels and taints on a node, notes there that it has, and removes those listed.
type MarkNode struct {
	Node         string            `json:"node"`
	Labels       map[string]string `json:"labels,omitempty"`
	Taints       []string          `json:"taints,omitempty"` // key=value:effect
	RemoveTaints []string          `json:"removeTaints,omitempty"`
	RemoveLabels []string          `json:"removeLabels,omitempty"` // keys
	Seal         string            `json:"seal,omitempty"`         // of the note, see hosts.Marks
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

// WaitAPI waits until the API server on one host answers /readyz or, with Serving, takes
// requests, which it does before all is done that /readyz asks for.
type WaitAPI struct {
	Host    string `json:"host"`
	Serving bool   `json:"serving,omitempty"`
	Timeout int    `json:"timeoutSeconds"`
}

// WaitNode waits until a node is registered or, with Ready, is Ready and has a ready Pod of
// each of the DaemonSets.
type WaitNode struct {
	Node       string            `json:"node"`
	Ready      bool              `json:"ready"`
	DaemonSets []hosts.ObjectKey `json:"daemonSets,omitempty"`
	// Restarted tells that its kubelet was restarted: a Ready from before does not count until
	// the kubelet has renewed its lease twice with the usual interval of ten seconds between: one
	// that starts again and again renews it sooner.
	Restarted bool `json:"restarted,omitempty"`
	Timeout   int  `json:"timeoutSeconds"`
}

// WaitPods waits until static Pods of a host run, ready, as their manifests say: a Pod of the
// manifest of before does not count.
type WaitPods struct {
	Host    string      `json:"host"`
	Pods    []StaticPod `json:"pods"`
	Timeout int         `json:"timeoutSeconds"`
}

// StaticPod is a static Pod by its manifest.
type StaticPod struct {
	Name     string `json:"name"`     // as the manifest has it, without the node's
	Manifest string `json:"manifest"` // ref of its YAML
}

// WaitAvailable waits until a Deployment or DaemonSet has rolled out.
type WaitAvailable struct {
	Object  hosts.ObjectKey `json:"object"`
	Timeout int             `json:"timeoutSeconds"`
}

// WaitEndpoint waits until the API answers on host:port as seen from a host.
type WaitEndpoint struct {
	Host    string `json:"host"`
	Address string `json:"address"`
	Timeout int    `json:"timeoutSeconds"`
}

// WaitTurn lets one control plane's controllers start before the others': the first to ask
// goes on at once, the others when all nodes there are Ready and the objects have rolled
// out, or the time is over. It never fails for that: it saves the others' work for when
// there is nothing more urgent.
type WaitTurn struct {
	Host    string            `json:"host"`
	Objects []hosts.ObjectKey `json:"objects,omitempty"` // Deployments and DaemonSets
	Timeout int               `json:"timeoutSeconds"`
}

// MemberAdd adds a member to etcd as a learner, before it is started. A member that is
// there with this name or peer already is left as it is.
type MemberAdd struct {
	Name string `json:"name"`
	Peer string `json:"peer"` // URL
}

// MemberPromote waits until a learner is in sync with the leader, and gives it its vote.
type MemberPromote struct {
	Name    string `json:"name"`
	Timeout int    `json:"timeoutSeconds"`
}

// MemberRemove removes a member from etcd; its absence is no error.
type MemberRemove struct {
	ID   string `json:"id"`   // as hosts.Member has it
	Name string `json:"name"` // for people: one that never started has none
}

// MoveLeader makes another member of etcd the leader where this one is.
type MoveLeader struct {
	From string `json:"from"` // the member's name
}

// QuorumHolds goes on only while etcd has a quorum, and would have one without a member:
// between the plan and what cannot be taken back, others may have gone.
type QuorumHolds struct {
	Without string `json:"without"` // the member's name
	// Stays tells that the member only stops for a moment: it counts in what a quorum is of.
	Stays bool `json:"stays,omitempty"`
}

// DeletePods deletes at once the Pods that are bound to a node which will not end them.
type DeletePods struct {
	Node string `json:"node"`
}

func (Apply) Kind() string         { return "apply" }
func (Delete) Kind() string        { return "delete" }
func (MarkNode) Kind() string      { return "mark-node" }
func (Cordon) Kind() string        { return "cordon" }
func (Uncordon) Kind() string      { return "uncordon" }
func (Drain) Kind() string         { return "drain" }
func (WaitAPI) Kind() string       { return "wait-api" }
func (WaitNode) Kind() string      { return "wait-node" }
func (WaitPods) Kind() string      { return "wait-pods" }
func (WaitAvailable) Kind() string { return "wait-available" }
func (WaitTurn) Kind() string      { return "wait-turn" }
func (WaitEndpoint) Kind() string  { return "wait-endpoint" }
func (MemberAdd) Kind() string     { return "member-add" }
func (MemberPromote) Kind() string { return "member-promote" }
func (MemberRemove) Kind() string  { return "member-remove" }
func (MoveLeader) Kind() string    { return "move-leader" }
func (QuorumHolds) Kind() string   { return "quorum-holds" }
func (DeletePods) Kind() string    { return "delete-pods" }

func (Apply) clusterAction()         {}
func (Delete) clusterAction()        {}
func (MarkNode) clusterAction()      {}
func (Cordon) clusterAction()        {}
func (Uncordon) clusterAction()      {}
func (Drain) clusterAction()         {}
func (WaitAPI) clusterAction()       {}
func (WaitNode) clusterAction()      {}
func (WaitPods) clusterAction()      {}
func (WaitAvailable) clusterAction() {}
func (WaitTurn) clusterAction()      {}
func (WaitEndpoint) clusterAction()  {}
func (MemberAdd) clusterAction()     {}
func (MemberPromote) clusterAction() {}
func (MemberRemove) clusterAction()  {}
func (MoveLeader) clusterAction()    {}
func (QuorumHolds) clusterAction()   {}
func (DeletePods) clusterAction()    {}
