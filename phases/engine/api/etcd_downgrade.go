package api

import (
	"context"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// downgradeWithin is how long etcd may take to store all as the older version does: each member looks
// every few seconds whether it has to (monitorVersionInterval and monitorStorageVersion of etcd's server).
const downgradeWithin = time.Minute

// etcdDowngrade has etcd's members store what an older minor version reads, or has them end that.
func (c *Client) etcdDowngrade(ctx context.Context, action plan.EtcdDowngrade, progress func(hosts.Progress)) (hosts.Outcome, error) {
	if action.Version == "" {
		return c.endDowngrade(ctx, progress)
	}
	begun := false
	done, err := c.reconfigure(ctx, "have etcd store its data as "+action.Version+" does", downgradeWithin, progress, func(ctx context.Context, m *membership) (bool, error) {
		var asks *member
		ready, enabled := true, false
		for _, one := range m.members {
			if one.report == nil || one.report.status == nil {
				return false, later("%s: %s", one.Name, one.why)
			}
			asks = one
			ready = ready && minorOf(one.report.status.StorageVersion) == action.Version
			enabled = enabled || one.report.status.DowngradeInfo.GetEnabled()
		}
		if ready || asks == nil {
			return true, nil
		}
		if !enabled {
			err := asks.report.client.ask(ctx, c.etcd.pace.change, func(ctx context.Context, client *clientv3.Client) error {
				_, err := client.Downgrade(ctx, clientv3.DowngradeEnable, action.Version)
				return err
			})
			if err != nil {
				return false, err
			}
			begun = true
		}
		return false, later("not every member stores its data so yet")
	})
	if err == nil && begun {
		done.Result = hosts.Changed
	}
	return done, err
}

// endDowngrade ends a downgrade that members are still ready for.
func (c *Client) endDowngrade(ctx context.Context, progress func(hosts.Progress)) (hosts.Outcome, error) {
	return c.reconfigure(ctx, "end etcd's downgrade", 0, progress, func(ctx context.Context, m *membership) (bool, error) {
		for _, one := range m.members {
			if one.report == nil || !one.report.status.GetDowngradeInfo().GetEnabled() {
				continue
			}
			return false, one.report.client.ask(ctx, c.etcd.pace.change, func(ctx context.Context, client *clientv3.Client) error {
				_, err := client.Downgrade(ctx, clientv3.DowngradeCancel, "")
				return err
			})
		}
		return true, nil
	})
}
