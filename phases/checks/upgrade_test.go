package checks

import (
	"maps"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/forecast"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// TestWhatANewVersionNoLongerKnowsIsFoundBefore: the file was read for the version that runs.
func TestWhatANewVersionNoLongerKnowsIsFoundBefore(t *testing.T) {
	file := cluster.Cluster{KubernetesVersion: "v1.36.3", ExtraArgs: cluster.ExtraArgs{
		ControllerManager: []cluster.Arg{{Name: "v", Value: "2"}, {Name: "concurrent-service-syncs", Value: "2"}},
	}}
	if found := unknownSettings(view.View{Cluster: &file}); len(found) > 0 {
		t.Errorf("the version that runs: %v", found)
	}
	file.KubernetesVersion = "v1.37.2"
	found := unknownSettings(view.View{Cluster: &file})
	if len(found) != 1 || !strings.HasPrefix(found[0].Seen, "extraArgs.controllerManager[1].name of the cluster file: kube-controller-manager has no flag concurrent-service-syncs") {
		t.Errorf("the version that is coming: %v", found)
	}
}

// TestAnUpgradeBeginsOnlyWhereAllIsWell, and goes on where it has begun.
func TestAnUpgradeBeginsOnlyWhereAllIsWell(t *testing.T) {
	v := view.View{
		Cluster: &cluster.Cluster{Hosts: []cluster.Host{{Name: "cp-1", Roles: []cluster.Role{cluster.RoleControlPlane}}, {Name: "w-1", Roles: []cluster.Role{cluster.RoleWorker}}}},
		Bill:    bundle.Bill{KubernetesVersion: "v1.37.2"},
		ClusterFacts: hosts.ClusterFacts{
			Reachable: true,
			Nodes:     []hosts.Node{{Name: "cp-1", Ready: true, KubeletVersion: "v1.36.3"}, {Name: "w-1", Reason: "KubeletNotReady", KubeletVersion: "v1.36.3"}, {Name: "unknown"}},
			Members:   []hosts.Member{{Name: "cp-1", Healthy: true}, {Name: "cp-2", Detail: "connection refused"}},
			Health:    []hosts.Health{{Host: "cp-1", Component: "kube-scheduler", Detail: "connection refused"}},
		},
	}
	told := func() (errors, all int) {
		for _, found := range unwellForUpgrade(v) {
			if all++; found.Severity != Warning {
				errors++
			}
		}
		return errors, all
	}
	if errors, all := told(); errors != 3 || all != 3 {
		t.Errorf("%d findings, %d of them errors: %v", all, errors, unwellForUpgrade(v))
	}
	v.ClusterFacts.Nodes[1].CordonedBy = string(view.Upgrade) // left out of the upgrade before, and still down
	if errors, all := told(); errors != 3 || all != 3 {
		t.Errorf("with a node that is cordoned: %d findings, %d of them errors", all, errors)
	}
	halfChanged(&v, "cp-1")
	if errors, all := told(); errors != 0 || all != 3 {
		t.Errorf("once begun: %d findings, %d of them errors", all, errors)
	}
}

// TestAHalfUpgradedHostIsLeftToItsUpgrade: what would be kept of it is of two versions.
func TestAHalfUpgradedHostIsLeftToItsUpgrade(t *testing.T) {
	bill := bundle.Bill{KubernetesVersion: "v1.37.2"}
	id, err := bill.ID()
	if err != nil {
		t.Fatal(err)
	}
	file := map[string]hosts.File{manifests.BillFile: {Digest: "sha256:old"}}
	this, other := hosts.Kept{Before: id}, hosts.Kept{Before: "v1.37.1-0123"}
	for name, test := range map[string]struct {
		facts hosts.Facts
		found bool
	}{
		"whole":                        {facts: hosts.Facts{Files: file, Kept: []hosts.Kept{other}}},
		"by this bundle":               {facts: hosts.Facts{Kept: []hosts.Kept{other, this}}},
		"by another bundle":            {facts: hosts.Facts{Kept: []hosts.Kept{other}}, found: true},
		"made by an older Slipway":     {facts: hosts.Facts{}},
		"whole, and kept for this one": {facts: hosts.Facts{Files: file, Kept: []hosts.Kept{this}}},
	} {
		if found := halfUpgraded(view.View{Bill: bill}, cluster.Host{}, test.facts); (len(found) == 1) != test.found {
			t.Errorf("%s: %v", name, found)
		}
	}
}

// TestWhatIsBrokenKeepsNobodyFromWhatIsInForce: a host that was cut before its first change needs nothing.
func TestWhatIsBrokenKeepsNobodyFromWhatIsInForce(t *testing.T) {
	bill := bundle.Bill{KubernetesVersion: "v1.36.3"}
	encoded, err := bundle.EncodeBill(bill)
	if err != nil {
		t.Fatal(err)
	}
	v := view.View{Bill: bill, BackFrom: "v1.37.2-0123"}
	for digest, want := range map[string]int{plan.Ref(encoded): 0, "sha256:new": 1} {
		facts := hosts.Facts{
			Files:      map[string]hosts.File{manifests.BillFile: {Digest: digest}},
			KeptBroken: map[string]string{"v1.37.2-0123": "it was cut before all was there"},
		}
		if found := brokenKept(v, cluster.Host{}, facts); len(found) != want {
			t.Errorf("with the bundle %s in force: %v", digest, found)
		}
	}
}

// TestAGateThatWasNotAskedHasNotPassed: what was not seen is not well because of that.
func TestAGateThatWasNotAskedHasNotPassed(t *testing.T) {
	worker := []cluster.Host{{Name: "w-1", Roles: []cluster.Role{cluster.RoleWorker}}}
	up := view.View{
		Cluster: &cluster.Cluster{Hosts: worker}, Bill: bundle.Bill{KubernetesVersion: "v1.37.2"},
		ClusterFacts: hosts.ClusterFacts{Reachable: true, Version: "v1.36.3", DeprecatedAPIs: &hosts.DeprecatedAPIs{}},
		Facts:        map[string]hosts.Facts{"w-1": {}}, Drains: []forecast.Set{},
	}
	dead, patch, away, planless := up, up, up, up
	dead.ClusterFacts = hosts.ClusterFacts{}
	dead.Drains = nil
	patch.ClusterFacts.Version, patch.ClusterFacts.DeprecatedAPIs = "v1.37.1", nil
	away.Facts, away.Drains = nil, nil
	planless.Drains = nil
	const silent = "no API server answers"
	for name, test := range map[string]struct {
		v    view.View
		want map[string]string
	}{
		"all are asked":          {up, map[string]string{}},
		"no API server":          {dead, map[string]string{"Drain": silent, "DeprecatedAPIs": silent, "ClusterHealth": silent, "KubernetesVersion": silent, "Networking": silent, "NetworkAddOn": silent, etcdSnapshot: silent}},
		"the next patch version": {patch, map[string]string{"DeprecatedAPIs": "the minor version stays"}},
		"a host is away":         {away, map[string]string{"Drain": "w-1 is not reached"}},
		"no plan":                {planless, map[string]string{"Drain": "no plan can be made"}},
	} {
		got := map[string]string{}
		for _, gate := range Gates(view.Upgrade, test.v, nil) {
			if gate.NotAsked != "" {
				got[gate.Check] = gate.NotAsked
			}
			if gate.Passed() == (gate.NotAsked != "") {
				t.Errorf("%s: %+v: passed %v", name, gate, gate.Passed())
			}
		}
		if !maps.Equal(got, test.want) {
			t.Errorf("%s: not asked: %v, want %v", name, got, test.want)
		}
	}
	found := []Finding{{Check: "Drain", Severity: Error, Seen: "x"}}
	for _, gate := range Gates(view.Upgrade, away, found) {
		if gate.Check == "Drain" && (gate.NotAsked != "" || gate.Passed()) {
			t.Errorf("what has found something was asked: %+v", gate)
		}
	}
}

// TestWhatToDoAboutAVersionFitsWhatIsSeen: one way on, and not two that contradict each other.
func TestWhatToDoAboutAVersionFitsWhatIsSeen(t *testing.T) {
	for name, test := range map[string]struct {
		look         func(view.View) []Finding
		live, bundle string
		fix          string
	}{
		"an older bundle":       {upgradeSkew, "v1.37.2", "v1.36.3", "to go back to what ran before the last upgrade: slipway upgrade rollback"},
		"a skipped minor":       {upgradeSkew, "v1.35.2", "v1.37.2", "upgrade with a bundle of v1.36 first, and then with this one"},
		"another major":         {upgradeSkew, "v1.37.2", "v2.0.0", "take a bundle of v1.37 or of the minor version after it"},
		"two minors back":       {rollbackSkew, "v1.37.2", "v1.35.4", SnapshotIsLeft("/state/snapshots/demo")},
		"a rollback to a newer": {rollbackSkew, "v1.36.3", "v1.37.2", "to bring a newer version: slipway upgrade apply"},
	} {
		v := view.View{
			Cluster: &cluster.Cluster{}, Bill: bundle.Bill{KubernetesVersion: test.bundle}, SnapshotFolder: "/state/snapshots/demo",
			ClusterFacts: hosts.ClusterFacts{Reachable: true, Version: test.live},
		}
		if found := test.look(v); len(found) != 1 || found[0].Fix != test.fix || strings.Contains(found[0].Seen, "slipway") {
			t.Errorf("%s: %+v", name, found)
		}
	}
}

// TestWhatSuitsAHostThatIsPrepared: one of the cluster gets a version staged to which it can be upgraded,
// one that is to join may not be newer than the API servers.
func TestWhatSuitsAHostThatIsPrepared(t *testing.T) {
	for name, test := range map[string]struct {
		live, bundle, hosts string
		want                string // part of what is found; empty: nothing
	}{
		"the next minor is staged":         {"v1.36.3", "v1.37.2", "old", ""},
		"one that is skipped":              {"v1.35.3", "v1.37.2", "old", "a minor version may not be skipped"},
		"one that is older":                {"v1.37.2", "v1.36.3", "old", "never leads to an older version"},
		"a newer one would join":           {"v1.36.3", "v1.37.2", "new", "a kubelet may not be newer than the API server"},
		"a newer one would join as well":   {"v1.36.3", "v1.37.2", "", "a kubelet may not be newer than the API server"},
		"the same joins":                   {"v1.37.2", "v1.37.2", "new", ""},
		"no API server says what it is of": {"", "v1.37.2", "new", ""},
	} {
		t.Run(name, func(t *testing.T) {
			claimed := &hosts.Record{Cluster: hosts.Identity{ID: "1"}}
			v := view.View{
				Workflow: view.Prepare, Bill: bundle.Bill{KubernetesVersion: test.bundle},
				Cluster: &cluster.Cluster{KubernetesVersion: test.bundle, Hosts: []cluster.Host{
					{Name: "old", Roles: []cluster.Role{cluster.RoleWorker}}, {Name: "new", Roles: []cluster.Role{cluster.RoleWorker}},
				}},
				Facts: map[string]hosts.Facts{"old": {Record: claimed}, "new": {}},
				ClusterFacts: hosts.ClusterFacts{Reachable: true, Version: test.live, Nodes: []hosts.Node{
					{Name: "old", KubeletVersion: test.live, Labels: map[string]string{view.LabelManaged: "true"}},
				}},
			}
			if test.hosts != "" {
				v.Hosts = []string{test.hosts}
			}
			found := otherBundle(v)
			if test.want == "" && len(found) > 0 || test.want != "" && (len(found) == 0 || !strings.Contains(found[0].Seen, test.want)) {
				t.Errorf("found %v, want %q", found, test.want)
			}
		})
	}
}
