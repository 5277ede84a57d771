package phases

import (
	"slices"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// stoppable is a cluster whose command has no bundle, as stop and start have none.
func stoppable(t *testing.T, s shape) *world {
	t.Helper()
	w := newWorldOf(t, s)
	w.init(seeded(1))
	w.unbundled, w.sandboxes = true, true
	return w
}

// wantNothingRuns wants that all of the cluster is stopped, and would be back after a boot.
func (w *world) wantNothingRuns() {
	w.t.Helper()
	for _, host := range w.cluster.Hosts {
		for _, unit := range []string{manifests.KubeletUnit, manifests.HAProxyUnit, manifests.KeepalivedUnit} {
			if w.unitActive(host.Name, unit) {
				w.t.Errorf("%s still runs on %s", unit, host.Name)
			}
			if state := w.machines[host.Name].Unit(unit); state.Load == "loaded" && state.Enabled != "enabled" {
				w.t.Errorf("%s would not be back after a boot of %s: %+v", unit, host.Name, state)
			}
		}
		for manifest, runs := range w.running[host.Name] {
			if runs {
				w.t.Errorf("%s still runs on %s", manifest, host.Name)
			}
		}
	}
}

func TestAClusterIsStoppedAndStartedAgain(t *testing.T) {
	for _, mode := range []cluster.EndpointMode{cluster.EndpointControlPlane, cluster.EndpointVIP, cluster.EndpointLocal, cluster.EndpointLoadBalancers, cluster.EndpointExternal} {
		t.Run(string(mode), func(t *testing.T) {
			planes := 3
			if mode == cluster.EndpointControlPlane {
				planes = 1
			}
			w := stoppable(t, shape{mode: mode, planes: planes, workers: 2, spares: sparesOf(mode)})
			want := w.state()
			p, _ := w.planned(Start)
			wantEmpty(t, p)
			w.all(Stop)
			w.wantNothingRuns()
			p, _ = w.planned(Stop)
			wantEmpty(t, p)
			w.all(Start)
			p, _ = w.planned(Start)
			wantEmpty(t, p)
			if got := w.state(); got != want {
				t.Errorf("the cluster is not what it was:\n%s", difference(want, got))
			}
			w.unbundled, w.sandboxes = false, false
			p, _ = w.planned(Init)
			wantEmpty(t, p)
		})
	}
}

// TestWhatACutStopOrStartLeftIsTakenUp at every step, by the same and by the other command.
func TestWhatACutStopOrStartLeftIsTakenUp(t *testing.T) {
	chance := seeded(4)
	begun := stoppable(t, shape{mode: cluster.EndpointVIP, planes: 3, workers: 1})
	stopped := begun.clone(t)
	stopped.all(Stop)
	for name, from := range map[string]struct {
		world *world
		first workflow
	}{"stop": {begun, Stop}, "start": {stopped, Start}} {
		p, _ := from.world.planned(from.first)
		for cut := range len(p.Steps) {
			w := from.world.clone(t)
			p, contents := w.planned(from.first)
			w.run(p, contents, chance, cut)
			again := w.clone(t)
			w.all(Start)
			if p, _ = w.planned(Start); !p.Empty() || !w.apiUp() {
				t.Errorf("%s cut at %d, then start: %s", name, cut, plan.Text(p))
			}
			again.all(Stop)
			again.wantNothingRuns()
		}
	}
}

func TestAClusterStopsFromTheWorkersToEtcd(t *testing.T) {
	w := stoppable(t, shape{mode: cluster.EndpointVIP, planes: 3, workers: 1})
	p, _ := w.planned(Stop)
	before := plan.Predecessors(p)
	for _, pair := range [][2]string{
		{"w-1/kubelet/stop", "w-1/kubelet/pods"},
		{"w-1/kubelet/pods", "cp-1/kubelet/stop"},
		{"cp-2/kubelet/stop", "cp-1/control-plane/controllers"},
		{"cp-2/control-plane/controllers", "cp-1/control-plane/api-server"},
		{"cp-2/control-plane/api-server", "cp-1/etcd/etcd"},
		{"cp-2/etcd/etcd", "cp-1/kubelet/pods"},
		{"cp-2/kubelet/pods", "cp-1/load-balancer/stop"},
	} {
		if !reaches(before, pair[1], pair[0]) {
			t.Errorf("%s does not wait for %s", pair[1], pair[0])
		}
	}
	for _, step := range p.Steps {
		if pods, is := step.Action.(hosts.StopPods); is && pods.Grace == 0 {
			t.Errorf("%s kills at once", step.ID)
		}
	}
}

func TestAClusterStartsAllControlPlanesAtOnceAndTheWorkersLast(t *testing.T) {
	w := stoppable(t, shape{mode: cluster.EndpointVIP, planes: 3, workers: 1})
	w.all(Stop)
	p, _ := w.planned(Start)
	before := plan.Predecessors(p)
	for _, pair := range [][2]string{
		{"cp-1/kubelet/" + manifests.KubeletUnit, "cluster/wait-control-plane/cp-1"},
		{"cluster/wait-control-plane/cp-1", "cp-1/load-balancer/" + manifests.KeepalivedUnit},
		{"cluster/wait-control-plane/cp-2", "w-1/kubelet/" + manifests.KubeletUnit},
		{"w-1/kubelet/" + manifests.KubeletUnit, "cluster/wait-node/w-1"},
	} {
		if !reaches(before, pair[1], pair[0]) {
			t.Errorf("%s does not wait for %s", pair[1], pair[0])
		}
	}
	if reaches(before, "cp-1/kubelet/"+manifests.KubeletUnit, "cp-2/kubelet/"+manifests.KubeletUnit) || reaches(before, "cp-3/kubelet/"+manifests.KubeletUnit, "cluster/wait-control-plane/cp-1") {
		t.Error("control planes wait for each other, and etcd for its quorum")
	}
	for _, step := range p.Steps {
		if wait, is := step.Cluster.(plan.WaitNode); is && !wait.Restarted {
			t.Errorf("%s takes a Ready of before", step.ID)
		}
	}
}

// TestStartLeavesWhatIsNotEnabled alone: a host that is only prepared is in no cluster.
func TestStartLeavesWhatIsNotEnabled(t *testing.T) {
	w := stoppable(t, shape{mode: cluster.EndpointVIP, planes: 1, workers: 1})
	w.act("w-1", hosts.StopUnits{Names: []string{manifests.KubeletUnit}})
	p, _ := w.planned(Start)
	if slices.ContainsFunc(p.Steps, func(step plan.Step) bool { return step.Subject.Host == "w-1" }) {
		t.Errorf("planned\n%s", plan.Text(p))
	}
}

// TestStopAndStartNeedEveryHost: one that is not seen would run on, or be missed.
func TestStopAndStartNeedEveryHost(t *testing.T) {
	w := stoppable(t, shape{mode: cluster.EndpointVIP, planes: 3, workers: 1})
	w.power("w-1", false)
	for _, workflow := range []workflow{Stop, Start} {
		_, _, err := workflow(w.observe())
		if _, refused := err.(*checks.Refused); !refused || !strings.Contains(err.Error(), "w-1: Connection") {
			t.Errorf("not refused: %v", err)
		}
	}
}
