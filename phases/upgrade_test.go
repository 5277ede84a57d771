package phases

import (
	"fmt"
	"slices"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// TestAnUpgradeIsStagedAndThenGoesHostByHost: nothing changes on any host before all have the version,
// and each host is drained before it changes and uncordoned when it is well.
func TestAnUpgradeIsStagedAndThenGoesHostByHost(t *testing.T) {
	w := newWorld(t, 3, 3)
	w.beforeUpgrade()
	p, contents := w.planned(Upgrade)
	before := plan.Predecessors(p)
	for _, step := range p.Steps {
		if step.Host == "" || stages(step) {
			continue
		}
		for _, staged := range p.Steps {
			if stages(staged) && !reaches(before, step.ID, staged.ID) {
				t.Fatalf("%s does not wait for %s", step.ID, staged.ID)
			}
		}
	}
	names := []string{"cp-1", "cp-2", "cp-3", "w-1", "w-2", "w-3"}
	for _, host := range names {
		uncordon := fmt.Sprintf("cluster/upgrade/%s/uncordon", host)
		drain := fmt.Sprintf("cluster/upgrade/%s/drain", host)
		kubelet := host + "/kubelet/" + manifests.KubeletUnit
		activate := host + "/activate/node"
		for _, pair := range [][2]string{{kubelet, drain}, {activate, drain}, {uncordon, "cluster/wait-node/" + host}} {
			if !reaches(before, pair[0], pair[1]) {
				t.Errorf("%s does not wait for %s", pair[0], pair[1])
			}
		}
	}
	for _, step := range p.Steps {
		if wait, is := step.Cluster.(plan.WaitAPI); is && !step.IsRescue() && wait.Version != versionOf(nextVersion) {
			t.Errorf("%s lets an API server of before pass: it wants %q", step.ID, wait.Version)
		}
	}
	w.run(p, contents, seeded(2), -1)
	again, _ := w.planned(Upgrade)
	wantEmpty(t, again)
	again, _ = w.planned(Init)
	wantEmpty(t, again)
}

// TestAnUpgradeCutAnywhereGoesOn: whatever step an upgrade is cut after, the next one is the rest.
func TestAnUpgradeCutAnywhereGoesOn(t *testing.T) {
	for _, s := range []shape{
		{mode: cluster.EndpointVIP, planes: 3, workers: 2},
		{mode: cluster.EndpointControlPlane, planes: 1, workers: 1},
		{mode: cluster.EndpointLoadBalancers, planes: 3, spares: 2},
		{mode: cluster.EndpointVIP, planes: 3, workers: 1, external: true},
	} {
		t.Run(fmt.Sprintf("%+v", s), func(t *testing.T) {
			whole := newWorldOf(t, s)
			whole.beforeUpgrade()
			first, _ := whole.planned(Upgrade)
			for cut := 0; cut < len(first.Steps); cut += 17 * upgradeCuts {
				w := whole.clone(t)
				p, contents := w.planned(Upgrade)
				w.run(p, contents, seeded(uint64(cut)), cut)
				w.rest(Upgrade)
				again, _ := w.planned(Upgrade)
				wantEmpty(t, again)
				for name, node := range w.nodes {
					if node.Unschedulable || node.KubeletVersion != versionOf(nextVersion) {
						t.Errorf("cut after %d steps: node %s has %s, cordoned %v", cut, name, node.KubeletVersion, node.Unschedulable)
					}
				}
			}
		})
	}
}

// TestASnapshotIsTakenBeforeAnyHostChanges: all is staged before it, and nothing changes before it; an
// upgrade that has changed a control plane takes no other, and who wants none gets none.
func TestASnapshotIsTakenBeforeAnyHostChanges(t *testing.T) {
	for _, s := range []shape{
		{mode: cluster.EndpointVIP, planes: 3, workers: 1},
		{mode: cluster.EndpointControlPlane, planes: 1, workers: 1},
		{mode: cluster.EndpointVIP, planes: 3, workers: 1, external: true},
	} {
		t.Run(fmt.Sprintf("%+v", s), func(t *testing.T) {
			w := newWorldOf(t, s)
			w.beforeUpgrade()
			p, contents := w.planned(Upgrade)
			const snapshot = "cluster/upgrade/etcd-snapshot"
			before := plan.Predecessors(p)
			if taken := slices.ContainsFunc(p.Steps, func(step plan.Step) bool { return step.ID == snapshot }); taken == s.external {
				t.Fatalf("a snapshot is taken: %v", taken)
			}
			for _, step := range p.Steps {
				switch {
				case s.external || step.ID == snapshot || step.IsRescue():
				case stages(step) && !reaches(before, snapshot, step.ID):
					t.Errorf("the snapshot does not wait for %s", step.ID)
				case !stages(step) && !reaches(before, step.ID, snapshot):
					t.Errorf("%s does not wait for the snapshot", step.ID)
				}
			}
			in := w.observe()
			in.IgnoreChecks = []string{"EtcdSnapshot"}
			without, _, err := Upgrade(in)
			if err != nil || slices.ContainsFunc(without.Steps, func(step plan.Step) bool { return step.ID == snapshot }) {
				t.Errorf("a snapshot that is not wanted: %v", err)
			}
			half := w.clone(t)
			half.run(p, contents, seeded(2), len(p.Steps)/2)
			half.all(Upgrade)
			if want := min(len(w.etcd.members), 1); half.snapshots != want {
				t.Errorf("%d snapshots were taken of an upgrade that was cut, want %d", half.snapshots, want)
			}
		})
	}
}

// TestASnapshotIsTakenWhereOnlyEtcdChanges: the bundle is of the same Kubernetes version, and no API server's
// manifest changes.
func TestASnapshotIsTakenWhereOnlyEtcdChanges(t *testing.T) {
	w := newWorld(t, 3, 1)
	w.init(seeded(1))
	w.bill, w.blobs = testBill()
	for i := range w.bill.Images {
		if image := &w.bill.Images[i]; image.Name == "etcd" {
			image.Tag = "9.9.9-0"
		}
	}
	p, _ := w.planned(Upgrade)
	has := func(id string) bool {
		return slices.ContainsFunc(p.Steps, func(step plan.Step) bool { return step.ID == id })
	}
	if has("cp-1/control-plane"+manifests.ControllerManifest) || !has("cp-1/etcd"+manifests.EtcdManifest) {
		t.Fatal("not only etcd changes")
	}
	if !has("cluster/upgrade/etcd-snapshot") {
		t.Error("no snapshot is taken, and etcd starts anew everywhere")
	}
}
