package api

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

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
	return c.until(ctx, what, action.Timeout, progress, func(ctx context.Context) (verdict, error) { return c.podsAreNew(ctx, action.Host, wanted) })
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
	return verdict{done: len(missing) == 0, seen: strings.Join(missing, "; "), next: c.pace.slow}, nil
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

// madeOf tells whether a Pod was made of a manifest: it has the manifest's annotations, one of
// which is a digest of the whole. The rest may be admission's: a LimitRange gives resources, a
// webhook other images, and that in the Pod that the API server shows, not in the one that runs.
func madeOf(pod, manifest corev1.Pod) bool {
	for name, value := range manifest.Annotations {
		if pod.Annotations[name] != value {
			return false
		}
	}
	return true
}
