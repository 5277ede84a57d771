package phases

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// TestADeletedNodeComesBackByJoin: a kubelet whose node was deleted registers it when it starts,
// and not before.
func TestADeletedNodeComesBackByJoin(t *testing.T) {
	for _, name := range []string{"w-1", "cp-2"} {
		w := newWorld(t, 3, 1)
		w.init(seeded(1))
		in := w.observe()
		in.ClusterFacts.Nodes = slices.DeleteFunc(slices.Clone(in.ClusterFacts.Nodes), func(node hosts.Node) bool { return node.Name == name })
		p, _, err := Join(in)
		if err != nil {
			t.Fatal(err)
		}
		restarts := slices.ContainsFunc(p.Steps, func(step plan.Step) bool {
			unit, ok := step.Action.(hosts.SetUnit)
			return ok && step.Host == name && unit.Name == manifests.KubeletUnit && unit.Restart
		})
		if !restarts || !reaches(plan.Predecessors(p), "cluster/wait-node/"+name, name+"/kubelet/"+manifests.KubeletUnit) {
			t.Errorf("the kubelet of %s is not started anew before its node is waited for: %q", name, changes(p))
		}
	}
}

func TestJoinTouchesOnlyNewHosts(t *testing.T) {
	for seed := range uint64(2) {
		chance := seeded(seed)
		w := generated(t, chance)
		w.init(chance)
		w.add(21)
		w.add(22)
		before := map[string]string{}
		for _, host := range w.cluster.Hosts {
			before[host.Name] = w.machine(host.Name)
		}
		w.touched = map[string]bool{}
		p, contents := w.planned(Join)
		w.run(p, contents, chance, -1)
		for _, host := range w.cluster.Hosts {
			isNew := host.Name == "w-21" || host.Name == "w-22"
			if w.touched[host.Name] != isNew {
				t.Errorf("%s: touched %v", host.Name, w.touched[host.Name])
			}
			if !isNew && w.machine(host.Name) != before[host.Name] {
				t.Errorf("%s was changed by a join", host.Name)
			}
		}
		for _, step := range p.Steps {
			if apply, ok := step.Cluster.(plan.Apply); ok {
				t.Errorf("a worker's join changes %s", apply.Object)
			}
		}
		again, _ := w.planned(Join)
		wantEmpty(t, again)
		again, _ = w.planned(Init)
		wantEmpty(t, again)
	}
}

func TestJoinResumesFromEveryCut(t *testing.T) {
	chance := seeded(5)
	for cut := 0; ; cut += 1 + chance.IntN(8) {
		w := newWorld(t, 1, 1)
		w.init(chance)
		w.add(2)
		p, contents := w.planned(Join)
		if cut >= len(p.Steps) {
			break
		}
		w.run(p, contents, chance, cut)
		w.reconnect()
		p, contents = w.planned(Join)
		if p.Empty() && !w.observe().Joined("w-2") { // the last step may have been to tidy up
			t.Fatalf("after %d steps a half-joined host is taken for joined", cut)
		}
		w.run(p, contents, chance, -1)
		if !w.observe().Joined("w-2") {
			t.Fatalf("after a cut at %d, w-2 has not joined", cut)
		}
		p, _ = w.planned(Init)
		wantEmpty(t, p)
	}
}

func TestJoinWorksWhileAnotherHostIsDown(t *testing.T) {
	w := newWorld(t, 1, 2)
	w.init(seeded(1))
	w.add(3)
	w.down["w-2"] = true
	p, contents := w.planned(Join)
	w.run(p, contents, seeded(1), -1)
	if !w.observe().Joined("w-3") {
		t.Error("w-3 has not joined")
	}
}

// asSeenBy is what a join observes that has reached only the hosts of these names.
func asSeenBy(in Input, names ...string) Input {
	few := map[string]hosts.Facts{}
	for _, name := range names {
		few[name] = in.Facts[name]
	}
	in.Facts = few
	return in
}

