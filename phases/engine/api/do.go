package api

import (
	"context"
	"fmt"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// Do compares, then carries out one action on the cluster. It is safe to repeat.
func (c *Client) Do(ctx context.Context, action plan.ClusterAction, content func(ref string) ([]byte, error),
	progress func(hosts.Progress),
) (hosts.Outcome, error) {
	if progress == nil {
		progress = func(hosts.Progress) {}
	}
	switch action := action.(type) {
	case plan.Apply:
		return c.apply(ctx, action, content, progress)
	case plan.Delete:
		return c.delete(ctx, action, progress)
	case plan.MarkNode:
		return c.markNode(ctx, action, progress)
	case plan.Cordon:
		return c.cordon(ctx, action, progress)
	case plan.Uncordon:
		return c.uncordon(ctx, action, progress)
	case plan.Drain:
		return c.drain(ctx, action, progress)
	case plan.WaitAPI:
		return c.waitAPI(ctx, action, progress)
	case plan.WaitNode:
		return c.waitNode(ctx, action, progress)
	case plan.WaitPods:
		return c.waitPods(ctx, action, content, progress)
	case plan.WaitAvailable:
		return c.waitAvailable(ctx, action, progress)
	case plan.WaitTurn:
		return c.waitTurn(ctx, action, progress)
	case plan.WaitEndpoint:
		return c.waitEndpoint(ctx, action, progress)
	case plan.WaitBoot:
		return c.waitBoot(ctx, action, progress)
	case plan.MemberAdd:
		return c.memberAdd(ctx, action, progress)
	case plan.MemberPromote:
		return c.memberPromote(ctx, action, progress)
	case plan.MemberRemove:
		return c.memberRemove(ctx, action, progress)
	case plan.MoveLeader:
		return c.moveLeader(ctx, action, progress)
	case plan.EtcdDowngrade:
		return c.etcdDowngrade(ctx, action, progress)
	case plan.SnapshotEtcd:
		return c.snapshotEtcd(ctx, action, progress)
	case plan.QuorumHolds:
		return c.quorumHolds(ctx, action, progress)
	case plan.DeletePods:
		return c.deletePods(ctx, action, progress)
	}
	return hosts.Outcome{}, fmt.Errorf("the client knows no action %T", action)
}
