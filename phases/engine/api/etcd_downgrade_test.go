package api

import (
	"slices"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
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
		members, _ := client.members(t.Context())
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
