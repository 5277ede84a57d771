package view

import (
	"testing"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// TestAnUpgradeHasBegunWhereSomethingOfTheBundleIsInForce, and not where a host only keeps what it has.
func TestAnUpgradeHasBegunWhereSomethingOfTheBundleIsInForce(t *testing.T) {
	bill := bundle.Bill{KubernetesVersion: "v1.37.2"}
	encoded, err := bundle.EncodeBill(bill)
	if err != nil {
		t.Fatal(err)
	}
	id, err := bill.ID()
	if err != nil {
		t.Fatal(err)
	}
	const none, old = "", "sha256:old"
	kept := []hosts.Kept{{Before: id}}
	for name, test := range map[string]struct {
		bill    string // the digest of the one on the host
		kept    []hosts.Kept
		node    hosts.Node
		joined  bool
		begun   bool
		counts  bool // what it keeps
		in, way bool // in force, half changed
	}{
		"nothing yet":                      {bill: old, joined: true},
		"the drain failed":                 {bill: old, kept: kept, joined: true},
		"killed once it was drained":       {bill: old, kept: kept, joined: true, node: hosts.Node{CordonedBy: string(Upgrade)}},
		"half changed":                     {bill: none, kept: kept, joined: true, begun: true, counts: true, way: true},
		"whole":                            {bill: plan.Ref(encoded), kept: kept, joined: true, begun: true, counts: true, in: true},
		"installed by an older Slipway":    {bill: none, joined: true},
		"another bundle of this version":   {bill: old, joined: true, node: hosts.Node{KubeletVersion: "v1.37.2"}},
		"kept for another bundle":          {bill: none, kept: []hosts.Kept{{Before: "other"}}, joined: true},
		"prepared, and not in the cluster": {bill: plan.Ref(encoded), in: true},
	} {
		t.Run(name, func(t *testing.T) {
			facts := hosts.Facts{Kept: test.kept, Files: map[string]hosts.File{}, Record: &hosts.Record{Cluster: hosts.Identity{ID: "1"}}}
			if test.bill != none {
				facts.Files[manifests.BillFile] = hosts.File{Digest: test.bill}
			}
			test.node.Name = "cp-1"
			if test.joined {
				test.node.Labels = map[string]string{LabelManaged: "true"}
			}
			v := View{
				Bill: bill, Cluster: &cluster.Cluster{Hosts: []cluster.Host{{Name: "cp-1", Roles: []cluster.Role{cluster.RoleControlPlane}}}},
				Facts: map[string]hosts.Facts{"cp-1": facts}, ClusterFacts: hosts.ClusterFacts{Nodes: []hosts.Node{test.node}},
			}
			if v.UpgradeBegun() != test.begun || v.InForce(facts) != test.in || v.HalfChanged(facts) != test.way {
				t.Errorf("begun %v, in force %v, half changed %v", v.UpgradeBegun(), v.InForce(facts), v.HalfChanged(facts))
			}
			if counts := v.KeptBefore(facts) != nil; counts != test.counts {
				t.Errorf("what it keeps counts: %v", counts)
			}
		})
	}
}
