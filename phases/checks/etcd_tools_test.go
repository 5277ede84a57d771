package checks

import (
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

// TestEtcdctlIsToldWhereEtcdIs in each command that is printed: etcd answers by TLS alone, and only who shows a certificate.
func TestEtcdctlIsToldWhereEtcdIs(t *testing.T) {
	const begins = "etcdctl --endpoints=https://localhost:2379 --cacert=/etc/kubernetes/pki/etcd/ca.crt" +
		" --cert=/etc/kubernetes/pki/etcd/healthcheck-client.crt --key=/etc/kubernetes/pki/etcd/healthcheck-client.key "
	quota, _ := Diagnose("cp-1", []hosts.Evidence{{Source: "container kube-system/etcd-cp-1/etcd", Lines: []string{"etcdserver: mvcc: database space exceeded"}}})
	plane := []cluster.Host{{Name: "cp-1", Roles: []cluster.Role{cluster.RoleControlPlane}}}
	full := view.View{
		Workflow: view.Upgrade, Cluster: &cluster.Cluster{Hosts: plane}, Facts: map[string]hosts.Facts{"cp-1": {Disks: []hosts.Disk{{Path: "/", Free: 1}}}},
		ClusterFacts: hosts.ClusterFacts{Reachable: true, Members: []hosts.Member{{Name: "cp-1", Healthy: true, Size: 1 << 30}}},
	}
	without := full
	without.IgnoreChecks = []string{etcdSnapshot}
	for name, test := range map[string]struct {
		fix  string
		want []string
	}{
		"the quota":   {quota.Fix, []string{`compact "$(`, "endpoint status -w json | ", "--command-timeout=5m defrag --cluster; ", "alarm disarm"}},
		"no snapshot": {withoutSnapshot(without)[0].Fix, []string{"snapshot save /root/etcd-before-upgrade.db"}},
		"no room":     {withoutSnapshot(full)[0].Fix, []string{"--command-timeout=5m defrag --cluster"}},
	} {
		for _, want := range test.want {
			if !strings.Contains(test.fix, begins+want) {
				t.Errorf("%s: no %q in %s", name, begins+want, test.fix)
			}
		}
		if strings.Count(test.fix, "etcdctl ") != strings.Count(test.fix, begins) {
			t.Errorf("%s: %s", name, test.fix)
		}
	}
	without.Cluster = &cluster.Cluster{Hosts: plane, Etcd: cluster.Etcd{External: &cluster.ExternalEtcd{}}}
	if fix := withoutSnapshot(without)[0].Fix; strings.Contains(fix, "etcdctl") {
		t.Errorf("of an etcd of the user's: %s", fix)
	}
}
