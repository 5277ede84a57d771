package api

import (
	"context"
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

// leaseSeconds is how long a kubelet's lease lasts where the lease does not say; it is renewed
// after a quarter of that.
const leaseSeconds = 40

// renewals tells whether a kubelet stays up by the times at which it renews its lease: at its
// start, and then after each interval. One that starts again and again renews it too, but sooner.
// Times of the lease are compared with each other only, never with the clock here.
type renewals struct {
	last   time.Time // the lease's
	looked time.Time // ours
	seen   int       // since the first look
	steady bool
}

// enough tells whether the kubelet has stayed up from one renewal to the next.
func (r *renewals) enough() bool { return r.steady }

// note takes what the lease says now. The first renewal is the restart's. Another counts where it
// comes a whole interval (less a tenth, for clocks that are being set) after the one before, and
// none can have come unseen between them: two looks were near enough to each other.
func (r *renewals) note(renewed, now time.Time, interval time.Duration) {
	soonest := interval * 9 / 10
	near := now.Sub(r.looked) < soonest/2
	r.looked = now
	if renewed.Equal(r.last) {
		return
	}
	if !r.last.IsZero() {
		r.steady = r.seen > 0 && near && renewed.Sub(r.last) >= soonest
		r.seen++
	}
	r.last = renewed
}

func (r *renewals) String() string {
	switch r.seen {
	case 0:
		return "the kubelet has not renewed its lease since its restart"
	case 1:
		return "the kubelet has renewed its lease once since its restart: it may not stay up"
	}
	return "the kubelet renews its lease, but not as one that stays up: it may end and start again and again, " +
		"'journalctl -u kubelet' on the host tells why"
}

// seeLease notes when a node's kubelet last renewed its lease.
func (c *Client) seeLease(ctx context.Context, node string, renewed *renewals) error {
	var lease coordinationv1.Lease
	err := c.read(ctx, "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/"+node, &lease)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil || lease.Spec.RenewTime == nil {
		return err
	}
	seconds := int32(leaseSeconds)
	if lease.Spec.LeaseDurationSeconds != nil {
		seconds = *lease.Spec.LeaseDurationSeconds
	}
	renewed.note(lease.Spec.RenewTime.Time, time.Now(), time.Duration(seconds)*time.Second/4)
	return nil
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
