package phases

import (
	"crypto/hmac"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// markNodes marks the nodes of an init.
func (d *draft) markNodes() {
	apis := d.inCluster(awaitsAPI)
	for _, h := range d.nodes() {
		h.mark(h.made(does[plan.WaitNode]), apis)
	}
}

// mark gives the node its labels and taints, and last the label that it has arrived.
func (h *hostDraft) mark(waits, apis []string) {
	labels := h.host.NodeLabels()
	labels[view.LabelManaged] = "true"
	var taints []string
	for _, taint := range h.host.NodeTaints() {
		taints = append(taints, taint.String())
	}
	seal := h.in.sealOf(h.host.Name, hosts.Marks{Labels: labels, Taints: taints})
	node, there := h.in.Node(h.host.Name)
	node.Marks = h.in.sealedMarks(node)
	remove := join(unwantedTaints(h.host, node), droppedTaints(node, taints))
	dropped := droppedLabels(node, labels)
	why, change := markDiffers(node, labels, taints, remove, dropped), plan.Update
	switch {
	case !there:
		why, change = "it is a new node", plan.Create
	case why == "":
		return
	}
	phase := plan.PhaseMarkNode
	if h.runsControlPlane() {
		phase = plan.PhaseMarkControlPlane
	}
	h.add(plan.Step{
		ID: clusterID(phase, h.host.Name), Phase: phase, Lane: string(phase) + "/" + h.host.Name,
		After: after(waits, apis), Why: why, Change: change,
		Cluster: plan.MarkNode{Node: h.host.Name, Labels: labels, Taints: taints, RemoveTaints: remove, RemoveLabels: dropped, Seal: seal},
	})
}

// sealOf is the seal of a node's note; "" where there is no key to seal with.
func (in Input) sealOf(node string, marks hosts.Marks) string {
	marks.Seal = ""
	content, err := json.Marshal(map[string]any{"node": node, "marks": marks})
	if err != nil {
		return ""
	}
	seal, err := in.PKI.Seal("the marks of a node", content)
	if err != nil {
		return ""
	}
	return seal
}

// sealedMarks is a node's note where Slipway made it for this node, else nil. What it says decides
// which taints are removed with an administrator's rights. A kubelet may not change its node's
// taints, but it may write annotations.
func (in Input) sealedMarks(node hosts.Node) *hosts.Marks {
	if node.Marks == nil || node.Marks.Seal == "" ||
		!hmac.Equal([]byte(node.Marks.Seal), []byte(in.sealOf(node.Name, *node.Marks))) {
		return nil
	}
	return node.Marks
}

// droppedLabels are those that Slipway set, that the file no longer has, and that still are
// as Slipway set them: another value is somebody else's.
func droppedLabels(node hosts.Node, wanted map[string]string) []string {
	if node.Marks == nil {
		return nil
	}
	return keep(sortedKeys(node.Marks.Labels), func(key string) bool {
		_, stays := wanted[key]
		have, there := node.Labels[key]
		return !stays && there && have == node.Marks.Labels[key]
	})
}

// droppedTaints are the same of taints. One of the same key and effect takes its place.
func droppedTaints(node hosts.Node, wanted []string) []string {
	if node.Marks == nil {
		return nil
	}
	return keep(node.Marks.Taints, func(taint string) bool {
		return slices.Contains(node.Taints, taint) && !slices.Contains(wanted, taint)
	})
}

// isNoted tells whether a node's note says what is set.
func isNoted(node hosts.Node, labels map[string]string, taints []string) bool {
	return node.Marks != nil && maps.Equal(node.Marks.Labels, labels) && slices.Equal(node.Marks.Taints, taints)
}

func markDiffers(node hosts.Node, labels map[string]string, taints, remove, dropped []string) string {
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
	for _, label := range dropped {
		missing = append(missing, "no label "+label)
	}
	if len(missing) == 0 && !isNoted(node, labels, taints) {
		missing = append(missing, "the note of what is set")
	}
	if len(missing) == 0 {
		return ""
	}
	return "lacks " + strings.Join(missing, ", ")
}

// unwantedTaints is the control plane's own taint on a host that is a worker too.
func unwantedTaints(host cluster.Host, node hosts.Node) []string {
	taint := cluster.Taint{Key: cluster.TaintControlPlane, Effect: cluster.EffectNoSchedule}.String()
	if host.HasRole(cluster.RoleWorker) && slices.Contains(node.Taints, taint) &&
		!slices.ContainsFunc(host.NodeTaints(), func(t cluster.Taint) bool { return t.String() == taint }) {
		return []string{taint}
	}
	return nil
}
