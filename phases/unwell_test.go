package phases

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

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
	whole := newWorld(t, 3, 3)
	whole.init(seeded(1))
	bad := []cluster.Arg{{Name: "v", Value: "x"}}
	for _, test := range []struct {
		component string
		change    func(c *cluster.Cluster)
		wait      string
		workers   bool
	}{
		{hosts.ComponentAPIServer, func(c *cluster.Cluster) { c.ExtraArgs.APIServer = bad }, "cluster/wait-control-plane/cp-1", false},
		{hosts.ComponentScheduler, func(c *cluster.Cluster) { c.ExtraArgs.Scheduler = bad }, "cluster/wait-pods/cp-1/unwell", false},
		{hosts.ComponentController, func(c *cluster.Cluster) { c.ExtraArgs.ControllerManager = bad }, "cluster/wait-pods/cp-1/unwell", false},
		{hosts.ComponentEtcd, func(c *cluster.Cluster) { c.ExtraArgs.Etcd = bad }, "cluster/wait-pods/cp-1/unwell", false},
		{hosts.ComponentKubelet, func(c *cluster.Cluster) { c.ExtraArgs.Kubelet = bad }, "cluster/wait-node/cp-1", true},
	} {
		t.Run(test.component, func(t *testing.T) {
			w := whole.clone(t)
			w.query = nil
			test.change(w.cluster)
			p, contents := w.planned(Init)
			w.carryOut(p, contents, "cp-1")
			in := w.observe()
			silence(&in, test.component, "cp-1")
			again := initPlan(t, in)
			for _, host := range []string{"cp-2", "cp-3"} {
				wantGated(t, again, host, test.wait)
			}
			if test.workers {
				wantGated(t, again, "w-1", test.wait)
			}
			for _, step := range again.Steps {
				if step.Host == "cp-1" {
					t.Errorf("%s: cp-1 is as the file says", step.ID)
				}
				if limit := unwellLimit(step); limit != 0 && limit <= longestBackOff {
					t.Errorf("%s waits for %d s, and the kubelet may start it again later", step.ID, limit)
				}
				if wait, ok := step.Cluster.(plan.WaitNode); ok && !wait.Restarted {
					t.Errorf("%s believes a Ready from before", step.ID)
				}
			}
			silence(&in, test.component, "cp-1", "cp-2", "cp-3")
			if test.component != hosts.ComponentAPIServer { // without any, all are put right at once
				wantGated(t, initPlan(t, in), "cp-2", test.wait)
			}
			w.run(p, contents, seeded(2), -1)
			in = w.observe()
			silence(&in, test.component, "cp-1")
			if rest := initPlan(t, in); test.component != hosts.ComponentAPIServer && !rest.Empty() {
				t.Errorf("nothing is changed that goes by it, and yet:\n%s", plan.Text(rest))
			}
		})
	}
	t.Run("all that may listen elsewhere", func(t *testing.T) {
		w := whole.clone(t)
		w.query = nil
		w.cluster.ExtraArgs.Scheduler = []cluster.Arg{{Name: "bind-address", Value: "0.0.0.0"}}
		w.cluster.Kubelet = map[string]any{"healthzPort": 10348}
		in := w.observe()
		silence(&in, hosts.ComponentScheduler, "cp-1", "cp-2", "cp-3")
		silence(&in, hosts.ComponentKubelet, "cp-1", "cp-2", "cp-3")
		p := initPlan(t, in)
		wantGated(t, p, "cp-2", "cluster/wait-node/cp-1")
		wantGated(t, p, "cp-3", "cluster/wait-node/cp-2")
	})
	t.Run("kubelets that start again and again", func(t *testing.T) {
		w := whole.clone(t)
		w.query = nil
		w.cluster.ExtraArgs.Kubelet = bad
		in := w.observe()
		for _, name := range []string{"cp-1", "w-1"} {
			notReady(&in, name)
			looping(&in, name)
		}
		p := initPlan(t, in)
		wantGated(t, p, "cp-2", "cluster/wait-node/cp-1")
		wantGated(t, p, "cp-3", "cluster/wait-node/cp-2")
		wantGated(t, p, "w-2", "cluster/wait-node/w-1")
		wantGated(t, p, "w-3", "cluster/wait-node/w-2")
	})
}

