package phases

import (
	"fmt"
	"strings"
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

// TestAHostThatIsOnlyRepairedIsNobodysTurn: what does not run is not waited for.
func TestAHostThatIsOnlyRepairedIsNobodysTurn(t *testing.T) {
	w := newWorld(t, 3, 1)
	w.init(seeded(1))
	w.query = nil
	w.act("cp-2", hosts.SetUnit{Name: manifests.KubeletUnit, Enabled: true})
	w.machines["cp-3"].PutFile(manifests.KubeletConfig, []byte("x"), 0o644)
	p, _ := w.planned(Init)
	for id, before := range plan.Predecessors(p) {
		if strings.HasPrefix(id, "cp-3/") && strings.Contains(strings.Join(before, " "), "cp-2") {
			t.Errorf("%s waits for %v", id, before)
		}
	}
}
