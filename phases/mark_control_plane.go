package phases

import (
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// The phase has kubeadm's name on control planes.
const (
	phaseMarkPlane = "mark-control-plane"
	phaseMarkNode  = "mark-node"
)

// LabelManaged is on the nodes of hosts that have come all the way into the cluster. A
// node without it is still joining, or was not joined by Slipway.
const LabelManaged = "slipway.dev/managed"

// joined tells whether the host has come all the way into the cluster. One that was seen
// and has nothing of it any more has to come again, whatever its Node still says.
func (in Input) joined(name string) bool {
	node, there := in.node(name)
	facts, seen := in.Facts[name]
	if host, _ := in.Cluster.Host(name); !isNode(host) {
		return in.balancerJoined(facts, seen)
	}
	bare := seen && (facts.Record == nil || facts.Record.Cluster.ID == "")
	return there && !bare && node.Labels[LabelManaged] == "true"
}

// balancerJoined is joined for a host that only balances, and has no node: its keepalived
// is what is started last. Of one that cannot be seen nobody can say otherwise.
func (in Input) balancerJoined(facts hosts.Facts, seen bool) bool {
	unit := facts.Units[manifests.KeepalivedUnit]
	return !seen || claimed(facts.Record) && carriesBalancer(facts.Record) && unit.Enabled == "enabled"
}

// mark gives the node its labels and taints, and last the label that it has arrived.
func (h *hostDraft) mark(waits, apis []string) string {
	labels := h.host.NodeLabels()
	labels[LabelManaged] = "true"
	var taints []string
	for _, taint := range h.host.NodeTaints() {
		taints = append(taints, taintText(taint))
	}
	node, there := h.in.node(h.host.Name)
	remove := unwantedTaints(h.host, node)
	why, change := markDiffers(node, labels, taints, remove), plan.Update
	switch {
	case !there:
		why, change = "it is a new node", plan.Create
	case why == "":
		return ""
	}
	phase := phaseMarkNode
	if h.runsControlPlane() {
		phase = phaseMarkPlane
	}
	return h.add(plan.Step{
		ID: "cluster/" + phase + "/" + h.host.Name, Phase: phase, Lane: phase + "/" + h.host.Name,
		After: after(waits, apis), Why: why, Change: change,
		Cluster: plan.MarkNode{Node: h.host.Name, Labels: labels, Taints: taints, RemoveTaints: remove},
	})
}

func markDiffers(node hosts.Node, labels map[string]string, taints, remove []string) string {
	var missing []string
	for _, key := range sortedKeys(labels) {
		if have, there := node.Labels[key]; !there || have != labels[key] {
			missing = append(missing, "label "+key)
		}
	}
	for _, taint := range taints {
		if !slices.Contains(node.Taints, taint) {
			missing = append(missing, "taint "+taint)
		}
	}
	for _, taint := range remove {
		missing = append(missing, "no taint "+taint)
	}
	if len(missing) == 0 {
		return ""
	}
	return "lacks " + strings.Join(missing, ", ")
}

// unwantedTaints is the control plane's own taint on a host that is a worker too.
func unwantedTaints(host cluster.Host, node hosts.Node) []string {
	taint := taintText(cluster.Taint{Key: cluster.TaintControlPlane, Effect: cluster.EffectNoSchedule})
	if host.HasRole(cluster.RoleWorker) && slices.Contains(node.Taints, taint) &&
		!slices.ContainsFunc(host.NodeTaints(), func(t cluster.Taint) bool { return taintText(t) == taint }) {
		return []string{taint}
	}
	return nil
}

// taintText writes a taint as key=value:effect, with an equals sign only before a value.
func taintText(taint cluster.Taint) string {
	if taint.Value == "" {
		return taint.Key + ":" + taint.Effect
	}
	return taint.Key + "=" + taint.Value + ":" + taint.Effect
}
