package api

import (
	"context"
	"errors"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// downgradeWithin is how long etcd may take to store all as the older version does: each member looks
// every few seconds whether it has to (monitorVersionInterval and monitorStorageVersion of etcd's server).
// tryWithin is the same where a host waits to be put back.
const (
	downgradeWithin = time.Minute
	tryWithin       = 25 * time.Second
)

// etcdDowngrade has etcd's members store what an older minor version reads, or has them end that.
func (c *Client) etcdDowngrade(ctx context.Context, action plan.EtcdDowngrade, progress func(hosts.Progress)) (hosts.Outcome, error) {
	if action.Version == "" {
		return c.endDowngrade(ctx, progress)
	}
	limit := downgradeWithin
	if action.Try {
		limit = tryWithin
	}
	begun := false
	done, err := c.reconfigure(ctx, "have etcd store its data as "+action.Version+" does", limit, progress, func(ctx context.Context, m *membership) (bool, error) {
		asks, state, err := m.downgradeTo(action)
		if err != nil || state == downgradeReady || asks == nil {
			return err == nil, err
		}
		if state == downgradeWanted {
			err := asks.report.client.ask(ctx, c.etcd.pace.change, func(ctx context.Context, client *clientv3.Client) error {
				_, err := client.Downgrade(ctx, clientv3.DowngradeEnable, action.Version)
				return err
			})
			if errors.Is(err, rpctypes.ErrInvalidDowngradeTargetVersion) {
				return false, later("its members are all newer, and its data are about to be stored so") // what it refuses until then
			}
			if err != nil {
				return false, err
			}
			begun = true
		}
		return false, later("not every member stores its data so yet")
	})
	switch {
	case err != nil && action.Try && ctx.Err() == nil:
		return hosts.Outcome{Result: hosts.Unchanged, Detail: brief(err)}, nil
	case err == nil && begun:
		done.Result = hosts.Changed
	}
	return done, err
}

// How far etcd is on its way to an older version.
type downgradeState int

const (
	downgradeWanted downgradeState = iota
	downgradeEnabled
	downgradeReady // every member that counts stores its data so, and will go on to
)

// downgradeTo tells how far etcd is, and a member that can be asked for more. Data stay as they are
// only where a downgrade is under way or a member is not newer: when all are, etcd stores them anew.
func (m *membership) downgradeTo(action plan.EtcdDowngrade) (asks *member, state downgradeState, err error) {
	stored, enabled, held := true, false, false
	for _, one := range m.members {
		if one.report == nil || one.report.status == nil {
			if !action.Try {
				return nil, state, later("%s: %s", one.Name, one.why)
			}
			held = true
			continue
		}
		asks = one
		stored = stored && minorOf(one.report.status.StorageVersion) == action.Version
		enabled = enabled || one.report.status.DowngradeInfo.GetEnabled()
		held = held || minorOf(one.report.status.Version) == action.Version
	}
	switch {
	case stored && (enabled || held):
		return asks, downgradeReady, nil
	case enabled:
		return asks, downgradeEnabled, nil
	}
	return asks, downgradeWanted, nil
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
