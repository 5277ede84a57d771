package phases

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// TestAnUpgradePausesAfterAnyTurn: what was begun is whole, what comes later is staged and nothing more,
// and the same command without the pause does the rest. That is so, too, where it was cut before.
func TestAnUpgradePausesAfterAnyTurn(t *testing.T) {
	for _, s := range []shape{
		{mode: cluster.EndpointVIP, planes: 3, workers: 3},
		{mode: cluster.EndpointControlPlane, planes: 1, workers: 1},
		{mode: cluster.EndpointLoadBalancers, planes: 3, spares: 2, workers: 1},
	} {
		t.Run(fmt.Sprintf("%+v", s), func(t *testing.T) {
			whole := newWorldOf(t, s)
			whole.beforeUpgrade()
			pauses := []string{view.PauseAfterControlPlanes}
			for _, host := range whole.cluster.Hosts {
				pauses = append(pauses, host.Name)
			}
			for i, pause := range pauses {
				w := whole.clone(t)
				w.pause = pause
				p, contents := w.planned(Upgrade)
				if i%2 == 1 {
					w.run(p, contents, seeded(uint64(i)), len(p.Steps)/2)
					w.rest(Upgrade)
				} else {
					w.run(p, contents, seeded(uint64(i)), -1)
				}
				again, _ := w.planned(Upgrade)
				wantEmpty(t, again)
				w.wantPaused(p.Left, again.Left)
				w.pause = ""
				w.rest(Upgrade)
				again, _ = w.planned(Upgrade)
				wantEmpty(t, again)
				w.wantPaused(nil, again.Left)
			}
		})
	}
}

// wantPaused wants that all but what is left has the next version, and that nothing is half done.
func (w *world) wantPaused(left ...[]string) {
	w.t.Helper()
	if !slices.Equal(left[0], left[1]) {
		w.t.Fatalf("pause %q: left for later was said to be %v, and is %v", w.pause, left[0], left[1])
	}
	isLeft := func(name string) bool { return slices.Contains(left[0], name) }
	for name, node := range w.nodes {
		if isNew := node.KubeletVersion == versionOf(nextVersion); isNew == isLeft(name) || node.Unschedulable {
			w.t.Errorf("pause %q: node %s has %s, cordoned %v; left are %v", w.pause, name, node.KubeletVersion, node.Unschedulable, left[0])
		}
	}
	for _, host := range w.cluster.Hosts {
		if isLeft(host.Name) == (len(w.look(host.Name, HostQuery(w.cluster, w.bill, host)).Kept) > 0) {
			w.t.Errorf("pause %q: %s is begun, or not: left are %v", w.pause, host.Name, left[0])
		}
	}
	proxy := string(w.objects[hosts.ObjectKey{APIVersion: "apps/v1", Kind: "DaemonSet", Namespace: "kube-system", Name: "kube-proxy"}])
	if strings.Contains(proxy, "kube-proxy:"+nextVersion) == isLeft(turnOfCluster) {
		w.t.Errorf("pause %q: left are %v, kube-proxy is %s", w.pause, left[0], proxy)
	}
}

// TestAPausedUpgradeIsStagedEverywhere: the rest of it brings nothing to any host any more.
func TestAPausedUpgradeIsStagedEverywhere(t *testing.T) {
	w := newWorld(t, 3, 2)
	w.init(seeded(1))
	w.nextBundle()
	w.upgrading, w.pause = true, "cp-1"
	p, contents := w.planned(Upgrade)
	w.run(p, contents, seeded(2), -1)
	w.pause = ""
	p, _ = w.planned(Upgrade)
	for _, step := range p.Steps {
		if stages(step) || inPhase(plan.PhaseTidy)(step) && step.Host == "cp-1" {
			t.Errorf("%s is still to be done", step.ID)
		}
	}
}

// TestAPauseLeavesNothingHalfDone: what an upgrade that was cut has begun comes to its end, also where
// the pause comes before it.
func TestAPauseLeavesNothingHalfDone(t *testing.T) {
	whole := newWorld(t, 3, 2)
	whole.beforeUpgrade()
	first, _ := whole.planned(Upgrade)
	for cut := 0; cut < len(first.Steps); cut += 29 {
		w := whole.clone(t)
		p, contents := w.planned(Upgrade)
		w.run(p, contents, seeded(uint64(cut)), cut)
		w.pause = "cp-1"
		w.rest(Upgrade)
		again, _ := w.planned(Upgrade)
		wantEmpty(t, again)
		w.wantPaused(again.Left, again.Left)
	}
}

// TestAnUpgradeMakesDirectoriesBeforeItStages: what is staged lies in them.
func TestAnUpgradeMakesDirectoriesBeforeItStages(t *testing.T) {
	w := newWorld(t, 1, 1)
	w.init(seeded(1))
	w.machines["w-1"].Chmod("/opt/slipway", 0o700)
	w.nextBundle()
	w.all(Upgrade)
	again, _ := w.planned(Upgrade)
	wantEmpty(t, again)
}
