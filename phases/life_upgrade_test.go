package phases

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
)

// upgradeShape is a cluster as somebody may have it.
func upgradeShape(chance *rand.Rand) shape {
	modes := []cluster.EndpointMode{cluster.EndpointVIP, cluster.EndpointLocal, cluster.EndpointLoadBalancers, cluster.EndpointControlPlane}
	s := shape{mode: modes[chance.IntN(len(modes))], planes: 1 + 2*chance.IntN(3), workers: chance.IntN(7), external: chance.IntN(4) == 0}
	switch s.mode {
	case cluster.EndpointLoadBalancers:
		s.spares = 1 + chance.IntN(2)
	case cluster.EndpointControlPlane:
		s.planes = 1
	}
	return s
}

// TestUpgradesOfGeneratedClusters: an upgrade that is cut anywhere, again and again, goes on, or is taken back, or
// is begun anew; in the end all is old or all is new. Meanwhile never two control planes are out at once, and never
// more workers than the file allows (world.keepsServing).
func TestUpgradesOfGeneratedClusters(t *testing.T) {
	turns := 0
	for seed := range uint64(upgradeLives) {
		chance := seeded(seed)
		s, atOnce := upgradeShape(chance), chance.IntN(4)
		t.Run(fmt.Sprintf("%d/%+v/%d at once", seed, s, atOnce), func(t *testing.T) {
			w := newWorldOf(t, s)
			w.atOnce = atOnce
			w.beforeUpgrade()
			flow, version := Upgrade, nextVersion
			for range chance.IntN(5) {
				p, contents := w.planned(flow)
				w.run(p, contents, chance, chance.IntN(1+len(p.Steps)))
				if chance.IntN(2) == 0 {
					continue // by the same command
				}
				if w.turnRound(version == nextVersion) {
					turns++
					if flow, version = Rollback, testVersion; w.back == nil {
						flow, version = Upgrade, nextVersion
					}
				}
			}
			w.rest(flow)
			again, _ := w.planned(flow)
			wantEmpty(t, again)
			for _, host := range w.cluster.Hosts {
				if host.IsNode() && (w.inForce(host.Name) != version || w.kubelets[host.Name] != versionOf(version) || w.nodes[host.Name].Unschedulable) {
					t.Errorf("%s has %s, its kubelet %s, cordoned %v; want %s", host.Name, w.inForce(host.Name), w.kubelets[host.Name], w.nodes[host.Name].Unschedulable, version)
				}
			}
		})
	}
	if turns < upgradeLives/10 {
		t.Errorf("only %d of %d upgrades were taken back on their way, or begun anew", turns, upgradeLives)
	}
}

// turnRound has the next command go the other way; false where there is none, since no host has kept anything.
func (w *world) turnRound(forward bool) bool {
	w.t.Helper()
	if !forward {
		w.nextBundle()
		w.back, w.backFrom, w.kept = nil, "", nil
		return true
	}
	w.goBack()
	if len(w.back) > 0 {
		return true
	}
	w.nextBundle()
	w.back, w.backFrom, w.kept = nil, "", nil
	return false
}
