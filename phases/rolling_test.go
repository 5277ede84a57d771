package phases

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// TestARunningClusterIsChangedHostByHost: what init changes on a cluster that is at work touches
// nothing of the next host before the last one is well, by what it is and does now.
func TestARunningClusterIsChangedHostByHost(t *testing.T) {
	tests := []struct {
		name   string
		change func(c *cluster.Cluster)
		hosts  []string // in their order
		well   []string // what the next waits for of each, after "cluster/"
	}{
		{"the kubelets' arguments", func(c *cluster.Cluster) {
			c.ExtraArgs.Kubelet = []cluster.Arg{{Name: "system-reserved", Value: "cpu=100m, memory=100Mi"}}
		}, []string{"cp-1", "cp-2", "cp-3", "w-1", "w-2"}, []string{"wait-node/%s"}},
		{"the API servers' arguments", func(c *cluster.Cluster) {
			c.ExtraArgs.APIServer = []cluster.Arg{{Name: "audit-log-maxage", Value: "30"}}
		}, []string{"cp-1", "cp-2", "cp-3"}, []string{"wait-pods/%s/servers", "wait-control-plane/%s"}},
		{"etcd's arguments", func(c *cluster.Cluster) {
			c.ExtraArgs.Etcd = []cluster.Arg{{Name: "quota-backend-bytes", Value: "4294967296"}}
		}, []string{"cp-1", "cp-2", "cp-3"}, []string{"wait-pods/%s/servers", "wait-control-plane/%s"}},
		{"the schedulers' arguments", func(c *cluster.Cluster) {
			c.ExtraArgs.Scheduler = []cluster.Arg{{Name: "v", Value: "3"}}
		}, []string{"cp-1", "cp-2", "cp-3"}, []string{"wait-pods/%s/clients"}},
		{"keepalived's router", func(c *cluster.Cluster) { c.Endpoint.VRRP.RouterID = 77 },
			[]string{"cp-1", "cp-2", "cp-3"}, []string{"wait-endpoint/%s"}},
	}
	whole := newWorld(t, 3, 2)
	whole.init(seeded(1))
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := whole.clone(t)
			w.query = nil
			test.change(w.cluster)
			p, contents := w.planned(Init)
			before := plan.Predecessors(p)
			for i, host := range test.hosts {
				if i == 0 {
					continue
				}
				last := test.hosts[i-1]
				for _, step := range p.Steps {
					if step.Host != host {
						continue
					}
					for _, well := range test.well {
						if want := "cluster/" + fmt.Sprintf(well, last); !reaches(before, step.ID, want) {
							t.Errorf("%s does not wait for %s", step.ID, want)
						}
					}
				}
			}
			for _, step := range p.Steps {
				if wait, ok := step.Cluster.(plan.WaitNode); ok && !wait.Restarted {
					t.Errorf("%s believes a Ready from before", step.ID)
				}
			}
			w.run(p, contents, seeded(2), -1)
			again, _ := w.planned(Init)
			wantEmpty(t, again)
		})
	}
}

// TestEtcdsQuorumIsLookedAtBeforeEachTurn: somebody's member may have gone since the last.
func TestEtcdsQuorumIsLookedAtBeforeEachTurn(t *testing.T) {
	w := newWorld(t, 3, 0)
	w.init(seeded(1))
	w.query = nil
	w.cluster.ExtraArgs.Etcd = []cluster.Arg{{Name: "quota-backend-bytes", Value: "4294967296"}}
	p, _ := w.planned(Init)
	before := plan.Predecessors(p)
	for i, host := range []string{"cp-1", "cp-2", "cp-3"} {
		quorum := "cluster/wait-quorum/" + host
		if !reaches(before, host+"/etcd/etc/kubernetes/manifests/etcd.yaml", quorum) {
			t.Errorf("etcd on %s is changed before its quorum is looked at", host)
		}
		if last := fmt.Sprintf("cluster/wait-pods/cp-%d/servers", i); i > 0 && !reaches(before, quorum, last) {
			t.Errorf("%s does not wait for %s", quorum, last)
		}
	}
	for _, step := range p.Steps {
		if holds, looks := step.Cluster.(plan.QuorumHolds); looks && !holds.Stays {
			t.Errorf("%s: the member is counted as one that leaves", step.ID)
		}
	}
	in := w.observe()
	silent := hosts.ClusterFacts{Cause: "connection refused", Members: slices.Clone(in.ClusterFacts.Members)}
	silent.Members[1].Healthy, silent.Members[2].Healthy = false, false
	in.ClusterFacts = silent
	for _, step := range initPlan(t, in).Steps {
		if _, looks := step.Cluster.(plan.QuorumHolds); looks {
			t.Errorf("%s: etcd has no quorum, which what is changed may bring back", step.ID)
		}
	}
}

