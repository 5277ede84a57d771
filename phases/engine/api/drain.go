package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubectl/pkg/drain"
)

// DrainError is a drain that cannot be done, by what stands in its way.
type DrainError struct {
	Node string
	Pods []string // what must be done by hand first, a line for each Pod
}

func (e *DrainError) Error() string {
	return fmt.Sprintf("drain node %s: %s", e.Node, strings.Join(e.Pods, "; "))
}

// drain cordons a node and evicts its Pods until none is left that kubectl drain would
// evict. DaemonSets' Pods and static ones stay.
func (c *Client) drain(ctx context.Context, action plan.Drain, progress func(hosts.Progress)) (hosts.Outcome, error) {
	cordoned, err := c.cordon(ctx, plan.Cordon{Node: action.Node, By: action.By}, progress)
	if err != nil {
		return hosts.Outcome{}, fmt.Errorf("drain node %s: %w", action.Node, err)
	}
	evicting := &eviction{client: c, Drain: action, began: time.Now(), asked: map[string]bool{}}
	what := "node " + action.Node + " to be drained"
	done, err := c.until(ctx, what, action.Timeout, progress, evicting.round)
	if blocked := (*DrainError)(nil); errors.As(err, &blocked) {
		return hosts.Outcome{}, blocked
	}
	if err == nil && cordoned.Result == hosts.Changed {
		done.Result = hosts.Changed
	}
	if n := len(evicting.asked); n > 0 {
		done.Detail = fmt.Sprintf("%d Pods evicted", n)
	}
	return done, err
}

// eviction is one drain under way.
type eviction struct {
	plan.Drain
	client *Client
	began  time.Time
	asked  map[string]bool // Pods whose eviction was granted, by UID
}

// round asks for the eviction of every Pod that is to go and was not yet granted it. Pods
// that a budget protects are asked for again in the next round. kubectl's own evicting would give
// no UID: a StatefulSet's new Pod of the same name could be evicted in the old one's place.
func (e *eviction) round(ctx context.Context) (verdict, error) {
	pods, err := e.pods(ctx)
	if err != nil || len(pods) == 0 {
		return verdict{done: err == nil}, err
	}
	var refused, ending []string
	for _, pod := range pods {
		name := pod.Namespace + "/" + pod.Name
		if pod.DeletionTimestamp != nil || e.asked[string(pod.UID)] {
			ending = append(ending, name+" is ending"+heldBy(pod))
			continue
		}
		switch err := e.remove(ctx, pod); {
		case err == nil:
			e.asked[string(pod.UID)] = true
			ending = append(ending, name+" is ending")
		case apierrors.IsNotFound(err):
			e.asked[string(pod.UID)] = true
		case apierrors.IsTooManyRequests(err), e.ForceAfter > 0 && answered(err):
			refused = append(refused, name+": "+refusal(err))
		default:
			return verdict{}, fmt.Errorf("evict %s: %w", name, err)
		}
	}
	seen := some(append(refused, ending...))
	if len(ending) > 0 {
		seen = e.unready(ctx) + seen
	}
	return verdict{seen: seen, next: e.client.pace.slow}, nil
}

// remove asks for a Pod's eviction, or deletes it where that is the user's choice.
func (e *eviction) remove(ctx context.Context, pod corev1.Pod) error {
	options := metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(pod.UID))}
	if e.GracePeriod != nil {
		options.GracePeriodSeconds = new(int64(*e.GracePeriod))
	}
	if e.DisableEviction {
		return e.client.typed.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, options)
	}
	err := e.client.typed.PolicyV1().Evictions(pod.Namespace).Evict(ctx, &policyv1.Eviction{
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name}, DeleteOptions: &options,
	})
	if err != nil && !apierrors.IsNotFound(err) && answered(err) && e.ForceAfter > 0 && time.Since(e.began) >= time.Duration(e.ForceAfter)*time.Second {
		return e.client.typed.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, options)
	}
	return err
}

// heldBy says what keeps a Pod that was told to end.
func heldBy(pod corev1.Pod) string {
	if len(pod.Finalizers) == 0 {
		return ""
	}
	return ", and stays until its finalizers are removed: " + strings.Join(pod.Finalizers, ", ")
}

// unready says that no kubelet ends the node's Pods, where none does.
func (e *eviction) unready(ctx context.Context) string {
	node, found, err := e.client.node(ctx, e.Node)
	if err != nil || !found {
		return ""
	}
	if ready, reason := readiness(node); !ready {
		return "the node is not Ready, and so nobody ends its Pods (" + reason + "); "
	}
	return ""
}

// listed is how many Pods are told by name.
const listed = 5

// some lists the first few, and counts the others.
func some(pods []string) string {
	if more := len(pods) - listed; more > 0 {
		pods = append(slices.Clone(pods[:listed]), fmt.Sprintf("and %d more", more))
	}
	return strings.Join(pods, "; ")
}

// pods lists what kubectl drain --ignore-daemonsets would evict.
func (e *eviction) pods(ctx context.Context) ([]corev1.Pod, error) {
	asked := &daemonSets{Interface: e.client.typed}
	helper := &drain.Helper{
		Ctx: ctx, Client: asked, GracePeriodSeconds: -1,
		IgnoreAllDaemonSets: true, DeleteEmptyDirData: e.DeleteEmptyDirData, Force: e.Force,
		PodSelector: e.PodSelector, SkipWaitForDeleteTimeoutSeconds: e.SkipWaitForDelete,
	}
	list, errs := helper.GetPodsForDeletion(e.Node)
	if list == nil {
		return nil, errors.Join(errs...)
	}
	if asked.err != nil {
		return nil, asked.err
	}
	if len(errs) > 0 {
		blocked := &DrainError{Node: e.Node}
		for _, err := range errs {
			blocked.Pods = append(blocked.Pods, err.Error())
		}
		return nil, blocked
	}
	return list.Pods(), nil
}

// refusal is why an eviction is refused: with what the budget says where there is one.
func refusal(err error) string {
	status := apierrors.APIStatus(nil)
	if !errors.As(err, &status) {
		return err.Error()
	}
	text := status.Status().Message
	if details := status.Status().Details; details != nil {
		for _, cause := range details.Causes {
			text += " " + cause.Message
		}
	}
	return text
}
