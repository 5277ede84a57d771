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

func TestControlPlanesJoinOneAfterAnotherAndBecomeKnown(t *testing.T) {
	w := newWorldOf(t, shape{mode: cluster.EndpointVIP, planes: 3, workers: 1})
	w.init(seeded(1))
	w.come(testPlane(4), 3)
	w.come(testPlane(5), 4)
	p, _ := w.planned(Join)
	before := plan.Predecessors(p)
	for _, pair := range [][2]string{
		{"cp-5/images/etcd", "cluster/etcd-join/cp-5/add"},
		{"cluster/etcd-join/cp-4/add", "cp-4/etcd/etc/kubernetes/manifests/etcd.yaml"},
		{"cp-4/etcd/etc/kubernetes/manifests/etcd.yaml", "cp-4/kubelet/kubelet.service"},
		{"cp-4/kubelet/kubelet.service", "cluster/etcd-join/cp-4/promote"},
		{"cluster/etcd-join/cp-4/promote", "cp-4/control-plane/etc/kubernetes/manifests/kube-apiserver.yaml"},
		{"cluster/etcd-join/cp-4/promote", "cluster/etcd-join/cp-5/add"},
		{"cluster/wait-control-plane/cp-4", "cp-1/load-balancer/haproxy.service"},
		{"cp-1/load-balancer/keepalived.service", "cp-4/load-balancer/keepalived.service"},
		{"cp-2/load-balancer/keepalived.service", "cp-5/load-balancer/keepalived.service"},
		{"cp-3/load-balancer/haproxy.service", "cluster/mark-control-plane/cp-4"},
		{"cp-5/load-balancer/keepalived.service", "cluster/mark-control-plane/cp-5"},
	} {
		if !reaches(before, pair[1], pair[0]) {
			t.Errorf("%s does not wait for %s", pair[1], pair[0])
		}
	}
	for _, early := range []string{"cp-5/images/etcd", "cp-5/containerd/containerd.service", "cp-5/load-balancer/haproxy.service"} {
		if reaches(before, early, "cluster/etcd-join/cp-4/add") {
			t.Errorf("%s waits for another's joining", early)
		}
	}
	for _, step := range p.Steps {
		if step.Host == "" || step.Host == "cp-4" || step.Host == "cp-5" {
			continue
		}
		if step.Phase != plan.PhaseLoadBalancer && step.Phase != plan.PhaseTidy {
			t.Errorf("%s touches a host that is in the cluster", step.ID)
		}
		if unit, ok := step.Action.(hosts.SetUnit); ok && !unit.Reload {
			t.Errorf("%s restarts what could be reloaded", step.ID)
		}
	}
}

func TestAControlPlanesJoinResumesFromEveryCut(t *testing.T) {
	begun := newWorldOf(t, shape{mode: cluster.EndpointVIP, planes: 3})
	begun.init(seeded(1))
	begun.come(testPlane(4), 0)
	begun.come(testPlane(5), 4)
	p, _ := begun.planned(Join)
	chance := seeded(3)
	for cut := 0; cut <= len(p.Steps); cut += 3 + chance.IntN(20) {
		w := begun.clone(t)
		p, contents := w.planned(Join)
		w.run(p, contents, chance, cut)
		w.reconnect()
		p, contents = w.planned(Join)
		w.run(p, contents, chance, -1)
		for _, name := range []string{"cp-4", "cp-5"} {
			if !w.observe().Joined(name) {
				t.Fatalf("after a cut at %d, %s has not joined", cut, name)
			}
		}
		p, _ = w.planned(Join)
		wantEmpty(t, p)
		p, _ = w.planned(Init)
		wantEmpty(t, p)
		if len(w.etcd.voters()) != 5 {
			t.Fatalf("after a cut at %d etcd has %v", cut, w.etcd.members)
		}
	}
}

// aboutToGrow is a cluster of three control planes, and a fourth in its file.
func aboutToGrow(t *testing.T) *world {
	t.Helper()
	w := newWorldOf(t, shape{mode: cluster.EndpointVIP, planes: 3})
	w.init(seeded(1))
	w.come(testPlane(4), 3)
	return w
}

// until carries a plan out in its order, up to and with one step.
func (w *world) until(p plan.Plan, contents plan.Contents, last string) {
	w.t.Helper()
	done := map[string]bool{}
	for !done[last] {
		open := w.enabled(p, done)
		if len(open) == 0 {
			w.t.Fatalf("the plan stands still before %s", last)
		}
		at := slices.IndexFunc(open, func(step plan.Step) bool { return step.ID == last })
		step := open[max(at, 0)]
		w.do(step, contents)
		done[step.ID] = true
	}
	w.settle()
	w.reconnect()
}

