package api

import (
	"slices"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// TestEtcdIsReadyForAnOlderVersionWhenEveryMemberStoresSo: it is asked once, and waited for.
func TestEtcdIsReadyForAnOlderVersionWhenEveryMemberStoresSo(t *testing.T) {
	playEtcd(t, three, three, func(t *testing.T, e *etcdCluster, client *Client) {
		began := time.Now()
		done, err := client.Do(t.Context(), plan.EtcdDowngrade{Version: "3.6"}, nil, nil)
		if took := time.Since(began); err != nil || done.Result != hosts.Changed || took < 6*time.Second || took > 12*time.Second {
			t.Fatalf("after %s: %v, %v", took, done, err)
		}
		asked := slices.DeleteFunc(slices.Clone(e.asked), func(what string) bool { return what[len("cp-1 "):] != "Downgrade ENABLE 3.6" })
		if len(asked) != 1 {
			t.Errorf("asked %d times", len(asked))
		}
		members, _ := client.Members(t.Context())
		for _, member := range members {
			if member.Version != "3.7.3" || member.Storage != "3.6" || member.Downgrade != "3.6" {
				t.Errorf("%s has %s, stores as %s, is ready for %q", member.Name, member.Version, member.Storage, member.Downgrade)
			}
		}
		if done, err := client.Do(t.Context(), plan.EtcdDowngrade{Version: "3.6"}, nil, nil); err != nil || done.Result != hosts.Unchanged {
			t.Errorf("once more: %v, %v", done, err)
		}
		for _, want := range []hosts.Result{hosts.Changed, hosts.Unchanged} {
			if done, err := client.Do(t.Context(), plan.EtcdDowngrade{}, nil, nil); err != nil || done.Result != want || e.target != "" {
				t.Errorf("its end: %v, %v, target %q", done, err, e.target)
			}
		}
	})
}

// TestEtcdIsNotReadyWhileAMemberIsSilent.
func TestEtcdIsNotReadyWhileAMemberIsSilent(t *testing.T) {
	playEtcd(t, three, three, func(t *testing.T, e *etcdCluster, client *Client) {
		e.servers[idOf("10.0.0.3")].down = errDown
		if _, err := client.Do(t.Context(), plan.EtcdDowngrade{Version: "3.6"}, nil, nil); err == nil || e.target != "" {
			t.Errorf("%v, target %q", err, e.target)
		}
	})
}

// TestEtcdIsTriedWhereAHostIsPutBack: who does not answer does not count, and it is no error that it
// cannot be done; but data that are about to be stored anew are waited for.
func TestEtcdIsTriedWhereAHostIsPutBack(t *testing.T) {
	try := plan.EtcdDowngrade{Version: "3.6", Try: true}
	for name, test := range map[string]struct {
		arrange func(e *etcdCluster)
		result  hosts.Result
		target  string // of the downgrade in the end
		detail  bool
	}{
		"all are newer":           {func(*etcdCluster) {}, hosts.Changed, "3.6.0", false},
		"one is silent, all done": {func(e *etcdCluster) { e.store("3.6.0"); e.all[2].down = errDown }, hosts.Unchanged, "", false},
		"one is old, none stored": {func(e *etcdCluster) { e.store("3.6.0"); e.all[2].version = "3.6.16" }, hosts.Unchanged, "", false},
		"nobody answers": {func(e *etcdCluster) {
			for _, s := range e.all {
				s.down = errDown
			}
		}, hosts.Unchanged, "", true},
		"all are newer, and the data are not so yet": {func(e *etcdCluster) {
			e.store("3.6.0")
			e.answer = func(method string) (error, bool) {
				if method == "Downgrade ENABLE 3.6" && e.all[0].storage == "3.6.0" {
					return rpctypes.ErrGRPCInvalidDowngradeTargetVersion, false
				}
				return nil, true
			}
			after(4*time.Second, func() { e.mu.Lock(); e.store("3.7.0"); e.mu.Unlock() })
		}, hosts.Changed, "3.6.0", false},
	} {
		t.Run(name, func(t *testing.T) {
			playEtcd(t, three, three, func(t *testing.T, e *etcdCluster, client *Client) {
				test.arrange(e)
				began := time.Now()
				done, err := client.Do(t.Context(), try, nil, nil)
				if err != nil || done.Result != test.result || e.target != test.target || (done.Detail != "") != test.detail {
					t.Errorf("%+v, %v, target %q", done, err, e.target)
				}
				if took := time.Since(began); took > 30*time.Second {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}

// store sets the form of every member's data.
func (e *etcdCluster) store(version string) {
	for _, s := range e.all {
		s.storage = version
	}
}
