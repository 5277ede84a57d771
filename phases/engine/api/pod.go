package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// deletePods deletes a node's Pods at once, without waiting for a kubelet to end them:
// static Pods' mirrors too.
func (c *Client) deletePods(ctx context.Context, action plan.DeletePods, progress func(hosts.Progress)) (hosts.Outcome, error) {
	var deleted atomic.Int64
	err := c.persist(ctx, progress, func(ctx context.Context) error {
		pods, err := c.podsOn(ctx, action.Node)
		if err != nil {
			return err
		}
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(observeAtOnce)
		for _, pod := range pods {
			group.Go(func() error {
				err := c.typed.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{
					GracePeriodSeconds: new(int64), // at once
					Preconditions:      metav1.NewUIDPreconditions(string(pod.UID)),
				})
				if err == nil {
					deleted.Add(1)
				}
				if apierrors.IsNotFound(err) || apierrors.IsConflict(err) { // gone, or another of its name
					err = nil
				}
				return err
			})
		}
		return group.Wait()
	})
	if err != nil {
		return hosts.Outcome{}, fmt.Errorf("delete the Pods of node %s: %w", action.Node, err)
	}
	if n := deleted.Load(); n > 0 {
		return outcome(true, fmt.Sprintf("%d Pods deleted", n)), nil
	}
	return outcome(false, ""), nil
}

func (c *Client) podsOn(ctx context.Context, node string) ([]corev1.Pod, error) {
	body, err := c.send(ctx, request{
		verb: http.MethodGet, path: "/api/v1/pods", params: map[string]string{"fieldSelector": "spec.nodeName=" + node},
	})
	if err != nil {
		return nil, err
	}
	return each(body, partsKept, func(pod corev1.Pod) corev1.Pod { return pod })
}

func podReady(pod corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(condition corev1.PodCondition) bool {
		return condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue
	})
}

// podTrouble is why a Pod does not run, as the scheduler or the kubelet says it.
func podTrouble(pod corev1.Pod) string {
	statuses := append(append([]corev1.ContainerStatus{}, pod.Status.InitContainerStatuses...), pod.Status.ContainerStatuses...)
	for _, status := range statuses {
		switch {
		case status.State.Waiting != nil && status.State.Waiting.Reason != "PodInitializing":
			return worded(status.State.Waiting.Reason, status.State.Waiting.Message)
		case status.State.Terminated != nil && status.State.Terminated.ExitCode != 0:
			return worded(status.State.Terminated.Reason, status.State.Terminated.Message)
		}
	}
	for _, condition := range pod.Status.Conditions {
		unscheduled := condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse
		unready := condition.Type == corev1.ContainersReady && condition.Status == corev1.ConditionFalse
		if unscheduled || unready {
			return worded(condition.Reason, condition.Message)
		}
	}
	return ""
}

func worded(reason, message string) string {
	switch plain := plainly(strings.TrimSpace(message)); plain {
	case "":
		return reason
	case noAnswer: // and nothing else, so that it is of the call itself: of a registry the runtime says more
		return reason + ": the container runtime does not answer the kubelet: " + plain
	default:
		return reason + ": " + plain
	}
}
