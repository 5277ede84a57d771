package api

import (
	"context"
	"fmt"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// bootLook bounds one look at a host that reboots: a new connection to it included.
const bootLook = 20 * time.Second

// waitBoot waits until a host shows another boot ID. It goes by the host alone: no API server may answer
// meanwhile. That the connection ends is what is expected; whoever gave the host connects again.
func (c *Client) waitBoot(ctx context.Context, action plan.WaitBoot, progress func(hosts.Progress)) (hosts.Outcome, error) {
	host, connected := c.all[action.Host]
	if !connected {
		return hosts.Outcome{}, fmt.Errorf("wait until %s has booted: the host is not connected", action.Host)
	}
	return c.poll(ctx, action.Host+" to boot", action.Timeout, progress, func(ctx context.Context) (verdict, error) {
		ctx, cancel := context.WithTimeout(ctx, bootLook)
		defer cancel()
		facts, err := host.Observe(ctx, hosts.Query{})
		switch {
		case err != nil:
			return verdict{seen: brief(err), next: c.pace.slow}, nil
		case facts.BootID == action.Before:
			return verdict{seen: "it still runs in the boot of before", next: c.pace.slow}, nil
		}
		return verdict{done: true}, nil
	})
}