// TestManyWorkersAreChangedAFewAtATime: one first, and no more than a few after it.
func TestManyWorkersAreChangedAFewAtATime(t *testing.T) {
	w := newWorld(t, 1, 9)
	w.init(seeded(1))
	w.query = nil
	w.cluster.ExtraArgs.Kubelet = []cluster.Arg{{Name: "v", Value: "3"}}
	p, contents := w.planned(Init)
	before := plan.Predecessors(p)
	for i := 2; i <= 9; i++ {
		kubelet := fmt.Sprintf("w-%d/kubelet/%s", i, manifests.KubeletUnit)
		if !reaches(before, kubelet, "cluster/wait-node/w-1") {
			t.Errorf("%s does not wait for the first worker", kubelet)
		}
		if behind := fmt.Sprintf("cluster/wait-node/w-%d", i-usualWorkersAtOnce); i > usualWorkersAtOnce && !reaches(before, kubelet, behind) {
			t.Errorf("%s does not wait for %s", kubelet, behind)
		}
	}
	w.run(p, contents, seeded(2), -1)
}

// TestABalancerStaysUpBeforeTheNextOnesTurn: of what ends seconds after it was started no API tells.
func TestABalancerStaysUpBeforeTheNextOnesTurn(t *testing.T) {
	for name, test := range map[string]struct {
		shape  shape
		change func(*world)
	}{
		"load balancers":    {shape{mode: cluster.EndpointLoadBalancers, planes: 1, spares: 2}, func(w *world) { w.cluster.Endpoint.VRRP.RouterID = 77 }},
		"a virtual address": {shape{mode: cluster.EndpointVIP, planes: 3}, func(w *world) { w.cluster.Endpoint.VRRP.RouterID = 77 }},
		"each host its own": {shape{mode: cluster.EndpointLocal, planes: 3, workers: 2}, func(w *world) {
			for _, host := range w.cluster.Hosts {
				w.machines[host.Name].PutFile(manifests.HAProxyConfig, []byte("x"), 0o644)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorldOf(t, test.shape)
			first, contents := w.planned(Init)
			w.run(first, contents, seeded(1), -1)
			w.query = nil
			test.change(w)
			p, _ := w.planned(Init)
			before := plan.Predecessors(p)
			last, turns := "", 0
			for _, step := range first.Steps {
				if unit, sets := step.Action.(hosts.SetUnit); sets && unit.Steady != 0 {
					t.Errorf("%s of the first init waits for %d s", step.ID, unit.Steady)
				}
			}
			for _, step := range p.Steps {
				unit, sets := step.Action.(hosts.SetUnit)
				if !sets || !slices.Contains(view.BalancerUnits, unit.Name) {
					continue
				}
				turns++
				if unit.Steady == 0 {
					t.Errorf("%s does not look whether it stays up", step.ID)
				}
				if last != "" && !reaches(before, step.ID, last) {
					t.Errorf("%s does not wait for %s", step.ID, last)
				}
				last = step.ID
			}
			if turns < 2 {
				t.Errorf("%d balancers are changed", turns)
			}
		})
	}
}

// TestARegistrysFileStopsNobody: containerd reads it again by itself.
func TestARegistrysFileStopsNobody(t *testing.T) {
	w := newWorld(t, 3, 1)
	w.init(seeded(1))
	w.query = nil
	w.cluster.Registries = []cluster.Registry{{Name: "docker.io", Mirrors: []string{"https://mirror.example.com"}}}
	p, contents := w.planned(Init)
	before, written := plan.Predecessors(p), 0
	for _, step := range p.Steps {
		if step.Host == "" {
			t.Errorf("%s: %s", step.ID, step.Why)
		}
		if strings.HasSuffix(step.ID, "hosts.toml") {
			written++
		}
		for _, other := range p.Steps {
			if step.Host != other.Host && reaches(before, step.ID, other.ID) {
				t.Errorf("%s waits for %s", step.ID, other.ID)
			}
		}
	}
	if written != 4 {
		t.Errorf("it is written on %d hosts", written)
	}
	w.run(p, contents, seeded(2), -1)
}

// TestASilentMomentIsNoFirstInit: a cluster whose API is silent for a moment is changed host by
// host too, and no Ready of before is believed. Where etcd is silent too, its members may need
// one another's change: they are changed at once, and the workers after them.
func TestASilentMomentIsNoFirstInit(t *testing.T) {
	for _, etcd := range []bool{true, false} {
		w := newWorld(t, 3, 2)
		w.init(seeded(1))
		w.query = nil
		w.cluster.ExtraArgs.Kubelet = []cluster.Arg{{Name: "v", Value: "x"}}
		in := w.observe()
		members := in.ClusterFacts.Members
		in.ClusterFacts = hosts.ClusterFacts{Cause: "connection refused"}
		if etcd {
			in.ClusterFacts.Members = members
		}
		p := initPlan(t, in)
		if etcd {
			wantGated(t, p, "cp-2", "cluster/wait-node/cp-1")
			wantGated(t, p, "cp-3", "cluster/wait-node/cp-2")
		} else if reaches(plan.Predecessors(p), "cp-2/kubelet/"+manifests.KubeletUnit, "cluster/wait-node/cp-1") {
			t.Error("cp-2 waits for cp-1, whose etcd may need it")
		}
		wantGated(t, p, "w-1", "cluster/wait-node/cp-3")
		wantGated(t, p, "w-2", "cluster/wait-node/w-1")
		for _, step := range p.Steps {
			if wait, ok := step.Cluster.(plan.WaitNode); ok && !wait.Restarted {
				t.Errorf("%s believes a Ready from before", step.ID)
			}
		}
	}
}

// TestAFirstInitThatWasCutBringsUpAllAtOnce: also where an API server was up once, and is silent.
func TestAFirstInitThatWasCutBringsUpAllAtOnce(t *testing.T) {
	w := newWorld(t, 3, 3)
	w.init(seeded(1))
	w.query = nil
	for _, name := range []string{"cp-2", "cp-3", "w-1", "w-2", "w-3"} {
		w.act(name, hosts.SetUnit{Name: manifests.KubeletUnit})
	}
	in := w.observe()
	members := in.ClusterFacts.Members
	in.ClusterFacts = hosts.ClusterFacts{Cause: "connection refused", Members: members}
	p := initPlan(t, in)
	before := plan.Predecessors(p)
	for _, name := range []string{"cp-2", "cp-3", "w-1", "w-2", "w-3"} {
		for _, other := range []string{"cp-1", "cp-2", "cp-3", "w-1", "w-2", "w-3"} {
			if reaches(before, name+"/kubelet/"+manifests.KubeletUnit, "cluster/wait-node/"+other) {
				t.Errorf("%s waits for %s", name, other)
			}
		}
	}
}

func initPlan(t *testing.T, in Input) plan.Plan {
	t.Helper()
	p, _, err := Init(in)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// wantGated wants something to be done on a host, and all of it after a step.
func wantGated(t *testing.T, p plan.Plan, host, gate string) {
	t.Helper()
	before, some := plan.Predecessors(p), false
	for _, step := range p.Steps {
		if step.Host != host {
			continue
		}
		some = true
		if !reaches(before, step.ID, gate) {
			t.Errorf("%s does not wait for %s", step.ID, gate)
		}
	}
	if !some {
		t.Errorf("nothing is done on %s", host)
	}
}
