package plan

import (
	"maps"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
)

var _ = register(MarkNode{}, Cordon{}, Uncordon{}, Drain{}, DeletePods{})

// MarkNode sets labels and taints on a node, notes there that it has, and removes those listed.
type MarkNode struct {
	Node         string            `json:"node"`
	Labels       map[string]string `json:"labels,omitempty"`
	Taints       []string          `json:"taints,omitempty"` // key=value:effect
	RemoveTaints []string          `json:"removeTaints,omitempty"`
	RemoveLabels []string          `json:"removeLabels,omitempty"` // keys
	Seal         string            `json:"seal,omitempty"`         // of the note, see hosts.Marks
}

func (a MarkNode) describe() hosts.Description {
	var marks []string
	for _, key := range slices.Sorted(maps.Keys(a.Labels)) {
		marks = append(marks, key+"="+a.Labels[key])
	}
	marks = append(marks, a.Taints...)
	for _, name := range slices.Concat(a.RemoveTaints, a.RemoveLabels) {
		marks = append(marks, name+"-")
	}
	d := hosts.Description{Kind: "mark-node", Deed: "mark node " + a.Node}
	if len(marks) > 0 {
		d.Detail = ": " + strings.Join(marks, ", ")
	}
	return d
}

// Cordon marks a node unschedulable.
type Cordon struct {
	Node string `json:"node"`
	// By is the workflow that does it for a time, and notes on the node that it has; empty: it is
	// what the user wants, and such a note goes. A node that is cordoned without a note is a
	// person's, and stays as it is.
	By string `json:"by,omitempty"`
}

func (a Cordon) describe() hosts.Description {
	return hosts.Description{Kind: "cordon", Deed: "cordon " + a.Node}
}

// Uncordon makes a node schedulable again.
type Uncordon struct {
	Node string `json:"node"`
	// By, if set, is a workflow: only a node that it has cordoned, and noted so, is uncordoned.
	By string `json:"by,omitempty"`
}

func (a Uncordon) describe() hosts.Description {
	return hosts.Description{Kind: "uncordon", Deed: "uncordon " + a.Node}
}

// Drain cordons a node and evicts its Pods, honouring disruption budgets, as kubectl drain
// --ignore-daemonsets does.
type Drain struct {
	Node string `json:"node"`
	By   string `json:"by,omitempty"` // as Cordon has it
	DrainOptions
}

// DrainOptions are how a node is drained, as kubectl drain has them.
type DrainOptions struct {
	Timeout int `json:"timeoutSeconds"`
	// GracePeriod is how many seconds each Pod gets to end; nil: as the Pod says.
	GracePeriod *int `json:"gracePeriodSeconds,omitempty"`
	// Force has Pods deleted that no controller makes again.
	Force bool `json:"force,omitempty"`
	// DeleteEmptyDirData has Pods deleted whose data in an emptyDir are lost by it.
	DeleteEmptyDirData bool   `json:"deleteEmptyDirData,omitempty"`
	PodSelector        string `json:"podSelector,omitempty"` // only these Pods go; empty: all
	// SkipWaitForDelete is after how many seconds a Pod that was told to end, and does not, is not
	// waited for any more; 0: it always is.
	SkipWaitForDelete int `json:"skipWaitForDeleteSeconds,omitempty"`
	// DisableEviction has Pods deleted instead of evicted: no disruption budget is asked.
	DisableEviction bool `json:"disableEviction,omitempty"`
	// ForceAfter is after how many seconds Pods are deleted whose eviction is refused until then;
	// 0: never.
	ForceAfter int `json:"forceAfterSeconds,omitempty"`
}

func (a Drain) describe() hosts.Description {
	return hosts.Description{Kind: "drain", Deed: "drain " + a.Node}
}

// DeletePods deletes at once the Pods that are bound to a node which will not end them.
type DeletePods struct {
	Node string `json:"node"`
}

func (a DeletePods) describe() hosts.Description {
	return hosts.Description{Kind: "delete-pods", Deed: "delete the Pods of node " + a.Node}
}
