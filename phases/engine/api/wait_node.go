package api

import (
	"context"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// waitNode waits until a node is registered or ready.
func (c *Client) waitNode(ctx context.Context, action plan.WaitNode, progress func(hosts.Progress)) (hosts.Outcome, error) {
	what := "node " + action.Node + " to be registered"
	if action.Ready {
		what = "node " + action.Node + " to be ready"
	}
	var renewed renewals
	return c.until(ctx, what, action.Timeout, progress, func(ctx context.Context) (verdict, error) {
		node, found, err := c.node(ctx, action.Node)
		if err != nil || !found {
			return verdict{seen: "the node is not registered", next: c.pace.slow}, err
		}
		if action.Restarted && !renewed.enough() {
			if err := c.seeLease(ctx, action.Node, &renewed); err != nil || !renewed.enough() {
				return verdict{seen: renewed.String(), next: c.pace.slow}, err
			}
		}
		ready, reason := readiness(node)
		if ready && len(action.DaemonSets) > 0 {
			return c.podsRun(ctx, action.Node, action.DaemonSets)
		}
		return verdict{done: ready || !action.Ready, seen: reason, next: c.pace.slow}, nil
	})
}

// podsRun looks whether a node has a ready Pod of each of the DaemonSets.
func (c *Client) podsRun(ctx context.Context, node string, sets []hosts.ObjectKey) (verdict, error) {
	pods, err := c.podsOn(ctx, node)
	if err != nil {
		return verdict{}, err
	}
	var missing []string
	for _, set := range sets {
		trouble := "no Pod yet"
		for _, pod := range pods {
			owner := metav1.GetControllerOf(&pod)
			if pod.Namespace != set.Namespace || owner == nil || owner.Kind != set.Kind || owner.Name != set.Name {
				continue
			}
			if trouble = podTrouble(pod); trouble == "" && !podReady(pod) {
				trouble = "not ready"
			}
		}
		if trouble != "" {
			missing = append(missing, set.String()+": "+trouble)
		}
	}
	return verdict{done: len(missing) == 0, seen: strings.Join(missing, "; "), next: c.pace.slow}, nil
}

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
