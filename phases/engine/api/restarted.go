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

const kubeletUnit = "kubelet.service"

// renewals tells whether a kubelet stays up by the times at which it renews its lease: at its
// start, and then after each interval. One that starts again and again renews it too, but sooner.
// Times of the lease are compared with each other only, never with the clock here.
type renewals struct {
	last     time.Time // the lease's
	since    time.Time // the lease's, of the first of the renewals that came as they should
	looked   time.Time // ours
	seen     int       // since the first look
	steady   bool
	restarts int // systemd's count
	counted  bool
}

const (
	// steadyTime is how long renewals have to come as they should.
	steadyTime = leaseSeconds * time.Second / 4 * 9 / 10
	// looksApart is how far from each other two looks are always taken to be near: one look takes
	// some time, and a lease may be set to last a few seconds.
	looksApart = 2 * time.Second
)

// enough tells whether the kubelet has stayed up from one renewal to the next.
func (r *renewals) enough() bool { return r.steady }

// note takes what the lease says now. The first renewal is the restart's. Another counts where it
// comes a whole interval (less a tenth, for clocks that are being set) after the one before, and
// none can have come unseen between them: two looks were near enough to each other. Such renewals
// are enough when they have come for some time, however short the interval is.
func (r *renewals) note(renewed, now time.Time, interval time.Duration) {
	soonest := interval * 9 / 10
	near := now.Sub(r.looked) < max(soonest/2, looksApart)
	r.looked = now
	if renewed.Equal(r.last) {
		return
	}
	if !r.last.IsZero() {
		if r.seen == 0 || !near || renewed.Sub(r.last) < soonest {
			r.since = renewed
		}
		r.steady = renewed.Sub(r.since) >= max(soonest, steadyTime)
		r.seen++
	}
	r.last = renewed
}

// count takes how often systemd has restarted the kubelet: once more than at the renewal before,
// and the renewals have to begin anew. A kubelet that ends nine seconds after each start renews its
// lease like one that stays up.
func (r *renewals) count(restarts int) {
	if r.counted && restarts != r.restarts {
		r.since, r.steady = r.last, false
	}
	r.restarts, r.counted = restarts, true
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
	before := renewed.seen
	renewed.note(lease.Spec.RenewTime.Time, time.Now(), time.Duration(seconds)*time.Second/4)
	if renewed.seen > before {
		c.countRestarts(ctx, node, renewed)
	}
	return nil
}

// countRestarts asks the node's host, where it is connected, how often systemd has restarted the
// kubelet. A host that does not answer soon says nothing about the kubelet.
func (c *Client) countRestarts(ctx context.Context, node string, renewed *renewals) {
	host, connected := c.all[node]
	if !connected {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	facts, err := host.Observe(ctx, hosts.Query{Units: []string{kubeletUnit}})
	if unit, there := facts.Units[kubeletUnit]; err == nil && there {
		renewed.count(unit.Restarts)
	}
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
