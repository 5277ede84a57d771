package api

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
)

// node gets a node; found is false where it is not registered.
func (c *Client) node(ctx context.Context, name string) (node corev1.Node, found bool, err error) {
	err = c.read(ctx, "/api/v1/nodes/"+name, &node)
	if apierrors.IsNotFound(err) {
		return node, false, nil
	}
	return node, err == nil, err
}

// change edits a node where that differs from what is there. found is false where the node is
// not registered. The patch holds only for the version that was compared.
func (c *Client) change(ctx context.Context, name string, progress func(hosts.Progress), edit func(*corev1.Node)) (changed, found bool, err error) {
	err = c.persist(ctx, progress, func(ctx context.Context) error {
		var node corev1.Node
		var err error
		if node, found, err = c.node(ctx, name); err != nil || !found {
			return err
		}
		node = editable(node)
		edited := node.DeepCopy()
		if edit(edited); equality.Semantic.DeepEqual(&node, edited) {
			return nil
		}
		node.ResourceVersion = "" // so that the patch has it
		patch, err := mergePatch(node, edited)
		if err != nil {
			return err
		}
		_, err = c.typed.CoreV1().Nodes().Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: FieldManager})
		changed = err == nil
		return err
	})
	return changed, found, err
}

// editable is what an edit may change of a node: no more of it is copied and compared.
func editable(node corev1.Node) corev1.Node {
	return corev1.Node{
		ObjectMeta: metav1.ObjectMeta{ResourceVersion: node.ResourceVersion, Labels: node.Labels, Annotations: node.Annotations},
		Spec:       corev1.NodeSpec{Taints: node.Spec.Taints, Unschedulable: node.Spec.Unschedulable},
	}
}

// mergePatch is what makes one object another.
func mergePatch(from, to any) ([]byte, error) {
	before, err := json.Marshal(from)
	if err != nil {
		return nil, err
	}
	after, err := json.Marshal(to)
	if err != nil {
		return nil, err
	}
	return jsonmergepatch.CreateThreeWayJSONMergePatch(before, after, before)
}

// markNode sets labels and taints, and removes taints.
func (c *Client) markNode(ctx context.Context, action plan.MarkNode, progress func(hosts.Progress)) (hosts.Outcome, error) {
	set, err := parseTaints(action.Taints)
	if err != nil {
		return hosts.Outcome{}, fmt.Errorf("mark node %s: %w", action.Node, err)
	}
	removed, err := parseTaints(action.RemoveTaints)
	if err != nil {
		return hosts.Outcome{}, fmt.Errorf("mark node %s: %w", action.Node, err)
	}
	changed, found, err := c.change(ctx, action.Node, progress, func(node *corev1.Node) { mark(node, action, set, removed) })
	if err == nil && !found {
		err = fmt.Errorf("no such node is registered")
	}
	if err != nil {
		return hosts.Outcome{}, fmt.Errorf("mark node %s: %w", action.Node, err)
	}
	return outcome(changed, ""), nil
}

// mark gives a node its labels and taints, and the note of them.
func mark(node *corev1.Node, action plan.MarkNode, set, removed []corev1.Taint) {
	for name, value := range action.Labels {
		metav1.SetMetaDataLabel(&node.ObjectMeta, name, value)
	}
	for _, name := range action.RemoveLabels {
		delete(node.Labels, name)
	}
	metav1.SetMetaDataAnnotation(&node.ObjectMeta, hosts.AnnotationMarks, noteOf(action))
	node.Spec.Taints = slices.DeleteFunc(node.Spec.Taints, func(taint corev1.Taint) bool {
		return slices.ContainsFunc(removed, func(r corev1.Taint) bool {
			return r.Key == taint.Key && (r.Effect == "" || r.Effect == taint.Effect) && (r.Value == "" || r.Value == taint.Value)
		})
	})
	for _, taint := range set {
		same := func(t corev1.Taint) bool { return t.MatchTaint(&taint) }
		if at := slices.IndexFunc(node.Spec.Taints, same); at < 0 {
			node.Spec.Taints = append(node.Spec.Taints, taint)
		} else if node.Spec.Taints[at].Value != taint.Value {
			node.Spec.Taints[at] = taint
		}
	}
}

// noteOf is what a node is to say of its marks.
func noteOf(action plan.MarkNode) string {
	note, _ := json.Marshal(hosts.Marks{Labels: action.Labels, Taints: action.Taints, Seal: action.Seal}) // strings alone: it cannot fail
	return string(note)
}

// marksOf reads a node's note; one that is not understood is none, and nothing is removed
// for it.
func marksOf(node corev1.Node) *hosts.Marks {
	marks := new(hosts.Marks)
	if json.Unmarshal([]byte(node.Annotations[hosts.AnnotationMarks]), marks) != nil {
		return nil
	}
	return marks
}

