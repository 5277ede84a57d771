package api

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// node gets a node; found is false where it is not registered.
func (c *Client) node(ctx context.Context, name string) (node corev1.Node, found bool, err error) {
	err = c.read(ctx, "/api/v1/nodes/"+name, &node)
	if apierrors.IsNotFound(err) {
		return node, false, nil
	}
	return node, err == nil, err
}

// change patches a node where difference gives a patch. found is false where the node is
// not registered. The patch holds only for the version that was compared.
func (c *Client) change(ctx context.Context, name string, progress func(hosts.Progress),
	difference func(corev1.Node) map[string]any,
) (changed, found bool, err error) {
	err = c.persist(ctx, progress, func(ctx context.Context) error {
		var node corev1.Node
		var err error
		if node, found, err = c.node(ctx, name); err != nil || !found {
			return err
		}
		patch := difference(node)
		if patch == nil {
			return nil
		}
		if err := unstructured.SetNestedField(patch, node.ResourceVersion, "metadata", "resourceVersion"); err != nil {
			return err
		}
		body, err := json.Marshal(patch)
		if err != nil {
			return err
		}
		_, err = c.typed.CoreV1().Nodes().Patch(ctx, name, types.MergePatchType, body, metav1.PatchOptions{FieldManager: FieldManager})
		changed = err == nil
		return err
	})
	return changed, found, err
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
	changed, found, err := c.change(ctx, action.Node, progress, func(node corev1.Node) map[string]any {
		return marks(node, action, set, removed)
	})
	if err == nil && !found {
		err = fmt.Errorf("no such node is registered")
	}
	if err != nil {
		return hosts.Outcome{}, fmt.Errorf("mark node %s: %w", action.Node, err)
	}
	return outcome(changed, ""), nil
}

// marks is the patch that gives a node its labels and taints, and the note of them; nil
// where it has them.
func marks(node corev1.Node, action plan.MarkNode, set, removed []corev1.Taint) map[string]any {
	metadata := map[string]any{}
	labels := map[string]any{}
	for name, value := range action.Labels {
		if live, there := node.Labels[name]; !there || live != value {
			labels[name] = value
		}
	}
	for _, name := range action.RemoveLabels {
		if _, there := node.Labels[name]; there {
			labels[name] = nil // which takes it away
		}
	}
	if len(labels) > 0 {
		metadata["labels"] = labels
	}
	if note := noteOf(action); node.Annotations[hosts.AnnotationMarks] != note {
		metadata["annotations"] = map[string]any{hosts.AnnotationMarks: note}
	}
	taints := slices.DeleteFunc(slices.Clone(node.Spec.Taints), func(taint corev1.Taint) bool {
		return slices.ContainsFunc(removed, func(r corev1.Taint) bool {
			return r.Key == taint.Key && (r.Effect == "" || r.Effect == taint.Effect) && (r.Value == "" || r.Value == taint.Value)
		})
	})
	for _, taint := range set {
		same := func(t corev1.Taint) bool { return t.MatchTaint(&taint) }
		if at := slices.IndexFunc(taints, same); at < 0 {
			taints = append(taints, taint)
		} else if taints[at].Value != taint.Value {
			taints[at] = taint
		}
	}
	patch := map[string]any{}
	if len(metadata) > 0 {
		patch["metadata"] = metadata
	}
	if !sameTaints(taints, node.Spec.Taints) {
		patch["spec"] = map[string]any{"taints": taints}
	}
	if len(patch) == 0 {
		return nil
	}
	return patch
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

func sameTaints(a, b []corev1.Taint) bool {
	return slices.EqualFunc(a, b, func(x, y corev1.Taint) bool { return x.ToString() == y.ToString() })
}

// setSchedulable cordons or uncordons. A node that is not registered takes no Pods, so
// there is nothing to cordon.
func (c *Client) setSchedulable(ctx context.Context, name string, schedulable bool, progress func(hosts.Progress)) (hosts.Outcome, error) {
	deed := "cordon"
	if schedulable {
		deed = "uncordon"
	}
	changed, found, err := c.change(ctx, name, progress, func(node corev1.Node) map[string]any {
		if node.Spec.Unschedulable == !schedulable {
			return nil
		}
		return map[string]any{"spec": map[string]any{"unschedulable": !schedulable}}
	})
	if err == nil && !found && schedulable {
		err = fmt.Errorf("no such node is registered")
	}
	if err != nil {
		return hosts.Outcome{}, fmt.Errorf("%s node %s: %w", deed, name, err)
	}
	if !found {
		return outcome(false, "the node is not registered"), nil
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
