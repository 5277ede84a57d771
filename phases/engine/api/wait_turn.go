package api

import (
	"context"
	"errors"
	"slices"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// waitTurn goes on when what the cluster is made for runs, or the time is over: whoever waits is
// a spare, and whatever it does meanwhile slows down the first.
func (c *Client) waitTurn(ctx context.Context, action plan.WaitTurn, progress func(hosts.Progress)) (hosts.Outcome, error) {
	done, err := c.until(ctx, "the turn of "+action.Host, action.Timeout, progress, func(ctx context.Context) (verdict, error) { return c.underway(ctx, action.Objects) })
	if late, over := errors.AsType[*WaitError](err); over {
		return outcome(false, late.Last+" after "+late.After.String()), nil
	}
	return done, err
}

// underway looks whether all nodes are ready and the objects have rolled out.
func (c *Client) underway(ctx context.Context, objects []hosts.ObjectKey) (verdict, error) {
	nodes, err := c.nodes(ctx)
	if err != nil {
		return verdict{}, err
	}
	unready := func(node hosts.Node) bool { return !node.Ready }
	if len(nodes) == 0 || slices.ContainsFunc(nodes, unready) {
		return verdict{seen: "not all nodes were ready", next: c.pace.rare}, nil
	}
	for _, key := range objects {
		found, err := c.rolledOut(ctx, key, 0)
		if err != nil || !found.done {
			return verdict{seen: key.String() + " was not available", next: c.pace.rare}, err
		}
	}
	return verdict{done: true}, nil
}
