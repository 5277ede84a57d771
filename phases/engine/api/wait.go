package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// defaultWait is how long a wait lasts whose action does not say.
const defaultWait = 4 * time.Minute

// WaitError is a wait that ended before what was waited for came.
type WaitError = plan.WaitError

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
	last, looks, began := "no answer", 0, time.Now()
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
	var stuck *plan.StuckError
	switch {
	case errors.Is(err, errTimeUp):
		return hosts.Outcome{}, &WaitError{For: what, After: limit, Last: last}
	case errors.As(err, &stuck):
		return hosts.Outcome{}, &WaitError{For: what, After: time.Since(began), Last: last, Stuck: stuck.Why}
	case err != nil:
		return hosts.Outcome{}, fmt.Errorf("wait for %s: %w", what, err)
	}
	return outcome(looks > 1, ""), nil
}

// disconnected tells whether a host's connection has ended: waiting will not bring it back.
func disconnected(err error) bool {
	var known *hosts.Error
	return errors.As(err, &known) && known.Kind == hosts.KindCut
}

func outcome(changed bool, detail string) hosts.Outcome {
	if changed {
		return hosts.Outcome{Result: hosts.Changed, Detail: detail}
	}
	return hosts.Outcome{Result: hosts.Unchanged, Detail: detail}
}
