package phases

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// runFailing carries a plan out in which one step fails, by chance when it has done what it is for: what waits
// for it is skipped, the rest goes on, and then what rescues.
func (w *world) runFailing(p plan.Plan, contents plan.Contents, chance *rand.Rand, fails string) {
	w.t.Helper()
	done, ended := map[string]bool{}, map[string]bool{fails: true}
	before := plan.Predecessors(p)
	var ordinary plan.Plan
	for _, step := range p.Steps {
		if !step.IsRescue() {
			ordinary.Steps = append(ordinary.Steps, step)
			ended[step.ID] = step.ID == fails || reaches(before, step.ID, fails)
		}
	}
	for {
		open := keep(w.enabled(ordinary, done), func(step plan.Step) bool { return !ended[step.ID] })
		if len(open) == 0 {
			break
		}
		step := open[chance.IntN(len(open))]
		w.do(step, contents)
		done[step.ID], ended[step.ID] = true, true
	}
	for _, step := range w.enabled(ordinary, done) {
		if step.ID == fails && (removesBill(step) || chance.IntN(2) == 0) {
			w.do(step, contents)
		}
	}
	w.upgrading = false // what is put back is no upgrade
	for _, step := range p.Steps {
		begun := slices.ContainsFunc(step.Rescues, func(id string) bool { return done[id] || id == fails })
		whole := !slices.ContainsFunc(step.Rescues, func(id string) bool { return !done[id] })
		if !step.IsRescue() || !begun || whole {
			continue
		}
		if !w.may(step) {
			w.t.Fatalf("the rescue step %s does not come to its end", step.ID)
		}
		w.do(step, contents)
	}
	w.settle()
	w.upgrading = true
}

// TestAHostWhoseChangeFailsIsPutBack: whatever fails of it, the host has its old version again, those
// whose turn comes later were not touched, and the same upgrade goes through afterwards.
func TestAHostWhoseChangeFailsIsPutBack(t *testing.T) {
	whole := newWorldOf(t, shape{mode: cluster.EndpointVIP, planes: 3, workers: 2})
	whole.init(seeded(1))
	old, bills := map[string]string{}, map[string]string{}
	flannel := map[string]string{testVersion: whole.image("flannel").Manifest.Digest}
	for name, machine := range whole.machines {
		content, _, _ := machine.ReadFile(manifests.APIServerManifest)
		old[name] = string(content)
		bill, _, _ := machine.ReadFile(manifests.BillFile)
		bills[name] = string(bill)
	}
	whole.nextBundle()
	whole.upgrading = true
	flannel[nextVersion] = whole.image("flannel").Manifest.Digest
	p, _ := whole.planned(Upgrade)
	turns := []string{"cp-2", "cp-3", "cp-1", "w-1", "w-2"} // etcd's leader comes last
	for i, step := range p.Steps {
		about := step.Subject.Host
		turn := slices.Index(turns, about)
		some := []string{"cp-1", "w-1"} // the last control plane and the first worker: the others are like them
		if step.IsRescue() || !slices.Contains(some, about) || stages(step) || step.Phase == plan.PhasePrune || step.Phase == plan.PhaseTidy {
			continue
		}
		t.Run(step.ID, func(t *testing.T) {
			w := whole.clone(t)
			w.query = nil
			p, contents := w.planned(Upgrade)
			w.runFailing(p, contents, seeded(uint64(i)), step.ID)
			for j, name := range turns {
				want := testVersion
				if j < turn || j == turn && strings.HasSuffix(step.ID, "/uncordon") {
					want = nextVersion
				}
				content, _, _ := w.machines[name].ReadFile(manifests.APIServerManifest)
				if same := string(content) == old[name]; w.inForce(name) != want || w.kubelets[name] != versionOf(want) || old[name] != "" && same != (want == testVersion) {
					t.Errorf("%s has %s in force, its kubelet %s, want %s", name, w.inForce(name), w.kubelets[name], versionOf(want))
				}
				if have := w.machines[name].Record().Bundled[w.image("flannel").Reference(bundle.DefaultImageRepository)]; have != flannel[want] {
					t.Errorf("%s has flannel's image %s, want %s", name, have, flannel[want])
				}
				if bill, _, _ := w.machines[name].ReadFile(manifests.BillFile); (string(bill) == bills[name]) != (want == testVersion) {
					t.Errorf("%s says that it has the bundle %q in force, want that of %s", name, bill, want)
				}
				if w.nodes[name].Unschedulable && step.ID != "cluster/upgrade/"+name+"/uncordon" {
					t.Errorf("%s is still cordoned", name)
				}
			}
			w.all(Upgrade)
			again, _ := w.planned(Upgrade)
			wantEmpty(t, again)
		})
	}
}
