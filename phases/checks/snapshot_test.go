package checks

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

// TestWhatKeepsASnapshotFromBeingTaken is found before an upgrade begins.
func TestWhatKeepsASnapshotFromBeingTaken(t *testing.T) {
	const gib = 1 << 30
	for name, test := range map[string]struct {
		change func(*view.View)
		want   string // severity and part of the text; empty: nothing is found
	}{
		"nothing":             {func(*view.View) {}, ""},
		"the first is silent": {func(v *view.View) { v.ClusterFacts.Members[0].Healthy = false; v.Facts["cp-1"] = hosts.Facts{} }, ""},
		"no member is well": {func(v *view.View) {
			v.ClusterFacts.Members = v.ClusterFacts.Members[:1]
			v.ClusterFacts.Members[0].Healthy = false
		}, "error no member"},
		"no member is well, and only a worker has the version": {func(v *view.View) {
			v.Cluster.Hosts = append(v.Cluster.Hosts, cluster.Host{Name: "w-1", Roles: []cluster.Role{cluster.RoleWorker}})
			halfChanged(v, "w-1")
			v.ClusterFacts.Reachable, v.ClusterFacts.Members = false, nil
		}, "error no member"},
		"its host is not reached": {func(v *view.View) { v.ClusterFacts.Members = v.ClusterFacts.Members[:1]; delete(v.Facts, "cp-1") }, "error no member"},
		"no room on the host":     {func(v *view.View) { v.Facts["cp-1"].Disks[0].Free = 4 * gib }, "error 4.3 GB is free below /var/lib/slipway"},
		"no room here":            {func(v *view.View) { v.SnapshotRoom = gib }, "error 1.1 GB is free in this machine's state folder"},
		"etcd is the user's":      {func(v *view.View) { v.Cluster.Etcd.External = &cluster.ExternalEtcd{} }, "warning etcd is your own"},
		"it is not wanted":        {func(v *view.View) { v.IgnoreChecks = []string{"etcdsnapshot"}; v.SnapshotRoom = 1 }, "warning no snapshot of etcd is taken"},
		"the upgrade goes on": {func(v *view.View) {
			v.SnapshotRoom, v.Bill.KubernetesVersion = 1, "v1.37.2"
			halfChanged(v, "cp-2")
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			plane := []cluster.Role{cluster.RoleControlPlane}
			v := view.View{
				Workflow: view.Upgrade,
				Cluster:  &cluster.Cluster{Hosts: []cluster.Host{{Name: "cp-1", Roles: plane}, {Name: "cp-2", Roles: plane}}},
				Facts: map[string]hosts.Facts{
					"cp-1": {Disks: []hosts.Disk{{Path: "/", Free: 5 * gib}}}, "cp-2": {Disks: []hosts.Disk{{Path: "/", Free: 5 * gib}}},
				},
				ClusterFacts: hosts.ClusterFacts{Reachable: true, Members: []hosts.Member{
					{Name: "cp-1", Healthy: true, Size: 2 * gib}, {Name: "cp-2", Healthy: true, Size: 2 * gib},
				}},
				SnapshotRoom: 3 * gib,
			}
			test.change(&v)
			var told []string
			for _, found := range withoutSnapshot(v) {
				severity := Error
				if found.Severity != "" {
					severity = found.Severity
				}
				told = append(told, string(severity)+" "+found.Seen)
			}
			if got := strings.Join(told, "\n"); test.want == "" && got != "" || !strings.Contains(strings.ReplaceAll(got, "no snapshot of etcd can be taken: ", ""), test.want) {
				t.Errorf("found %q, want %q", got, test.want)
			}
		})
	}
}

// halfChanged has a host of the cluster keep what it had before the view's bundle, and say of no bundle that
// it is in force.
func halfChanged(v *view.View, name string) {
	id, _ := v.Bill.ID()
	facts := v.Facts[name]
	facts.Kept, facts.Record = []hosts.Kept{{Before: id}}, &hosts.Record{Cluster: hosts.Identity{ID: "1"}}
	all := map[string]hosts.Facts{}
	maps.Copy(all, v.Facts)
	all[name] = facts
	v.Facts = all
	nodes := slices.DeleteFunc(slices.Clone(v.ClusterFacts.Nodes), func(node hosts.Node) bool { return node.Name == name })
	v.ClusterFacts.Nodes = append(nodes, hosts.Node{Name: name, Ready: true, Labels: map[string]string{view.LabelManaged: "true"}})
}
