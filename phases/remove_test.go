package phases

import (
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/phases/plan"
)

func TestADeadControlPlaneIsTakenOutByTheLiving(t *testing.T) {
	for _, mode := range []cluster.EndpointMode{cluster.EndpointVIP, cluster.EndpointLocal, cluster.EndpointLoadBalancers, cluster.EndpointExternal} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWorldOf(t, shape{mode: mode, planes: 3, workers: 1, spares: sparesOf(mode)})
			w.init(seeded(1))
			dead := w.etcd.leader
			w.power(dead, false)
			p, contents := w.planned(removing(dead))
			if len(p.Warnings) < 1 || !strings.Contains(strings.Join(p.Warnings, "\n"), "slipway reset "+dead) {
				t.Errorf("warned %q", p.Warnings)
			}
			before := plan.Predecessors(p)
			for _, pair := range [][2]string{{"remove-etcd-member/" + dead, "/pods"}, {"/pods", "/delete"}} {
				if !reaches(before, "cluster/remove-node/"+dead+pair[1], stepEnding(p, pair[0])) {
					t.Errorf("%s does not wait for %s", pair[1], pair[0])
				}
			}
			w.touched = map[string]bool{}
			w.run(p, contents, seeded(2), -1)
			if w.touched[dead] {
				t.Error("the dead host was touched")
			}
			for _, step := range p.Steps {
				if step.Host != "" && step.Phase != plan.PhaseLoadBalancer && step.Phase != plan.PhaseTidy {
					t.Errorf("%s touches a host that stays", step.ID)
				}
			}
			again, _ := w.planned(removing(dead))
			wantEmpty(t, again)
			w.leaveFile(dead)
			w.sane("the removal")
		})
	}
}

// stepEnding is the id of the first step that ends so.
func stepEnding(p plan.Plan, suffix string) string {
	for _, step := range p.Steps {
		if strings.HasSuffix(step.ID, suffix) {
			return step.ID
		}
	}
	return ""
}

func TestADeadWorkerIsTakenOut(t *testing.T) {
	w := newWorld(t, 1, 2)
	w.init(seeded(1))
	w.power("w-1", false)
	p, contents := w.planned(removing("w-1"))
	if got := changes(p); len(got) != 2 || len(p.Warnings) != 1 {
		t.Errorf("planned %q, warned %q", got, p.Warnings)
	}
	w.run(p, contents, seeded(1), -1)
	w.leaveFile("w-1")
	w.sane("the removal")
}

func TestADeadLoadBalancerIsNobodysPeer(t *testing.T) {
	w := newWorldOf(t, shape{mode: cluster.EndpointLoadBalancers, planes: 1, workers: 1, spares: 3})
	w.init(seeded(1))
	w.power("lb-2", false)
	p, contents := w.planned(removing("lb-2"))
	w.run(p, contents, seeded(1), -1)
	w.leaveFile("lb-2")
	w.sane("the removal")
}

func TestRemovalIsRefused(t *testing.T) {
	tests := []struct {
		name  string
		shape shape
		prep  func(w *world)
		hosts []string
		want  string
	}{
		{"of a control plane that lives", shape{planes: 3}, nil, []string{"cp-2"}, "cp-2: Membership: it is not dead: its etcd answers (take it out by: slipway reset cp-2"},
		{"of a worker that lives", shape{planes: 1, workers: 1}, nil, []string{"w-1"}, "its node is Ready"},
		{"without a quorum", shape{planes: 3}, func(w *world) {
			w.power("cp-2", false)
			w.power("cp-3", false)
		}, []string{"cp-3"}, "Quorum: etcd has 3 members (cp-1, cp-2, cp-3), of which a quorum is 2; none of them answers (cp-1: it knows no leader; cp-2: connection refused"},
		{"of the last control plane", shape{planes: 1, workers: 1}, func(w *world) { w.power("cp-1", false) }, []string{"cp-1"}, "it is the last control plane"},
		{"of the last load balancer", shape{mode: cluster.EndpointLoadBalancers, planes: 1, spares: 1}, func(w *world) { w.power("lb-1", false) }, []string{"lb-1"}, "it is the last load balancer: without one nothing holds 10.0.0.200"},
		{"of a host that is not in the file", shape{planes: 1}, nil, []string{"cp-9"}, "no host of this name"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.shape.mode == "" {
				test.shape.mode = cluster.EndpointVIP
			}
			w := newWorldOf(t, test.shape)
			w.init(seeded(1))
			if test.prep != nil {
				test.prep(w)
			}
			_, _, err := Remove(w.observe(), test.hosts)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("remove: %v\nwant something of %q", err, test.want)
			}
		})
	}
}

