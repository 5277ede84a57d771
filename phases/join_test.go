package phases

import (
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

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
		if p.Empty() && !w.observe().joined("w-2") { // the last step may have been to tidy up
			t.Fatalf("after %d steps a half-joined host is taken for joined", cut)
		}
		w.run(p, contents, chance, -1)
		if !w.observe().joined("w-2") {
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
	if !w.observe().joined("w-3") {
		t.Error("w-3 has not joined")
	}
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
	live := hosts.ClusterFacts{Nodes: []hosts.Node{{Name: "w", Labels: map[string]string{LabelManaged: "true"}}}}
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
		if got := (Input{Cluster: file, ClusterFacts: live, Facts: test.facts}).joined("w"); got != test.want {
			t.Errorf("%s: joined is %v, want %v", name, got, test.want)
		}
	}
}
