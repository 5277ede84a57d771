package phases

import (
	"fmt"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
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
		quorum := "cluster/wait-turn/" + host + "/quorum"
		if !reaches(before, host+"/etcd/etc/kubernetes/manifests/etcd.yaml", quorum) {
			t.Errorf("etcd on %s is changed before its quorum is looked at", host)
		}
		if last := fmt.Sprintf("cluster/wait-pods/cp-%d/servers", i); i > 0 && !reaches(before, quorum, last) {
			t.Errorf("%s does not wait for %s", quorum, last)
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
		if behind := fmt.Sprintf("cluster/wait-node/w-%d", i-turnsAbreast); i > turnsAbreast && !reaches(before, kubelet, behind) {
			t.Errorf("%s does not wait for %s", kubelet, behind)
		}
	}
	w.run(p, contents, seeded(2), -1)
}

// TestAHostThatIsNotWellComesFirst: it is put right at once, and what is changed elsewhere waits.
func TestAHostThatIsNotWellComesFirst(t *testing.T) {
	w := newWorld(t, 3, 1)
	w.init(seeded(1))
	w.query = nil
	w.act("cp-2", hosts.SetUnit{Name: manifests.KubeletUnit, Enabled: true})
	w.machines["cp-1"].PutFile(manifests.KubeletConfig, []byte("x"), 0o644)
	p, contents := w.planned(Init)
	before := plan.Predecessors(p)
	wantGated(t, p, "cp-1", "cluster/wait-node/cp-2")
	if reaches(before, "cp-2/kubelet/"+manifests.KubeletUnit, "cp-1/kubelet/"+manifests.KubeletUnit) {
		t.Error("what is not well waits for what is")
	}
	w.run(p, contents, seeded(2), -1)
	again, _ := w.planned(Init)
	wantEmpty(t, again)
}

// TestASettingThatStoppedOneHostGoesNoFurther: also when the same init is run again.
func TestASettingThatStoppedOneHostGoesNoFurther(t *testing.T) {
	t.Run("an API server's", func(t *testing.T) {
		w := newWorld(t, 3, 1)
		w.init(seeded(1))
		w.query = nil
		w.cluster.ExtraArgs.APIServer = []cluster.Arg{{Name: "audit-log-maxage", Value: "x"}}
		p, contents := w.planned(Init)
		for _, step := range p.Steps {
			if file, writes := step.Action.(hosts.WriteFile); writes && step.Host == "cp-1" {
				w.upload(step, contents)
				w.act("cp-1", file)
			}
		}
		in := w.observe()
		for i, health := range in.ClusterFacts.Health {
			in.ClusterFacts.Health[i].Healthy = health.Host != "cp-1"
		}
		again := initPlan(t, in)
		wantGated(t, again, "cp-2", "cluster/wait-control-plane/cp-1")
		wantGated(t, again, "cp-3", "cluster/wait-control-plane/cp-1")
	})
	t.Run("kubelets'", func(t *testing.T) {
		w := newWorld(t, 3, 3)
		w.init(seeded(1))
		w.query = nil
		w.cluster.ExtraArgs.Kubelet = []cluster.Arg{{Name: "v", Value: "x"}}
		in := w.observe()
		for i, node := range in.ClusterFacts.Nodes {
			if node.Name == "cp-1" || node.Name == "w-1" {
				in.ClusterFacts.Nodes[i].Ready = false
				unit := in.Facts[node.Name].Units[manifests.KubeletUnit]
				unit.Active = "activating"
				in.Facts[node.Name].Units[manifests.KubeletUnit] = unit
			}
		}
		p := initPlan(t, in)
		wantGated(t, p, "cp-2", "cluster/wait-node/cp-1")
		wantGated(t, p, "cp-3", "cluster/wait-node/cp-2")
		wantGated(t, p, "w-2", "cluster/wait-node/w-1")
		wantGated(t, p, "w-3", "cluster/wait-node/w-2")
	})
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
