package api

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// waitAvailable waits until a Deployment, DaemonSet or StatefulSet has rolled out.
func (c *Client) waitAvailable(ctx context.Context, action plan.WaitAvailable, progress func(hosts.Progress)) (hosts.Outcome, error) {
	what := action.Object.String() + " to be available"
	done, err := c.until(ctx, what, action.Timeout, progress, func(ctx context.Context) (verdict, error) { return c.rolledOut(ctx, action.Object, action.Missing) })
	if late, ok := err.(*WaitError); ok && ctx.Err() == nil {
		if why := c.stuckPods(ctx, action.Object); why != "" {
			late.Last += "; " + why
		}
	}
	return done, err
}

// rolledOut looks whether an object has rolled out; of a DaemonSet's Pods so many may be missing.
func (c *Client) rolledOut(ctx context.Context, key hosts.ObjectKey, missing int) (verdict, error) {
	object, err := c.object(ctx, key)
	if err != nil || object == nil {
		return verdict{seen: "it does not exist", next: c.pace.slow}, err
	}
	done, seen, err := hosts.RolledOut(key, object, missing)
	return verdict{done: done, seen: seen, next: c.pace.slow}, err
}

// stuckPods says of the Pods behind an object why they do not run.
func (c *Client) stuckPods(ctx context.Context, key hosts.ObjectKey) string {
	ctx, cancel := context.WithTimeout(ctx, c.pace.observe)
	defer cancel()
	object, err := c.object(ctx, key)
	if err != nil || object == nil {
		return ""
	}
	var workload struct {
		Spec struct {
			Selector metav1.LabelSelector `json:"selector"`
		} `json:"spec"`
	}
	if json.Unmarshal(object, &workload) != nil {
		return ""
	}
	body, err := c.send(ctx, request{
		verb: http.MethodGet, path: "/api/v1/namespaces/" + key.Namespace + "/pods",
		params: map[string]string{"labelSelector": metav1.FormatLabelSelector(&workload.Spec.Selector)},
	})
	if err != nil {
		return ""
	}
	reasons, err := each(body, partsSeen, func(pod corev1.Pod) string {
		if why := podTrouble(pod); why != "" {
			return "Pod " + pod.Name + ": " + why
		}
		return ""
	})
	if err != nil {
		return ""
	}
	return strings.Join(slices.DeleteFunc(reasons, func(why string) bool { return why == "" }), "; ")
}
