package workflow

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
)

// cuttable is a connection to a host, which may end.
type cuttable struct {
	hosts.Host
	ended *bool
}

func (c cuttable) Do(ctx context.Context, action hosts.Action, progress func(hosts.Progress)) (hosts.Outcome, error) {
	outcome, err := c.Host.Do(ctx, action, progress)
	if *c.ended {
		return hosts.Outcome{}, &hosts.Error{Kind: hosts.KindCut, Op: "do", Err: net.ErrClosed}
	}
	return outcome, err
}

// TestAHostIsConnectedToAgainWhenItHasRebooted, and the lease that it had is taken again.
func TestAHostIsConnectedToAgainWhenItHasRebooted(t *testing.T) {
	machine, ended, dials, away := hosttest.NewFake("w-1"), false, 0, false
	machine.Rebooted = func() { ended = true }
	dial := reconnecting(func(context.Context, cluster.Host, func(string)) (hosts.Host, error) {
		if away {
			return nil, &hosts.Error{Kind: hosts.KindUnreachable, Op: "connect to w-1", Err: net.ErrClosed}
		}
		dials++
		return cuttable{machine.Host(), &ended}, nil
	})
	host, err := dial(t.Context(), cluster.Host{Name: "w-1"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	before, _ := host.Observe(t.Context(), hosts.Query{})
	for _, action := range []hosts.Action{hosts.TakeLease{Holder: "ann"}, hosts.Reboot{Boot: before.BootID}} {
		if outcome, err := host.Do(t.Context(), action, nil); err != nil || outcome.Result != hosts.Changed {
			t.Fatalf("%T: %v, %v", action, outcome, err)
		}
	}
	away, ended = true, false
	if _, err := host.Observe(t.Context(), hosts.Query{}); err == nil {
		t.Error("a host that is away has answered")
	}
	away = false
	after, err := host.Observe(t.Context(), hosts.Query{})
	if err != nil || after.BootID == before.BootID || dials != 2 {
		t.Errorf("after %d dials: %v, boot %s", dials, err, after.BootID)
	}
	_, err = machine.Host().Do(t.Context(), hosts.LoadModule{Name: "x"}, nil)
	if held, is := errors.AsType[*hosts.Error](err); !is || held.Kind != hosts.KindLease {
		t.Errorf("the host's lease was not taken again: %v", err)
	}
	if outcome, err := host.Do(t.Context(), hosts.Reboot{Boot: before.BootID}, nil); err != nil || outcome.Result != hosts.Unchanged {
		t.Errorf("it reboots out of a boot that has ended: %v, %v", outcome, err)
	}
}

// TestOnlyARebootMayEndTheConnection: what became of another action is not known.
func TestOnlyARebootMayEndTheConnection(t *testing.T) {
	ended := true
	dial := reconnecting(func(context.Context, cluster.Host, func(string)) (hosts.Host, error) {
		return cuttable{hosttest.NewFake("w-1").Host(), &ended}, nil
	})
	host, err := dial(t.Context(), cluster.Host{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := host.Do(t.Context(), hosts.LoadModule{Name: "x"}, nil); err == nil {
		t.Error("a lost connection is no error")
	}
	if err := host.Close(); err != nil {
		t.Error(err)
	}
	if _, err := host.Observe(t.Context(), hosts.Query{}); err == nil {
		t.Error("a closed host answers")
	}
}