// TestInitCompletesAfterAllThatItWaitsFor: of what does not answer and is not changed, too.
func TestInitCompletesAfterAllThatItWaitsFor(t *testing.T) {
	w := newWorld(t, 3, 1)
	w.init(seeded(1))
	w.query = nil
	w.cluster.ExtraArgs.Scheduler = []cluster.Arg{{Name: "v", Value: "3"}}
	p, contents := w.planned(Init)
	w.carryOut(p, contents, "cp-1")
	in := w.observe()
	silence(&in, hosts.ComponentScheduler, "cp-1")
	health := in.ClusterFacts.Health
	in.ClusterFacts = hosts.ClusterFacts{Cause: "no answer within 3s", Members: in.ClusterFacts.Members, Health: health}
	p = initPlan(t, in)
	before, completes := plan.Predecessors(p), ""
	for _, step := range p.Steps {
		if apply, ok := step.Cluster.(plan.Apply); ok && apply.Object == view.MarkerKey {
			completes = step.ID
		}
	}
	for _, wait := range []string{"cluster/wait-pods/cp-1/unwell", "cluster/wait-pods/cp-2/clients", "cluster/wait-pods/cp-3/clients"} {
		if !reaches(before, completes, wait) {
			t.Errorf("%s does not wait for %s", completes, wait)
		}
	}
}

// TestASettingThatStoppedTheOnlyControlPlaneGoesNoFurther: no other is there that the component
// could answer on.
func TestASettingThatStoppedTheOnlyControlPlaneGoesNoFurther(t *testing.T) {
	whole := newWorld(t, 1, 2)
	whole.init(seeded(1))
	for component, wait := range map[string]string{
		hosts.ComponentKubelet:    "cluster/wait-node/cp-1",
		hosts.ComponentScheduler:  "cluster/wait-pods/cp-1/unwell",
		hosts.ComponentController: "cluster/wait-pods/cp-1/unwell",
		hosts.ComponentEtcd:       "cluster/wait-pods/cp-1/unwell",
	} {
		t.Run(component, func(t *testing.T) {
			w := whole.clone(t)
			w.query = nil
			w.cluster.ExtraArgs.Kubelet = []cluster.Arg{{Name: "v", Value: "x"}}
			p, contents := w.planned(Init)
			w.carryOut(p, contents, "cp-1")
			in := w.observe()
			silence(&in, component, "cp-1")
			wantGated(t, initPlan(t, in), "w-1", wait)
		})
	}
}

// longestBackOff is how long, in seconds, the kubelet waits at most before it starts a container
// again that keeps ending.
const longestBackOff = 300

// unwellLimit is how long a step waits for static Pods of cp-1 that the plan does nothing about.
func unwellLimit(step plan.Step) int {
	switch wait := step.Cluster.(type) {
	case plan.WaitPods:
		if wait.Host == "cp-1" {
			return wait.Timeout
		}
	case plan.WaitAPI:
		if wait.Host == "cp-1" {
			return wait.Timeout
		}
	}
	return 0
}

// carryOut does on a host what a plan has for it, and nothing else.
func (w *world) carryOut(p plan.Plan, contents plan.Contents, host string) {
	w.t.Helper()
	for _, step := range p.Steps {
		if step.Host == host {
			w.do(step, contents)
		}
	}
	w.settle()
}

// silence has a component not answer on some hosts.
func silence(in *Input, component string, names ...string) {
	in.ClusterFacts.Health = slices.Clone(in.ClusterFacts.Health)
	for i, health := range in.ClusterFacts.Health {
		if health.Component == component && slices.Contains(names, health.Host) {
			in.ClusterFacts.Health[i].Healthy = false
		}
	}
}

func notReady(in *Input, name string) {
	in.ClusterFacts.Nodes = slices.Clone(in.ClusterFacts.Nodes)
	for i, node := range in.ClusterFacts.Nodes {
		if node.Name == name {
			in.ClusterFacts.Nodes[i].Ready = false
		}
	}
}

// looping has a host's kubelet start again and again.
func looping(in *Input, name string) {
	edit(in, name, func(f *hosts.Facts) {
		f.Units = maps.Clone(f.Units)
		unit := f.Units[manifests.KubeletUnit]
		unit.Active = "activating"
		f.Units[manifests.KubeletUnit] = unit
	})
}