func TestAHostThatComesBackAfterItsRemovalIsReset(t *testing.T) {
	w := newWorld(t, 3, 0)
	bare := w.machine("cp-3")
	w.init(seeded(1))
	w.power("cp-3", false)
	p, contents := w.planned(removing("cp-3"))
	w.run(p, contents, seeded(1), -1)
	w.power("cp-3", true)
	p, contents = w.planned(resetting("cp-3"))
	for _, step := range p.Steps {
		if _, ok := step.Cluster.(plan.MemberRemove); ok {
			t.Errorf("%s: the member is gone already", step.ID)
		}
	}
	w.run(p, contents, seeded(2), -1)
	if w.machine("cp-3") != bare {
		t.Errorf("cp-3 is not what it was:\n%s", difference(bare, w.machine("cp-3")))
	}
	w.leaveFile("cp-3")
	w.sane("the reset")
}

func TestADeadBalancerIsToldLater(t *testing.T) {
	w := newWorld(t, 5, 0)
	w.init(seeded(1))
	w.power("cp-5", false)
	p, contents := w.planned(resetting("cp-1"))
	if all := strings.Join(p.Warnings, "\n"); !strings.Contains(all, "cp-5: load-balancer: the configuration of haproxy and keepalived cannot be updated") || !strings.Contains(all, "slipway init") {
		t.Errorf("warned %q", p.Warnings)
	}
	w.run(p, contents, seeded(1), -1)
	w.leaveFile("cp-1")
	w.power("cp-5", true)
	p, contents = w.planned(Init)
	if got := changes(p); len(got) != 4 {
		t.Errorf("to be put right: %q", got)
	}
	w.run(p, contents, seeded(1), -1)
	w.sane("the init")
}

func TestPlansOfLeavingReadAsExpected(t *testing.T) {
	w := newWorldOf(t, shape{mode: cluster.EndpointVIP, planes: 3, workers: 1})
	w.init(seeded(1))
	p, _ := w.planned(resetting("cp-2"))
	golden(t, "reset-control-plane.txt", plan.Text(p))
	golden(t, "reset-control-plane-edges.txt", edges(p))
	p, contents := w.planned(takingOut("cp-1"))
	golden(t, "take-out.txt", plan.Text(p))
	w.run(p, contents, seeded(1), -1)
	p, contents = w.planned(puttingBack("cp-1"))
	golden(t, "put-back.txt", plan.Text(p))
	w.run(p, contents, seeded(1), -1)
	w.power("cp-3", false)
	p, _ = w.planned(removing("cp-3"))
	golden(t, "remove.txt", plan.Text(p)+strings.Join(p.Warnings, "\n")+"\n")
}

func TestRemovalOfWhoMayHoldTheVirtualAddressIsRefused(t *testing.T) {
	for _, test := range []struct {
		shape shape
		dies  string
		want  string
	}{
		{shape{mode: cluster.EndpointVIP, planes: 3}, "cp-1", "cp-1: VirtualIP: no host that answers has 10.0.0.200: cp-1 may hold it still (cut its power first, then wait until another has it)"},
		{shape{mode: cluster.EndpointLoadBalancers, planes: 1, spares: 2}, "lb-1", "no host that answers has 10.0.0.200: lb-1 may hold it still"},
		{shape{mode: cluster.EndpointLocal, planes: 3}, "cp-1", ""},
		{shape{mode: cluster.EndpointVIP, planes: 1, workers: 1}, "w-1", ""},
	} {
		w := newWorldOf(t, test.shape)
		w.init(seeded(1))
		w.power(test.dies, false)
		in := w.observe()
		if _, _, err := Remove(in, []string{test.dies}); err != nil {
			t.Errorf("%s: while another has the address: %v", test.dies, err)
		}
		for name, facts := range in.Facts {
			facts.Interfaces = w.look(name, HostQuery(w.cluster, w.bill, cluster.Host{Name: name})).Interfaces // without it
			in.Facts[name] = facts
		}
		_, _, err := Remove(in, []string{test.dies})
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s: %v", test.dies, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s: %v\nwant something of %q", test.dies, err, test.want)
		}
	}
}

func TestARefusedRemovalDoesNotRecommendItself(t *testing.T) {
	w := newWorld(t, 3, 0)
	w.init(seeded(1))
	w.power("cp-2", false)
	w.power("cp-3", false)
	_, _, err := Remove(w.observe(), []string{"cp-3"})
	if err == nil || strings.Contains(err.Error(), "remove --offline") || !strings.Contains(err.Error(), "bring up the others that do not answer first") {
		t.Errorf("remove: %v", err)
	}
}