// TestAWorkersJoinNeedsNoOtherHost: the plan is the same as of one who has looked at all.
func TestAWorkersJoinNeedsNoOtherHost(t *testing.T) {
	for mode, balancers := range map[cluster.EndpointMode]int{cluster.EndpointVIP: 0, cluster.EndpointLocal: 0, cluster.EndpointLoadBalancers: 2} {
		w := newWorldOf(t, shape{mode: mode, planes: 3, workers: 2, spares: balancers})
		w.init(seeded(1))
		w.add(3)
		all := w.observe()
		want, _, err := Join(all)
		if err != nil || want.Empty() {
			t.Fatalf("join: %v", err)
		}
		few := asSeenBy(all, "w-3")
		if reach := hostNames(JoinReach(few)); !slices.Equal(reach, []string{"w-3"}) {
			t.Errorf("%s: a worker's join reaches %v", mode, reach)
		}
		got, _, err := Join(few)
		if err != nil || plan.Digest(got) != plan.Digest(want) {
			t.Errorf("%s: of who has seen w-3 alone (%v):\n%s\nwant:\n%s", mode, err, plan.Text(got), plan.Text(want))
		}
	}
}

func TestWhomAJoinReaches(t *testing.T) {
	all := []string{"cp-1", "cp-2", "cp-3", "w-1", "w-2"}
	for name, test := range map[string]struct {
		prep func(w *world)
		want []string
	}{
		"nobody new":                     {func(*world) {}, all},
		"a worker":                       {func(w *world) { w.add(3) }, []string{"w-3"}},
		"two workers":                    {func(w *world) { w.add(3); w.add(4) }, []string{"w-3", "w-4"}},
		"a worker, and a node not ready": {func(w *world) { w.add(3); unready(w, "w-1") }, []string{"w-1", "w-3"}},
		"a control plane":                {func(w *world) { w.come(testPlane(4), 3) }, []string{"cp-1", "cp-2", "cp-3", "cp-4", "w-1", "w-2"}},
		"a cluster that does not answer": {func(w *world) { w.add(3); w.down["cp-1"], w.down["cp-2"] = true, true }, append(slices.Clone(all), "w-3")},
	} {
		w := newWorld(t, 3, 2)
		w.init(seeded(1))
		test.prep(w)
		if got := hostNames(JoinReach(w.observe())); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

// hide makes a host one that is not looked at, and whose node tells a machine-id.
func (w *world) hide(name, machineID string) {
	w.down[name] = true
	node := w.nodes[name]
	node.MachineID = machineID
	w.nodes[name] = node
}

func (w *world) machineOf(name string) string { return w.observe().Facts[name].MachineID }

func hostNames(all []cluster.Host) []string {
	var names []string
	for _, host := range all {
		names = append(names, host.Name)
	}
	return names
}

func unready(w *world, name string) {
	node := w.nodes[name]
	node.Ready = false
	w.nodes[name] = node
}

func TestJoinIsRefused(t *testing.T) {
	tests := []struct {
		name string
		prep func(w *world)
		want string
	}{
		{"before init", func(*world) {}, "slipway init"},
		{"while init is half done", func(w *world) {
			p, contents := w.planned(Init)
			w.run(p, contents, seeded(1), len(p.Steps)-1)
		}, "half-made"},
		{"for a host of another cluster", func(w *world) {
			w.init(seeded(1))
			w.add(2)
			w.act("w-2", hosts.Claim{Cluster: hosts.Identity{ID: "0123456789abcdef", Name: "other"}})
		}, "belongs to the cluster other (0123456789ab)"},
		{"for a host that is down", func(w *world) {
			w.init(seeded(1))
			w.add(2)
			w.down["w-2"] = true
		}, "see that the host is up"},
		{"for a copy of a host that nobody looked at", func(w *world) {
			w.init(seeded(1))
			w.add(2)
			w.hide("w-1", w.machineOf("w-2"))
		}, "it has the machine-id of w-1"},
		{"for the machine of a host that nobody looked at", func(w *world) {
			w.init(seeded(1))
			w.add(2)
			w.hide("w-1", w.machineOf("w-2"))
			w.machines["w-2"].Edit(func(f *hosts.Facts) { // ssh.host of w-2 leads to w-1
				f.Interfaces = []hosts.Link{{Name: "eth0", Addresses: []string{testWorker(1).Addresses[0] + "/16"}}}
			})
		}, "it is the same machine as w-1"},
		{"for a host that cannot have the settings", func(w *world) {
			w.init(seeded(1))
			w.add(2)
			w.machines["w-2"].Edit(func(f *hosts.Facts) { f.NFTables = false })
		}, "nftables"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, 1, 1)
			test.prep(w)
			_, _, err := Join(w.observe())
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("join: %v, want something of %q", err, test.want)
			}
		})
	}
}

