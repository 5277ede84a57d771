package api

import (
	"context"
	"errors"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// waitTurn lets whoever asks first go on at once, and the others when the nodes are Ready or
// their time is over: they are spares, and whatever they do meanwhile slows down the first.
func (c *Client) waitTurn(ctx context.Context, action plan.WaitTurn, progress func(hosts.Progress)) (hosts.Outcome, error) {
	if c.isFirst(action.Host) {
		return outcome(false, "the first"), nil
	}
	done, err := c.until(ctx, "the nodes to be ready", action.Timeout, progress, func(ctx context.Context) (verdict, error) {
		return c.glance(ctx, func(ctx context.Context) (verdict, error) {
			nodes, err := c.nodes(ctx)
			ready := len(nodes) > 0
			for _, node := range nodes {
				ready = ready && node.Ready
			}
			return verdict{done: ready, seen: "not all nodes are ready yet", slow: true}, err
		})
	})
	if late, over := errors.AsType[*WaitError](err); over {
		return outcome(false, "the nodes were not ready within "+late.After.String()), nil
	}
	return done, err
}

func (c *Client) isFirst(host string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.first == "" {
		c.first = host
	}
	return c.first == host
}