// cordon keeps new Pods away. A node that is not registered takes none, so there is nothing to do.
func (c *Client) cordon(ctx context.Context, action plan.Cordon, progress func(hosts.Progress)) (hosts.Outcome, error) {
	changed, found, err := c.change(ctx, action.Node, progress, func(node *corev1.Node) {
		switch {
		case action.By == "":
			delete(node.Annotations, hosts.AnnotationCordonedBy)
		case !node.Spec.Unschedulable:
			metav1.SetMetaDataAnnotation(&node.ObjectMeta, hosts.AnnotationCordonedBy, action.By)
		}
		node.Spec.Unschedulable = true
	})
	if err != nil {
		return hosts.Outcome{}, fmt.Errorf("cordon node %s: %w", action.Node, err)
	}
	if !found {
		return outcome(false, "the node is not registered"), nil
	}
	return outcome(changed, ""), nil
}

// uncordon lets a node take Pods again; with By only one that this workflow has cordoned.
func (c *Client) uncordon(ctx context.Context, action plan.Uncordon, progress func(hosts.Progress)) (hosts.Outcome, error) {
	changed, found, err := c.change(ctx, action.Node, progress, func(node *corev1.Node) {
		if action.By != "" && node.Annotations[hosts.AnnotationCordonedBy] != action.By {
			return
		}
		delete(node.Annotations, hosts.AnnotationCordonedBy)
		node.Spec.Unschedulable = false
	})
	if err == nil && !found && action.By == "" {
		err = fmt.Errorf("no such node is registered")
	}
	if err != nil {
		return hosts.Outcome{}, fmt.Errorf("uncordon node %s: %w", action.Node, err)
	}
	return outcome(changed, ""), nil
}

// parseTaints reads taints as kubectl writes them: key=value:effect, key:effect, key.
func parseTaints(texts []string) ([]corev1.Taint, error) {
	var taints []corev1.Taint
	for _, text := range texts {
		name, effect, _ := strings.Cut(text, ":")
		key, value, _ := strings.Cut(name, "=")
		if key == "" {
			return nil, fmt.Errorf("taint %q has no key", text)
		}
		taints = append(taints, corev1.Taint{Key: key, Value: value, Effect: corev1.TaintEffect(effect)})
	}
	return taints, nil
}

func asNode(item corev1.Node) hosts.Node {
	node := hosts.Node{
		Name:           item.Name,
		Unschedulable:  item.Spec.Unschedulable,
		KubeletVersion: item.Status.NodeInfo.KubeletVersion,
		Labels:         maps.Clone(item.Labels),
		Marks:          marksOf(item),
		MachineID:      item.Status.NodeInfo.MachineID,
		SystemUUID:     item.Status.NodeInfo.SystemUUID,
		CordonedBy:     item.Annotations[hosts.AnnotationCordonedBy],
	}
	node.Ready, node.Reason = readiness(item)
	node.Pressures = pressures(item)
	for _, address := range item.Status.Addresses {
		if address.Type == corev1.NodeInternalIP || address.Type == corev1.NodeExternalIP {
			node.Addresses = append(node.Addresses, address.Address)
		}
	}
	for _, taint := range item.Spec.Taints {
		node.Taints = append(node.Taints, taint.ToString())
	}
	slices.Sort(node.Taints)
	return node
}

// readiness tells whether a node is ready and, if not, why, as the kubelet says it.
func readiness(node corev1.Node) (bool, string) {
	for _, condition := range node.Status.Conditions {
		if condition.Type != corev1.NodeReady {
			continue
		}
		if condition.Status == corev1.ConditionTrue {
			return true, ""
		}
		return false, condition.Reason + ": " + condition.Message
	}
	return false, "the kubelet has not reported yet"
}

// keepPodsOff are the conditions for which Kubernetes taints a node, so that it gets no further Pods. Others' own
// conditions, as node-problem-detector's, may well be True where all is well.
var keepPodsOff = []corev1.NodeConditionType{corev1.NodeDiskPressure, corev1.NodeMemoryPressure, corev1.NodeNetworkUnavailable, corev1.NodePIDPressure}

// pressures are the conditions that keep Pods off a node, other than that it is not Ready.
func pressures(node corev1.Node) []string {
	var found []string
	for _, condition := range node.Status.Conditions {
		if slices.Contains(keepPodsOff, condition.Type) && condition.Status == corev1.ConditionTrue {
			found = append(found, hosts.CleanLine(string(condition.Type)))
		}
	}
	slices.Sort(found)
	return found
}

func (c *Client) nodes(ctx context.Context) ([]hosts.Node, error) {
	const path = "/api/v1/nodes"
	body, err := c.get(ctx, path)
	var nodes []hosts.Node
	if err == nil {
		nodes, err = each(body, partsSeen, asNode)
	}
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", path, err)
	}
	return nodes, nil
}