func TestAHalfJoinedMemberIsTakenUpWhereItStands(t *testing.T) {
	const prefix = "cluster/etcd-join/cp-4/"
	begun := aboutToGrow(t)
	for _, test := range []struct {
		cut  string
		want []string
	}{
		{"cp-4/images/etcd", []string{prefix + "add", prefix + "promote"}},
		{prefix + "add", []string{prefix + "promote"}},
		{"cp-4/etcd/etc/kubernetes/manifests/etcd.yaml", []string{prefix + "promote"}},
		{"cp-4/kubelet/kubelet.service", []string{prefix + "promote"}},
		{prefix + "promote", nil},
		{"cp-4/control-plane/etc/kubernetes/manifests/kube-apiserver.yaml", nil},
		{"cluster/wait-node/cp-4", nil},
	} {
		t.Run(test.cut, func(t *testing.T) {
			w := begun.clone(t)
			p, contents := w.planned(Join)
			w.until(p, contents, test.cut)
			p, _ = w.planned(Join)
			var got []string
			for _, step := range p.Steps {
				if step.Phase == plan.PhaseEtcdJoin {
					got = append(got, step.ID)
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("planned %q, want %q", got, test.want)
			}
		})
	}
}

func TestAMemberThatIsAddedAlreadyComesFirst(t *testing.T) {
	w := newWorldOf(t, shape{mode: cluster.EndpointVIP, planes: 3})
	w.init(seeded(1))
	w.come(testPlane(5), 3)
	p, contents := w.planned(Join)
	w.until(p, contents, "cluster/etcd-join/cp-5/add")
	w.come(testPlane(4), 3)
	p, contents = w.planned(Join)
	if before := plan.Predecessors(p); !reaches(before, "cluster/etcd-join/cp-4/add", "cluster/etcd-join/cp-5/promote") {
		t.Error("a second learner is added beside the first")
	}
	w.run(p, contents, seeded(1), -1)
	p, _ = w.planned(Join)
	wantEmpty(t, p)
}

func TestMembersThatStandInTheWay(t *testing.T) {
	const peer = "https://10.0.0.%d:2380"
	voter := func(i int) hosts.Member {
		return hosts.Member{ID: fmt.Sprintf("a%d", i), Name: fmt.Sprintf("cp-%d", i), Peers: []string{fmt.Sprintf(peer, i)}, Healthy: true}
	}
	dead := func(m hosts.Member) hosts.Member {
		m.Healthy, m.Detail = false, "connection refused"
		return m
	}
	elsewhere := dead(voter(4))
	elsewhere.Peers = []string{"https://10.9.9.9:2380"}
	unnamed := dead(hosts.Member{ID: "b9", Peers: []string{"https://10.9.9.9:2380"}, Learner: true})
	learner := voter(4)
	learner.Learner = true
	begun := aboutToGrow(t)
	for name, test := range map[string]struct {
		more    []hosts.Member
		remove  bool
		data    bool // on cp-4
		refused string
		removes string
	}{
		"of a host that the file lacks":            {more: []hosts.Member{dead(voter(9))}, refused: "the cluster file has no such control plane"},
		"the same, to be removed":                  {more: []hosts.Member{dead(voter(9))}, remove: true, removes: "a9"},
		"the same, that answers":                   {more: []hosts.Member{voter(9)}, remove: true, refused: "it answers"},
		"of an address that nobody has":            {more: []hosts.Member{unnamed}, refused: "--remove-stale"},
		"the same, that nobody has, to be removed": {more: []hosts.Member{unnamed}, remove: true, removes: "b9"},
		"at another address":                       {more: []hosts.Member{elsewhere}, refused: "the cluster file has cp-4 at https://10.0.0.4:2380"},
		"at another address, to be removed":        {more: []hosts.Member{elsewhere}, remove: true, removes: "a4"},
		"whose host lost its data":                 {more: []hosts.Member{dead(voter(4))}, refused: "no data of etcd's any more"},
		"whose host lost its data, to be removed":  {more: []hosts.Member{dead(voter(4))}, remove: true, removes: "a4"},
		"data of one that was removed":             {data: true, refused: "a member that the cluster's etcd does not have"},
		"a voting one that runs":                   {more: []hosts.Member{voter(4)}, data: true},
		"a learner that runs":                      {more: []hosts.Member{learner}, data: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := begun.clone(t)
			if test.data {
				w.act("cp-4", hosts.Claim{Cluster: w.observe().ClusterID})
				w.machines["cp-4"].PutFile(view.EtcdLog+"/0.wal", nil, 0o600)
				w.machines["cp-4"].PutFile(manifests.EtcdManifest, nil, 0o600)
			}
			in := w.observe()
			in.RemoveStale = test.remove
			in.ClusterFacts.Members = append([]hosts.Member{voter(1), voter(2), voter(3)}, test.more...)
			p, _, err := Join(in)
			if test.refused != "" {
				if err == nil || !strings.Contains(err.Error(), test.refused) {
					t.Fatalf("join: %v, want something of %q", err, test.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			removed := at(p, clusterID(plan.PhaseRemoveEtcdMember, test.removes))
			if (removed >= 0) != (test.removes != "") {
				t.Errorf("removed at %d:\n%s", removed, plan.Text(p))
			}
			if added := "cluster/etcd-join/cp-4/add"; test.removes != "" && !reaches(plan.Predecessors(p), added, p.Steps[removed].ID) {
				t.Error("a member is added before the stale one is removed")
			}
		})
	}
}

func TestAControlPlanesJoinIsRefused(t *testing.T) {
	begun := aboutToGrow(t)
	for name, test := range map[string]struct {
		prep func(w *world)
		want string
	}{
		"beside a member that does not answer": {func(w *world) { w.power("cp-2", false) }, "etcd takes in no new member while cp-2 does not answer"},
		"beside a learner that is not done": {func(w *world) {
			w.come(testPlane(5), 4)
			in := w.observe()
			in.Hosts = []string{"cp-5"}
			p, contents, err := Join(in)
			if err != nil {
				w.t.Fatal(err)
			}
			w.until(p, contents, "cluster/etcd-join/cp-5/add")
		}, "cp-5: EtcdMembers: it is a learner"},
		"while the endpoint is another one": {func(w *world) {
			w.cluster.Endpoint.Host, w.cluster.Endpoint.Address = "10.0.0.201", "10.0.0.201"
		}, "the cluster's endpoint is 10.0.0.200:16443, the file says 10.0.0.201:16443"},
	} {
		t.Run(name, func(t *testing.T) {
			w := begun.clone(t)
			test.prep(w)
			in := w.observe()
			in.Hosts = []string{"cp-4"}
			if _, _, err := Join(in); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("join: %v, want something of %q", err, test.want)
			}
		})
	}
}

func TestABalancerThatIsDownIsToldLater(t *testing.T) {
	w := newWorldOf(t, shape{mode: cluster.EndpointLoadBalancers, planes: 3, spares: 2})
	w.init(seeded(1))
	w.come(testPlane(4), 3)
	w.come(testPlane(5), 4)
	w.power("lb-2", false)
	p, contents := w.planned(Join)
	if !slices.ContainsFunc(p.Warnings, func(text string) bool {
		return strings.HasPrefix(text, "lb-2: load-balancer:") && strings.Contains(text, "haproxy and keepalived") && strings.Contains(text, "slipway init")
	}) {
		t.Errorf("warnings: %q", p.Warnings)
	}
	w.run(p, contents, seeded(1), -1)
	w.power("lb-2", true)
	p, contents = w.planned(Init)
	for _, id := range changes(p) {
		if !strings.HasPrefix(id, "lb-2/load-balancer/") {
			t.Errorf("init then does %s", id)
		}
	}
	w.run(p, contents, seeded(1), -1)
	p, _ = w.planned(Init)
	wantEmpty(t, p)
}

func TestALoadBalancerJoinsWithoutAKubelet(t *testing.T) {
	w := newWorldOf(t, shape{mode: cluster.EndpointLoadBalancers, planes: 1, workers: 1, spares: 1})
	w.init(seeded(1))
	w.come(testBalancer(2), 3)
	p, contents := w.planned(Join)
	for _, step := range p.Steps {
		switch {
		case step.Host == "cp-1" || step.Host == "w-1" || step.Cluster != nil:
			t.Errorf("%s is none of a balancer's", step.ID)
		case step.Host == "lb-2" && slices.Contains([]plan.Phase{plan.PhaseContainerd, plan.PhaseKubelet, plan.PhaseImages}, step.Phase):
			t.Errorf("%s is a node's", step.ID)
		}
	}
	if !reaches(plan.Predecessors(p), "lb-2/load-balancer/keepalived.service", "lb-1/load-balancer/keepalived.service") {
		t.Error("lb-2 may take the address before lb-1 knows it")
	}
	w.run(p, contents, seeded(1), -1)
	p, _ = w.planned(Join)
	wantEmpty(t, p)
	p, _ = w.planned(Init)
	wantEmpty(t, p)
}

func TestClusterInfoFollowsTheFirstControlPlaneInModeLocal(t *testing.T) {
	for mode, want := range map[cluster.EndpointMode][]string{
		cluster.EndpointLocal: {"cluster/bootstrap-token/configmap/kube-public/cluster-info"},
		cluster.EndpointVIP:   nil,
	} {
		w := newWorldOf(t, shape{mode: mode, planes: 3})
		w.init(seeded(1))
		w.come(testPlane(4), 0)
		p, contents := w.planned(Join)
		var got []string
		for _, step := range p.Steps {
			if _, ok := step.Cluster.(plan.Apply); ok {
				got = append(got, step.ID)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: applied %q, want %q", mode, got, want)
		}
		for _, applied := range got {
			if !reaches(plan.Predecessors(p), "cluster/mark-control-plane/cp-4", applied) {
				t.Errorf("%s: cp-4 is marked before %s", mode, applied)
			}
		}
		w.run(p, contents, seeded(1), -1)
		p, _ = w.planned(Init)
		wantEmpty(t, p)
	}
}

func TestControlPlanesJoinAtOnceWhereEtcdIsTheUsers(t *testing.T) {
	w := newWorldOf(t, shape{mode: cluster.EndpointVIP, planes: 1, external: true})
	reach := func(in Input) Input {
		for name, facts := range in.Facts {
			facts.Reach = nil
			in.Facts[name] = facts
		}
		return in
	}
	p, contents, err := Init(reach(w.observe()))
	if err != nil {
		t.Fatal(err)
	}
	w.run(p, contents, seeded(1), -1)
	w.come(testPlane(2), 1)
	w.come(testPlane(3), 2)
	p, _, err = Join(reach(w.observe()))
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range p.Steps {
		if step.Phase == plan.PhaseEtcdJoin || step.Phase == plan.PhaseEtcd {
			t.Errorf("%s is none of Slipway's", step.ID)
		}
	}
}

func TestTheEndpointOfARunningClusterStays(t *testing.T) {
	w := newWorldOf(t, shape{mode: cluster.EndpointControlPlane, planes: 1, workers: 1})
	w.init(seeded(1))
	file := *w.cluster
	file.Endpoint = cluster.Endpoint{Mode: cluster.EndpointVIP, Host: testVIP}
	cluster.Defaults(&file)
	w.cluster = &file
	for name, flow := range map[string]workflow{"init": Init, "join": Join} {
		_, _, err := flow(w.observe())
		for _, want := range []string{
			"the cluster's endpoint is its only control plane's address, the file says 10.0.0.200:16443",
			"moving the endpoint of a running cluster is not supported yet",
		} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s under another endpoint: %v, want something of %q", name, err, want)
			}
		}
	}
	if _, _, err := Init(begun(t).observe()); err != nil {
		t.Errorf("an init that was cut cannot take another endpoint: %v", err)
	}
}

// begun is a cluster whose init was cut, and whose file then got another endpoint.
func begun(t *testing.T) *world {
	t.Helper()
	w := newWorldOf(t, shape{mode: cluster.EndpointVIP, planes: 1})
	p, contents := w.planned(Init)
	w.until(p, contents, stepEnding(p, "configmap/kube-system/kubeadm-config"))
	w.cluster.Endpoint.Host, w.cluster.Endpoint.Address = "10.0.0.201", "10.0.0.201"
	w.mintLeaves(w.cluster.Hosts[0])
	return w
}

func TestABalancersKernelDoesNotCountForTheNodes(t *testing.T) {
	in := newWorldOf(t, shape{mode: cluster.EndpointLoadBalancers, planes: 1, spares: 1}).observe()
	want, err := in.ChosenSettings()
	if err != nil {
		t.Fatal(err)
	}
	spoiled("lb-1", func(f *hosts.Facts) { f.NFTables, f.Cgroup.Version, f.ConntrackWritable = false, 1, false })(&in)
	if got, err := in.ChosenSettings(); err != nil || got.ProxyMode != want.ProxyMode || got.FailCgroupV1 != want.FailCgroupV1 {
		t.Errorf("settings are %+v, %v; want %+v", got, err, want)
	}
}
