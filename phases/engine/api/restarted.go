package api

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/yaml"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// What says ready may be the state of before: a node is called Ready for 40 s after its kubelet
// has ended, and an API server answers until the kubelet has seen its new manifest.

// renewals counts how often a kubelet was seen to renew its lease. The clocks of hosts play no
// part: a renewal is another time than the one before.
type renewals struct {
	last time.Time
	seen int
}

// enough tells whether the kubelet has stayed up: it renews at its start and every ten seconds.
func (r *renewals) enough() bool { return r.seen >= 2 }

func (r *renewals) note(at time.Time) {
	if !r.last.IsZero() && !at.Equal(r.last) {
		r.seen++
	}
	r.last = at
}

func (r *renewals) String() string {
	if r.seen == 0 {
		return "the kubelet has not renewed its lease since its restart"
	}
	return "the kubelet has renewed its lease once since its restart: it may not stay up"
}

// seeLease notes when a node's kubelet last renewed its lease.
func (c *Client) seeLease(ctx context.Context, node string, renewed *renewals) error {
	var lease coordinationv1.Lease
	err := c.read(ctx, "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/"+node, &lease)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err == nil && lease.Spec.RenewTime != nil {
		renewed.note(lease.Spec.RenewTime.Time)
	}
	return err
}

// waitPods waits until static Pods run as their manifests say.
func (c *Client) waitPods(ctx context.Context, action plan.WaitPods, content func(string) ([]byte, error),
	progress func(hosts.Progress),
) (hosts.Outcome, error) {
	var wanted []corev1.Pod
	var names []string
	for _, static := range action.Pods {
		manifest, err := content(static.Manifest)
		var pod corev1.Pod
		if err == nil {
			err = yaml.Unmarshal(manifest, &pod)
		}
		if err != nil {
			return hosts.Outcome{}, fmt.Errorf("read the manifest of %s on %s: %w", static.Name, action.Host, err)
		}
		wanted, names = append(wanted, pod), append(names, static.Name)
	}
	what := fmt.Sprintf("%s on %s to run by the new manifest", strings.Join(names, ", "), action.Host)
	return c.until(ctx, what, action.Timeout, progress, func(ctx context.Context) (verdict, error) {
		return c.glance(ctx, func(ctx context.Context) (verdict, error) { return c.podsAreNew(ctx, action.Host, wanted) })
	})
}

// podsAreNew looks whether a host's static Pods are made of these manifests, and ready.
func (c *Client) podsAreNew(ctx context.Context, host string, wanted []corev1.Pod) (verdict, error) {
	live, err := c.podsOn(ctx, host)
	if err != nil {
		return verdict{}, err
	}
	var missing []string
	for _, want := range wanted {
		if why := newPodTrouble(live, host, want); why != "" {
			missing = append(missing, want.Name+": "+why)
		}
	}
	return verdict{done: len(missing) == 0, seen: strings.Join(missing, "; "), slow: true}, nil
}

func newPodTrouble(live []corev1.Pod, host string, want corev1.Pod) string {
	at := slices.IndexFunc(live, func(pod corev1.Pod) bool {
		return pod.Namespace == want.Namespace && pod.Name == want.Name+"-"+host
	})
	switch {
	case at < 0:
		return "no Pod yet"
	case !madeOf(live[at], want):
		return "still runs by the manifest of before"
	}
	if why := podTrouble(live[at]); why != "" || podReady(live[at]) {
		return why
	}
	return "not ready"
}

// madeOf tells whether a Pod was made of a manifest: what that says of its annotations and
// containers is so. What the API server fills in is left out.
func madeOf(pod, manifest corev1.Pod) bool {
	for name, value := range manifest.Annotations {
		if pod.Annotations[name] != value {
			return false
		}
	}
	return slices.EqualFunc(pod.Spec.Containers, manifest.Spec.Containers, func(have, want corev1.Container) bool {
		return essence(have) == essence(want)
	})
}

// essence is what a container runs, and with what.
func essence(c corev1.Container) string {
	data, err := json.Marshal([]any{c.Image, c.Command, c.Args, c.Env, c.VolumeMounts, c.Resources.Requests, c.Resources.Limits})
	if err != nil {
		return err.Error()
	}
	return string(data)
}