func TestAHostThatWasWipedHasToJoinAgain(t *testing.T) {
	live := hosts.ClusterFacts{Nodes: []hosts.Node{{Name: "w", Labels: map[string]string{view.LabelManaged: "true"}}}}
	record := &hosts.Record{Cluster: hosts.Identity{ID: "1", Name: "one"}}
	for name, test := range map[string]struct {
		facts map[string]hosts.Facts
		want  bool
	}{
		"not seen":  {nil, true},
		"as it was": {map[string]hosts.Facts{"w": {Record: record}}, true},
		"wiped":     {map[string]hosts.Facts{"w": {}}, false},
	} {
		file := &cluster.Cluster{Hosts: []cluster.Host{{Name: "w", Roles: []cluster.Role{cluster.RoleWorker}}}}
		if got := (Input{view.View{Cluster: file, ClusterFacts: live, Facts: test.facts}}).Joined("w"); got != test.want {
			t.Errorf("%s: joined is %v, want %v", name, got, test.want)
		}
	}
}

// TestANewcomersClockIsHeldAgainstTheClusters: one of two clocks is wrong, and it is never the
// one of who is in the cluster.
func TestANewcomersClockIsHeldAgainstTheClusters(t *testing.T) {
	file := &cluster.Cluster{Hosts: []cluster.Host{testPlane(1), testWorker(1), testWorker(2)}}
	clocks := func(in Input) []checks.Finding {
		return keep(checks.Preflight(view.Join, in.View), func(f checks.Finding) bool { return f.Check == "Clock" })
	}
	for name, off := range map[string]time.Duration{"behind": -time.Hour, "ahead": time.Hour} {
		for _, targets := range [][]cluster.Host{file.Hosts[1:2], file.Hosts[1:]} {
			in := Input{view.View{Cluster: file, Now: noon, Facts: map[string]hosts.Facts{"cp-1": {Time: noon}}}}
			for _, newcomer := range targets {
				in.Hosts = append(in.Hosts, newcomer.Name)
				in.Facts[newcomer.Name] = hosts.Facts{Time: noon.Add(off)}
			}
			if found := clocks(in); len(found) != len(targets) {
				t.Errorf("%d clocks an hour %s: %v", len(targets), name, found)
			}
			// Where no host of the cluster is looked at, its API server has a clock too.
			delete(in.Facts, "cp-1")
			in.ClusterFacts.ClockOffset = new(time.Duration)
			if found := clocks(in); len(found) != len(targets) || !strings.Contains(found[0].Seen, "the API server's clock") {
				t.Errorf("%d clocks an hour %s of the API server's: %v", len(targets), name, found)
			}
		}
	}
}

// TestWhoHasJoined: a host that only balances where it is seen to, a node by what the API says.
func TestWhoHasJoined(t *testing.T) {
	w := newWorldOf(t, shape{mode: cluster.EndpointLoadBalancers, planes: 1, workers: 1, spares: 1})
	w.init(seeded(1))
	w.add(2)
	all := w.observe()
	if got := hostNames(Joined(all)); !slices.Equal(got, []string{"cp-1", "w-1", "lb-1"}) {
		t.Errorf("of who has seen all: %v", got)
	}
	if got := hostNames(Joined(asSeenBy(all, "w-2"))); !slices.Equal(got, []string{"cp-1", "w-1"}) {
		t.Errorf("of who has seen the newcomer alone: %v", got)
	}
}
