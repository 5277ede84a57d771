package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// defaultWait is how long a wait lasts whose action does not say.
const defaultWait = 4 * time.Minute

// WaitError is a wait that ended before what was waited for came.
type WaitError struct {
	For   string // what was waited for
	After time.Duration
	Last  string // what was last seen
}

func (e *WaitError) Error() string {
	return fmt.Sprintf("wait for %s: not within %s; last seen: %s", e.For, e.After, e.Last)
}

// verdict is what one look of a wait found.
type verdict struct {
	done bool
	seen string        // what is still missing
	next time.Duration // when to look again; pace.poll unless said
}

// until looks again and again, through any control plane, until the look says done or fails, or
// the time is up. An outage is something seen, not a failure.
func (c *Client) until(ctx context.Context, what string, seconds int, progress func(hosts.Progress),
	look func(context.Context) (verdict, error),
) (hosts.Outcome, error) {
	return c.poll(ctx, what, seconds, progress, func(ctx context.Context) (verdict, error) {
		var found verdict
		err := c.once(ctx, c.pace.try, func(ctx context.Context) (err error) {
			found, err = look(ctx)
			return err
		})
		switch {
		case !outage(err) && !settling(err):
			return found, err
		case answered(err):
			return verdict{seen: brief(err)}, nil
		}
		return verdict{seen: brief(err), next: c.pace.away}, nil
	})
}

// poll is until for a look that finds its own way.
func (c *Client) poll(ctx context.Context, what string, seconds int, progress func(hosts.Progress),
	look func(context.Context) (verdict, error),
) (hosts.Outcome, error) {
	limit := cmp.Or(time.Duration(seconds)*time.Second, defaultWait)
	last, looks := "no answer", 0
	err := repeat(ctx, limit, progress, func(ctx context.Context) (retry, error) {
		looks++
		found, err := look(ctx)
		if err != nil || found.done {
			return retry{}, err
		}
		if ctx.Err() == nil {
			last = found.seen
		}
		return retry{cmp.Or(found.next, c.pace.poll), found.seen}, nil
	})
	switch {
	case errors.Is(err, errTimeUp):
		return hosts.Outcome{}, &WaitError{For: what, After: limit, Last: last}
	case err != nil:
		return hosts.Outcome{}, fmt.Errorf("wait for %s: %w", what, err)
	}
	return outcome(looks > 1, ""), nil
}

// waitAPI waits until the API server on one host, and no other, says that it is ready or,
// where that is enough, takes requests.
func (c *Client) waitAPI(ctx context.Context, action plan.WaitAPI, progress func(hosts.Progress)) (hosts.Outcome, error) {
	what, path := "the API server on "+action.Host+" to be ready", "/readyz"
	if action.Serving {
		what, path = "the API server on "+action.Host+" to take requests", "/readyz/ping"
	}
	one, err := c.only(action.Host)
	if err != nil {
		return hosts.Outcome{}, fmt.Errorf("wait for %s: %w", what, err)
	}
	return c.poll(ctx, what, action.Timeout, progress, func(ctx context.Context) (verdict, error) {
		healthy, seen, err := one.health(ctx, c.pace.health, path)
		if disconnected(err) {
			return verdict{}, err
		}
		if err != nil {
			return verdict{seen: brief(err), next: c.pace.away}, nil
		}
		return verdict{done: healthy, seen: seen, next: c.pace.slow}, nil
	})
}

// disconnected tells whether a host's connection has ended: waiting will not bring it back.
func disconnected(err error) bool {
	var known *hosts.Error
	return errors.As(err, &known) && known.Kind == hosts.KindCut
}

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

func podReady(pod corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(condition corev1.PodCondition) bool {
		return condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue
	})
}
