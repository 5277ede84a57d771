package phases

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// TestEveryHostTellsWhichBundleIsInForce: once all of the bundle is in force there, and whether it was prepared
// or is in the cluster.
func TestEveryHostTellsWhichBundleIsInForce(t *testing.T) {
	w := newWorldOf(t, shape{mode: cluster.EndpointLoadBalancers, planes: 1, workers: 1, spares: 1})
	p, contents := w.planned(Prepare)
	before := plan.Predecessors(p)
	for _, step := range p.Steps {
		if write, is := step.Action.(hosts.WriteFile); !is || write.Path != manifests.BillFile {
			continue
		}
		for _, other := range p.Steps {
			if unpack, is := other.Action.(hosts.Unpack); is && other.Host == step.Host && !reaches(before, step.ID, other.ID) {
				t.Errorf("%s is not written after %s is unpacked", step.ID, unpack.Set)
			}
		}
	}
	w.run(p, contents, seeded(1), -1)
	w.holdBill("prepared")
	w.init(seeded(2))
	w.holdBill("in the cluster")
}

// holdBill complains of hosts that have another bill than the world's.
func (w *world) holdBill(when string) {
	w.t.Helper()
	for _, host := range w.cluster.Hosts {
		content, mode, _ := w.machines[host.Name].ReadFile(manifests.BillFile)
		bill, err := bundle.ReadBill(content)
		if diff := cmp.Diff(w.bill, bill); err != nil || mode != 0o600 || diff != "" {
			w.t.Errorf("%s, %s: mode %04o, %v, -want +got:\n%s", host.Name, when, mode, err, diff)
		}
	}
}

// TestABillAloneRestartsNothing: a bundle that differs in nothing that a host has is noted there, and nothing
// waits for anything to start again.
func TestABillAloneRestartsNothing(t *testing.T) {
	w := newWorld(t, 1, 1)
	w.init(seeded(1))
	w.bill.SlipwayVersion = "v9"
	p, _ := w.planned(Init)
	notes := 0
	for _, step := range p.Steps {
		switch a := step.Action.(type) {
		case hosts.TidyStore:
		case hosts.WriteFile:
			if a.Path != manifests.BillFile {
				t.Errorf("%s", step.ID)
			}
			notes++
		default:
			t.Errorf("%s", step.ID)
		}
	}
	if notes != len(w.cluster.Hosts) {
		t.Errorf("%d hosts are told of the bundle, want %d", notes, len(w.cluster.Hosts))
	}
}

// TestABillIsTheLastThatAnUpgradeChangesOnAHost: it is removed before all else, written after all else, and
// not tidied away before.
func TestABillIsTheLastThatAnUpgradeChangesOnAHost(t *testing.T) {
	for name, next := range map[string]func(*world){
		"a new version":      (*world).nextBundle,
		"nothing but a bill": func(w *world) { w.bill.SlipwayVersion = "v9" },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorldOf(t, shape{mode: cluster.EndpointLoadBalancers, planes: 1, workers: 1, spares: 1})
			w.init(seeded(1))
			next(w)
			p, contents := w.planned(Upgrade)
			before := plan.Predecessors(p)
			tidied := 0
			for _, step := range p.Steps {
				removed, written := step.Host+"/upgrade"+manifests.BillFile, step.Host+"/activate"+manifests.BillFile
				switch {
				case step.Host == "" || step.IsRescue() || isAhead(step) || step.ID == removed || step.ID == written:
				case step.Phase == plan.PhaseTidy:
					if tidied++; !reaches(before, step.ID, written) {
						t.Errorf("%s does not wait for %s", step.ID, written)
					}
				case step.Phase != plan.PhaseUpgrade && step.Phase != plan.PhasePrune:
					if !reaches(before, step.ID, removed) || !reaches(before, written, step.ID) {
						t.Errorf("%s is not between %s and %s", step.ID, removed, written)
					}
				}
			}
			if tidied != len(w.cluster.Hosts) {
				t.Errorf("%d hosts are tidied", tidied)
			}
			w.run(p, contents, seeded(2), -1)
			w.holdBill("upgraded")
		})
	}
}