// TestWhatMayRunIsChangedOneByOne: a node that is not Ready says that its kubelet is not heard,
// and not that its etcd and its API server do not run.
func TestWhatMayRunIsChangedOneByOne(t *testing.T) {
	whole := newWorld(t, 3, 0)
	whole.init(seeded(1))
	etcd := func(c *cluster.Cluster) {
		c.ExtraArgs.Etcd = []cluster.Arg{{Name: "quota-backend-bytes", Value: "4294967296"}}
	}
	for name, test := range map[string]struct {
		change func(*cluster.Cluster)
		facts  func(*Input)
		order  []string // empty: all at once
	}{
		"etcd":                        {etcd, func(*Input) {}, []string{"cp-1", "cp-2", "cp-3"}},
		"etcd, and the kubelets loop": {etcd, func(in *Input) { looping(in, "cp-1"); looping(in, "cp-2") }, []string{"cp-1", "cp-2", "cp-3"}},
		"etcd, of which one is down": {etcd, func(in *Input) {
			in.ClusterFacts.Members = slices.Clone(in.ClusterFacts.Members)
			in.ClusterFacts.Members[1].Healthy = false
		}, []string{"cp-2", "cp-1", "cp-3"}},
		"keepalived": {func(c *cluster.Cluster) { c.Endpoint.VRRP.RouterID = 77 }, func(*Input) {}, []string{"cp-1", "cp-2", "cp-3"}},
		"kubelets":   {func(c *cluster.Cluster) { c.ExtraArgs.Kubelet = []cluster.Arg{{Name: "v", Value: "3"}} }, func(*Input) {}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := whole.clone(t)
			w.query = nil
			test.change(w.cluster)
			in := w.observe()
			for _, host := range w.cluster.Hosts {
				notReady(&in, host.Name)
			}
			test.facts(&in)
			p := initPlan(t, in)
			before := plan.Predecessors(p)
			for _, step := range p.Steps {
				for _, host := range w.cluster.Hosts {
					if step.Host != "" && step.Host != host.Name && reaches(before, step.ID, "cluster/wait-node/"+host.Name) {
						t.Errorf("%s waits for the node %s, which may stay as it is", step.ID, host.Name)
					}
					waits := slices.ContainsFunc(p.Steps, func(other plan.Step) bool {
						return other.Host == host.Name && reaches(before, step.ID, other.ID)
					})
					if step.Host == "" || step.Host == host.Name {
						continue
					}
					if want := slices.Index(test.order, host.Name) < slices.Index(test.order, step.Host); waits != want {
						t.Errorf("%s waits for %s: %v", step.ID, host.Name, waits)
					}
				}
			}
			if len(test.order) == 0 || name == "keepalived" {
				return
			}
			for i, host := range test.order[1:] {
				for _, wait := range []string{"cluster/wait-pods/" + test.order[i] + "/servers", "cluster/wait-control-plane/" + test.order[i]} {
					wantGated(t, p, host, wait)
					if quorum := "cluster/wait-quorum/" + host; !reaches(before, quorum, wait) {
						t.Errorf("%s does not wait for %s", quorum, wait)
					}
				}
			}
		})
	}
}

// TestAKubeletThatStartsAgainTakesWhatLiesThere: one that kept ending may not have seen what was
// written before, and containerd still runs the Pods of that time.
func TestAKubeletThatStartsAgainTakesWhatLiesThere(t *testing.T) {
	w := newWorld(t, 3, 0)
	w.init(seeded(1))
	w.query = nil
	w.cluster.ExtraArgs.APIServer = []cluster.Arg{{Name: "v", Value: "x"}}
	p, contents := w.planned(Init)
	w.carryOut(p, contents, "cp-1")
	w.cluster.ExtraArgs.Kubelet = []cluster.Arg{{Name: "v", Value: "3"}}
	in := w.observe()
	looping(&in, "cp-1")
	p = initPlan(t, in)
	before := plan.Predecessors(p)
	for group, pods := range map[string]string{"servers": "etcd kube-apiserver", "clients": "kube-controller-manager kube-scheduler"} {
		id, kubelet := "cluster/wait-pods/cp-1/"+group, "cp-1/kubelet/"+manifests.KubeletUnit
		wantGated(t, p, "cp-2", id)
		if !reaches(before, id, kubelet) {
			t.Errorf("%s does not wait for %s", id, kubelet)
		}
		for _, step := range p.Steps {
			wait, _ := step.Cluster.(plan.WaitPods)
			var names []string
			for _, pod := range wait.Pods {
				names = append(names, pod.Name)
			}
			if slices.Sort(names); step.ID == id && strings.Join(names, " ") != pods {
				t.Errorf("%s waits for %q", id, names)
			}
		}
	}
}
