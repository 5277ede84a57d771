package conformance

import (
	"path"

	"github.com/slipway-k8s/slipway/hosts"
)

func (t *trial) observesReach() {
	there, closed := t.Echo(), "127.0.0.1:1"
	reach := t.observe(hosts.Query{Reach: []string{there, closed}}).Reach
	if why, asked := reach[there]; !asked || why != "" || reach[closed] == "" || len(reach) != 2 {
		t.Errorf("%s and %s are reached so: %q", there, closed, reach)
	}
	if reach := t.observe(hosts.Query{}).Reach; reach != nil {
		t.Errorf("unasked it tries %q", reach)
	}
}

func (t *trial) observesSync() {
	t.do(hosts.MakeDirectory{Path: t.path("empty"), Mode: 0o700}, hosts.Changed)
	t.do(hosts.MakeDirectory{Path: t.path("used/member"), Mode: 0o700}, hosts.Changed)
	for folder, measured := range map[string]bool{t.path("empty"): true, t.path("empty/not/yet"): true, t.path("used"): false} {
		if took := t.observe(hosts.Query{Sync: folder}).Sync; took > 0 != measured {
			t.Errorf("a write in %s takes %s", folder, took)
		}
	}
	if took := t.observe(hosts.Query{}).Sync; took != 0 {
		t.Errorf("unasked it measures %s", took)
	}
	if left := t.observe(hosts.Query{Entries: []string{t.path("empty")}}).Files; len(left) > 0 {
		t.Errorf("left are %v", left)
	}
}

func (t *trial) observesVirtualIP() {
	ask := func(address string) *hosts.VirtualIP {
		return t.observe(hosts.Query{VirtualIP: &hosts.VirtualIPQuery{Address: address, Unit: "keepalived.service"}}).VirtualIP
	}
	if seen := ask("127.0.0.1"); seen != nil {
		t.Errorf("of the host's own address the network says %+v", seen)
	}
	if seen := ask("203.0.113.77"); seen == nil || seen.Interface != "" || seen.Holder != "" || len(seen.Routers) > 0 {
		t.Errorf("of an address in no subnet of the host the network says %+v", seen)
	}
	if seen := t.observe(hosts.Query{}).VirtualIP; seen != nil {
		t.Errorf("unasked the network says %+v", seen)
	}
}

func (t *trial) stopsNoPods() {
	t.do(hosts.StopPods{Only: []string{"etcd-" + path.Base(t.Scratch())}, Grace: 1}, hosts.Unchanged)
}
