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
}

func (a Cordon) describe() hosts.Description {
	return hosts.Description{Kind: "cordon", Deed: "cordon " + a.Node}
}

// Uncordon makes a node schedulable again.
type Uncordon struct {
	Node string `json:"node"`
}

func (a Uncordon) describe() hosts.Description {
	return hosts.Description{Kind: "uncordon", Deed: "uncordon " + a.Node}
}

// Drain evicts a node's Pods, honouring disruption budgets, as kubectl drain
// --ignore-daemonsets --delete-emptydir-data does.
type Drain struct {
	Node    string `json:"node"`
	Timeout int    `json:"timeoutSeconds"`
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
