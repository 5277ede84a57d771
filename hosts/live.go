package hosts

import "time"

// Live is what watches show of a cluster at one moment: what its API says that changes while one
// looks. All its text is fit to be shown.
type Live struct {
	// Connected tells whether an API server answers now; if not, Cause says why, and the rest is as
	// it was seen last.
	Connected bool   `json:"connected"`
	Cause     string `json:"cause,omitempty"`
	Version   string `json:"version,omitempty"` // the API server's
	// Lacking is what is not known, or not kept up any longer, though an API server answers.
	Lacking []Lacking  `json:"lacking,omitempty"`
	Nodes   []LiveNode `json:"nodes,omitempty"` // by name
	Pods    int        `json:"pods"`            // of all nodes, and of none, that have not ended
	// Unwell are Pods that are not well, by namespace and name: at most MostUnwell of UnwellPods.
	Unwell     []UnwellPod `json:"unwell,omitempty"`
	UnwellPods int         `json:"unwellPods"`
	// Warnings are the newest events of type Warning, the newest first: at most MostWarnings.
	Warnings []Warning `json:"warnings,omitempty"`
}

// How much Live holds at most.
const (
	MostUnwell   = 500
	MostWarnings = 200
	MostOnNode   = 200
)

// The values of Lacking.What.
const (
	LackNodes    = "nodes"
	LackPods     = "Pods"
	LackWarnings = "warnings"
)

// Lacking is a kind of facts that the API does not give, and why.
type Lacking struct {
	What string `json:"what"`
	Why  string `json:"why"`
}

// LiveNode is a node as the API shows it now.
type LiveNode struct {
	Name       string   `json:"name"`
	Ready      bool     `json:"ready"`
	Reason     string   `json:"reason,omitempty"` // why it is not ready, as the kubelet says it
	Version    string   `json:"version"`          // the kubelet's
	Cordoned   bool     `json:"cordoned,omitempty"`
	CordonedBy string   `json:"cordonedBy,omitempty"` // the workflow of Slipway's that has cordoned it for a time
	Roles      []string `json:"roles,omitempty"`      // of the labels node-role.kubernetes.io/…
	// Pressures are the conditions that keep Pods off, other than that it is not Ready: DiskPressure …
	Pressures []string `json:"pressures,omitempty"`
	Pods      int      `json:"pods"` // on the node, that have not ended
	// OnIt are these Pods, by namespace and name: at most MostOnNode. They are for who looks at one node; as JSON
	// a large cluster's would be too much.
	OnIt []LivePod `json:"-"`
}

// LivePod is a Pod of a node, in short.
type LivePod struct {
	Namespace string
	Name      string
	Phase     string // Pending, Running …, or Terminating
	Restarts  int    // of all its containers together
}

// UnwellPod is a Pod that is not well.
type UnwellPod struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Node      string `json:"node,omitempty"`  // empty: it has none yet
	Owner     string `json:"owner,omitempty"` // kind and name of what it is of, Deployment web; empty: of nothing
	Phase     string `json:"phase"`
	// Reason is why it is not well, in a word: CrashLoopBackOff, ImagePullBackOff, Pending, NotReady,
	// Terminating, Failed, Evicted …; Message says more.
	Reason   string    `json:"reason"`
	Message  string    `json:"message,omitempty"`
	Restarts int       `json:"restarts,omitempty"` // of all its containers together
	Since    time.Time `json:"since,omitzero"`     // by the cluster's clock, where that is known
}

// Warning is an event of type Warning.
type Warning struct {
	Time    time.Time `json:"time"`   // when it happened last, by the cluster's clock
	Object  string    `json:"object"` // kind, namespace and name: Pod default/web-1, Node w-1
	Reason  string    `json:"reason"`
	Message string    `json:"message,omitempty"`
	Count   int       `json:"count"` // how often
}
