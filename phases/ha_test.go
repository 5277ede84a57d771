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
	"github.com/slipway-k8s/slipway/phases/view"
)

func takingOut(name string) workflow {
	return func(in Input) (plan.Plan, plan.Contents, error) { return TakeOut(in, name) }
}

func puttingBack(names ...string) workflow {
	return func(in Input) (plan.Plan, plan.Contents, error) { return PutBack(in, names...) }
}

func TestAControlPlaneIsTakenOutAndPutBack(t *testing.T) {
	for _, mode := range []cluster.EndpointMode{cluster.EndpointVIP, cluster.EndpointLocal, cluster.EndpointLoadBalancers, cluster.EndpointExternal} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorldOf(t, shape{mode: mode, planes: 3, workers: 1, spares: sparesOf(mode)})
			w.init(seeded(1))
			want := w.state()
			w.unbundled = true // but for the look at the end of each turn
			for _, host := range w.cluster.ControlPlanes() {
				p, contents := w.planned(takingOut(host.Name))
				w.run(p, contents, seeded(2), -1)
				for _, manifest := range staticPods {
					if w.runs(host.Name, manifest) {
						t.Errorf("%s still runs on %s", manifest, host.Name)
					}
				}
				if !w.apiUp() || !w.reaches("w-1") || w.etcd.leader == host.Name {
					t.Errorf("without %s: API up %v, reached %v, leader %s", host.Name, w.apiUp(), w.reaches("w-1"), w.etcd.leader)
				}
				p, contents = w.planned(puttingBack(host.Name))
				w.run(p, contents, seeded(3), -1)
				p, _ = w.planned(puttingBack())
				wantEmpty(t, p)
				w.unbundled = false
				p, _ = w.planned(Init)
				wantEmpty(t, p)
				w.unbundled = true
			}
			if got := w.state(); got != want {
				t.Errorf("the cluster is not what it was:\n%s", difference(want, got))
			}
		})
	}
}

// sparesOf is how many load balancers a mode needs.
func sparesOf(mode cluster.EndpointMode) int {
	if mode == cluster.EndpointLoadBalancers {
		return 2
	}
	return 0
}

func TestWhatAKilledTestLeftIsPutBack(t *testing.T) {
	chance := seeded(4)
	for _, back := range []workflow{puttingBack(), Init} {
		for cut := 0; ; cut++ {
			w := newWorld(t, 3, 0)
			w.init(chance)
			p, contents := w.planned(takingOut("cp-2"))
			if cut > len(p.Steps) {
				break
			}
			w.run(p, contents, chance, cut)
			if cut > 0 && len(checks.Preflight(view.HATest, w.observe().View)) == 0 {
				t.Errorf("after %d steps nothing seems to be missing", cut)
			}
			p, contents = w.planned(back)
			w.run(p, contents, chance, -1)
			if problems := checks.Preflight(view.HATest, w.observe().View); len(problems) > 0 {
				t.Errorf("cut at %d: %v", cut, problems)
			}
			p, _ = w.planned(Init)
			wantEmpty(t, p)
		}
	}
}

func TestConnectionsAreShutBeforeTheAddressGoes(t *testing.T) {
	w := newWorld(t, 3, 0)
	w.init(seeded(1))
	p, _ := w.planned(takingOut("cp-1"))
	order := []int{
		at(p, "/load-balancer"), at(p, manifests.KubeletUnit),
		at(p, "/control-plane"), at(p, "/move-leader"), at(p, "/etcd"),
	}
	if !slices.IsSorted(order) || order[0] < 0 {
		t.Errorf("order: %v", order)
	}
	for _, step := range p.Steps {
		if stop, ok := step.Action.(hosts.StopUnits); ok && !stop.Enabled {
			t.Errorf("%v would not be back after a reboot", stop.Names)
		}
	}
	wantStops(t, p, "/load-balancer", hosts.StopUnits{Names: []string{manifests.HAProxyUnit, manifests.KeepalivedUnit}, Enabled: true})
	w.act("cp-1", hosts.SetUnit{Name: manifests.KeepalivedUnit, Enabled: true})
	p, _ = w.planned(puttingBack())
	if at(p, manifests.KeepalivedUnit) < 0 || at(p, manifests.KubeletUnit) >= 0 {
		t.Errorf("planned %q", changes(p))
	}
}

func TestOnlyTheAddressIsReleased(t *testing.T) {
	w := newWorld(t, 3, 0)
	w.init(seeded(1))
	p, contents := w.planned(func(in Input) (plan.Plan, plan.Contents, error) { return ReleaseVIP(in, "cp-1") })
	w.run(p, contents, seeded(1), -1)
	if got := changes(p); len(got) != 1 || w.unitActive("cp-1", manifests.KeepalivedUnit) || !w.unitActive("cp-1", manifests.HAProxyUnit) {
		t.Errorf("planned %q", got)
	}
}

func TestHATestNeedsEveryMemberButOne(t *testing.T) {
	tests := []struct {
		name  string
		shape shape
		spoil func(w *world)
		want  string // empty: nothing is in the way
	}{
		{"three that are well", shape{mode: cluster.EndpointVIP, planes: 3}, nil, ""},
		{"one", shape{mode: cluster.EndpointVIP, planes: 1}, nil, "etcd has 1 member with a vote; to do without one it needs 3"},
		{"no balancer", shape{mode: cluster.EndpointControlPlane, planes: 1}, nil, "the endpoint is the address of the only control plane"},
		{"two", shape{mode: cluster.EndpointVIP, planes: 2}, nil, "etcd has 2 members with a vote"},
		{"a host that is down", shape{mode: cluster.EndpointVIP, planes: 3}, func(w *world) { w.power("cp-3", false) }, "etcd's member cp-3 does not answer"},
		{"a unit that is stopped", shape{mode: cluster.EndpointVIP, planes: 3}, func(w *world) {
			w.act("cp-2", hosts.SetUnit{Name: manifests.KeepalivedUnit, Enabled: true})
		}, "cp-2: Health: keepalived.service is inactive"},
		{"an API server that is stopped", shape{mode: cluster.EndpointVIP, planes: 3}, func(w *world) {
			w.act("cp-2", hosts.SetUnit{Name: manifests.KubeletUnit, Enabled: true})
			w.act("cp-2", hosts.StopPods{Only: serverPods("cp-2")})
		}, "cp-2: Health: kube-apiserver does not answer"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorldOf(t, test.shape)
			w.init(seeded(1))
			if test.spoil != nil {
				test.spoil(w)
			}
			var lines []string
			for _, problem := range checks.Preflight(view.HATest, w.observe().View) {
				lines = append(lines, problem.String())
			}
			got := strings.Join(lines, "\n")
			if (test.want == "") != (got == "") || !strings.Contains(got, test.want) {
				t.Errorf("problems:\n%s\nwant something of %q", got, test.want)
			}
		})
	}
}
