package phases

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// firstBundle gives the world its first bundle again.
func (w *world) firstBundle() {
	w.bill, w.blobs = testBill()
	w.query, w.upgrading = nil, false
	w.cluster.KubernetesVersion = w.bill.KubernetesVersion
	w.back, w.backFrom, w.kept = nil, "", nil
}

// manifestsOf are the static Pods of all hosts.
func (w *world) manifestsOf() map[string]string {
	found := map[string]string{}
	for name, machine := range w.machines {
		for _, path := range staticPods {
			if content, _, there := machine.ReadFile(path); there {
				found[name+path] = string(content)
			}
		}
	}
	return found
}

// TestWhatInitChangesAfterAFailedUpgradeIsKept: what a host kept for the upgrade that failed is out of date
// then, whether the host was put back, its drain failed, or the run was killed before it changed anything.
func TestWhatInitChangesAfterAFailedUpgradeIsKept(t *testing.T) {
	whole := newWorld(t, 3, 1)
	whole.init(seeded(1))
	whole.etcd.leader = "cp-3" // cp-1 comes first
	whole.nextBundle()
	fails := func(id string) func(*world, plan.Plan, plan.Contents, *rand.Rand) {
		return func(w *world, p plan.Plan, contents plan.Contents, chance *rand.Rand) {
			w.runFailing(p, contents, chance, id)
		}
	}
	for name, end := range map[string]func(*world, plan.Plan, plan.Contents, *rand.Rand){
		"put back":           fails("cp-1/kubelet/" + manifests.KubeletUnit),
		"the drain fails":    fails("cluster/upgrade/cp-1/drain"),
		"killed at the bill": fails("cp-1/upgrade" + manifests.BillFile),
		"killed after a keep": func(w *world, p plan.Plan, contents plan.Contents, _ *rand.Rand) {
			w.until(p, contents, "cp-1/upgrade/keep")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := whole.clone(t)
			file := *w.cluster
			w.cluster = &file
			p, contents := w.planned(Upgrade)
			end(w, p, contents, seeded(2))

			w.firstBundle()
			w.cluster.ExtraArgs.APIServer = []cluster.Arg{{Name: "audit-log-maxage", Value: "30"}}
			w.rest(Init)
			was := w.manifestsOf()
			if !strings.Contains(was["cp-1"+manifests.APIServerManifest], "audit-log-maxage=30") {
				t.Fatal("init has not changed cp-1")
			}
			w.nextBundle()
			w.upgrading = true
			w.rest(Upgrade)
			w.goBack()
			w.rest(Rollback)
			if now := w.manifestsOf(); !maps.Equal(was, now) {
				t.Errorf("after the rollback %s are not as before the upgrade", differing(was, now))
			}
		})
	}
}

func differing(a, b map[string]string) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(a)), func(name string) bool { return a[name] == b[name] })
}

// TestWhatIsKeptStaysWhileAHostIsHalfChanged: whatever step an upgrade or its way back is killed after, the
// host keeps what it had before the first change, until it has that again.
func TestWhatIsKeptStaysWhileAHostIsHalfChanged(t *testing.T) {
	whole := newWorld(t, 1, 0)
	whole.init(seeded(1))
	was := whole.manifestsOf()
	whole.nextBundle()
	first, _ := whole.planned(Upgrade)
	for cut := range len(first.Steps) {
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			w := whole.clone(t)
			p, contents := w.planned(Upgrade)
			w.run(p, contents, seeded(3), cut)
			p, _ = w.planned(Upgrade)
			w.wantKept(p, was)
			w.rest(Upgrade)
			w.goBack()
			p, contents = w.planned(Rollback)
			w.run(p, contents, seeded(3), min(cut, len(p.Steps)))
			w.nextBundle()
			w.back, w.backFrom, w.kept = nil, "", nil
			p, _ = w.planned(Upgrade)
			w.wantKept(p, was)
		})
	}
}

// wantKept wants that what the host keeps, or would keep by the plan, is what it was.
func (w *world) wantKept(p plan.Plan, was map[string]string) {
	w.t.Helper()
	content, _, _ := w.machines["cp-1"].ReadFile(manifests.APIServerManifest)
	for _, step := range p.Steps {
		if does[hosts.KeepVersion](step) && string(content) != was["cp-1"+manifests.APIServerManifest] {
			w.t.Fatalf("%s would keep what is changed already", step.ID)
		}
		if does[hosts.ForgetVersion](step) && !step.IsRescue() && string(content) != was["cp-1"+manifests.APIServerManifest] {
			w.t.Fatalf("%s would forget what the host had before", step.ID)
		}
	}
}
