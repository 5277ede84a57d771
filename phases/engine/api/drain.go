package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

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
	cordoned, err := c.setSchedulable(ctx, action.Node, false, progress)
	if err != nil {
		return hosts.Outcome{}, fmt.Errorf("drain node %s: %w", action.Node, err)
	}
	evicting := &eviction{client: c, node: action.Node, asked: map[string]bool{}}
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
	client *Client
	node   string
	asked  map[string]bool // Pods whose eviction was granted, by UID
}

// round asks for the eviction of every Pod that is to go and was not yet granted it. Pods
// that a budget protects are asked for again in the next round.
func (e *eviction) round(ctx context.Context) (verdict, error) {
	pods, err := e.pods(ctx)
	if err != nil || len(pods) == 0 {
		return verdict{done: err == nil}, err
	}
	var refused, ending []string
	for _, pod := range pods {
		name := pod.Namespace + "/" + pod.Name
		if pod.DeletionTimestamp != nil || e.asked[string(pod.UID)] {
			ending = append(ending, name+" is ending")
			continue
		}
		err := e.client.typed.PolicyV1().Evictions(pod.Namespace).Evict(ctx, &policyv1.Eviction{
			ObjectMeta:    metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name},
			DeleteOptions: &metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(pod.UID))},
		})
		switch {
		case err == nil:
			e.asked[string(pod.UID)] = true
			ending = append(ending, name+" is ending")
		case apierrors.IsNotFound(err):
			e.asked[string(pod.UID)] = true
		case apierrors.IsTooManyRequests(err):
			refused = append(refused, name+": "+refusal(err))
		default:
			return verdict{}, fmt.Errorf("evict %s: %w", name, err)
		}
	}
	return verdict{seen: some(append(refused, ending...))}, nil
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

// pods lists what kubectl drain --ignore-daemonsets --delete-emptydir-data would evict.
func (e *eviction) pods(ctx context.Context) ([]corev1.Pod, error) {
	helper := &drain.Helper{
		Ctx: ctx, Client: e.client.typed, GracePeriodSeconds: -1,
		IgnoreAllDaemonSets: true, DeleteEmptyDirData: true,
	}
	list, errs := helper.GetPodsForDeletion(e.node)
	if list == nil {
		return nil, errors.Join(errs...)
	}
	if len(errs) > 0 {
		blocked := &DrainError{Node: e.node}
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
