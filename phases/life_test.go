package phases

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// clone is another world that is as this one is.
func (w *world) clone(t *testing.T) *world {
	other := *w
	other.t = t
	file := *w.cluster
	file.Hosts = slices.Clone(file.Hosts)
	other.cluster = &file
	other.machines, other.open = map[string]*hosttest.Fake{}, map[string]hosts.Host{}
	other.running = map[string]map[string]bool{}
	for name, machine := range w.machines {
		other.machines[name] = machine.Clone()
		other.open[name] = other.machines[name].Host()
		other.running[name] = maps.Clone(w.running[name])
	}
	other.leaves, other.down, other.objects = maps.Clone(w.leaves), maps.Clone(w.down), maps.Clone(w.objects)
	other.applied = maps.Clone(w.applied)
	other.nodes, other.touched, other.balancer = maps.Clone(w.nodes), map[string]bool{}, maps.Clone(w.balancer)
	other.address, other.begun = maps.Clone(w.address), maps.Clone(w.begun)
	other.kubelets = maps.Clone(w.kubelets)
	other.etcd.members = slices.Clone(w.etcd.members)
	other.etcd.data, other.etcd.begun, other.etcd.versions = maps.Clone(w.etcd.data), maps.Clone(w.etcd.begun), maps.Clone(w.etcd.versions)
	return &other
}

// come puts a host into the file, at a place, on a bare machine.
func (w *world) come(host cluster.Host, at int) {
	w.t.Helper()
	w.cluster.Hosts = slices.Insert(slices.Clone(w.cluster.Hosts), at, host)
	w.boot(host)
	w.stale = true
}

// leaveFile takes a host out of the file, and its machine out of the world.
func (w *world) leaveFile(name string) {
	w.cluster.Hosts = slices.DeleteFunc(slices.Clone(w.cluster.Hosts), func(host cluster.Host) bool { return host.Name == name })
	delete(w.machines, name)
	delete(w.open, name)
	delete(w.down, name)
	delete(w.leaves, name)
	delete(w.balancer, name)
	delete(w.begun, name)
	w.stale = true
}

// finish plans and carries out a workflow, cut at some step and then begun again, with a
// host rebooted in between, until nothing is left of it. Before each part the same plan is
// carried out in other orders and up to other cuts, in worlds of their own.
func (w *world) finish(what string, flow workflow, chance *rand.Rand) {
	w.t.Helper()
	p, contents := w.planned(flow)
	for range chance.IntN(3) {
		w.otherwise(p, contents, chance)
		w.run(p, contents, chance, chance.IntN(1+len(p.Steps)))
		if chance.IntN(2) == 0 {
			w.reboot(chance)
		}
		w.reconnect()
		p, contents = w.planned(flow)
	}
	w.otherwise(p, contents, chance)
	w.run(p, contents, chance, -1)
	if p, _ = w.planned(flow); !p.Empty() {
		w.t.Fatalf("after %s something is left to do:\n%s", what, plan.Text(p))
	}
}

// otherwise carries a plan out in other orders, on clones: to its end, or to a cut.
func (w *world) otherwise(p plan.Plan, contents plan.Contents, chance *rand.Rand) {
	w.t.Helper()
	for i := range orders {
		other := w.clone(w.t)
		steps := -1
		if i%2 == 1 {
			steps = chance.IntN(1 + len(p.Steps))
		}
		other.run(p, contents, chance, steps)
		walks++
	}
}

// orders is how many other ways each plan is walked, and walks counts them.
const orders = 20

var walks int

// withoutBundle does what needs no bundle as the commands do it that take none.
func (w *world) withoutBundle(do func()) {
	w.unbundled = true
	do()
	w.unbundled = false
}

// reboot takes the power from one host for a moment.
func (w *world) reboot(chance *rand.Rand) {
	names := slices.Sorted(maps.Keys(w.machines))
	name := names[chance.IntN(len(names))]
	if !w.down[name] {
		w.power(name, false)
		w.power(name, true)
	}
}

// sane checks what has to be so whenever nobody is at work.
func (w *world) sane(what string) {
	w.t.Helper()
	p, _ := w.planned(Init)
	if !p.Empty() {
		w.t.Fatalf("after %s init has something to do:\n%s", what, plan.Text(p))
	}
	w.agreed(what)
}

// agreed checks that etcd, the balancers, the nodes and the file speak of the same hosts.
func (w *world) agreed(what string) {
	w.t.Helper()
	w.settle()
	var planes, members, backends []string
	for _, host := range w.cluster.ControlPlanes() {
		planes = append(planes, host.Name)
		backends = append(backends, manifests.APIAddress(w.cluster, host))
	}
	for _, m := range w.etcd.members {
		members = append(members, m.name)
		if m.learner || !w.up(m) {
			w.t.Fatalf("after %s etcd's member %s is a learner (%v) or does not run", what, m.name, m.learner)
		}
	}
	slices.Sort(planes)
	slices.Sort(members)
	slices.Sort(backends)
	if w.cluster.StackedEtcd() && !slices.Equal(planes, members) {
		w.t.Fatalf("after %s etcd's members are %v, the control planes %v", what, members, planes)
	}
	for _, host := range w.cluster.Balancers() {
		if got := w.balancer[host.Name]; !slices.Equal(got.backends, backends) {
			w.t.Fatalf("after %s the balancer of %s leads to %v, want %v", what, host.Name, got.backends, backends)
		}
		if peers := w.wantedPeers(host); !slices.Equal(w.balancer[host.Name].peers, peers) {
			w.t.Fatalf("after %s the keepalived of %s has the peers %v, want %v", what, host.Name, w.balancer[host.Name].peers, peers)
		}
	}
	for name := range w.nodes {
		if _, there := w.cluster.Host(name); !there {
			w.t.Fatalf("after %s there is still a node %s", what, name)
		}
	}
}

func (w *world) wantedPeers(host cluster.Host) []string {
	if w.cluster.VirtualAddress() == "" {
		return nil
	}
	var peers []string
	for _, other := range w.cluster.Balancers() {
		if other.Name != host.Name {
			peers = append(peers, other.Address())
		}
	}
	slices.Sort(peers)
	return peers
}

// shapes are those that lives begin with.
var shapes = []shape{
	{mode: cluster.EndpointVIP, planes: 1, workers: 1},
	{mode: cluster.EndpointVIP, planes: 3, workers: 1},
	{mode: cluster.EndpointVIP, planes: 5},
	{mode: cluster.EndpointLoadBalancers, planes: 3, workers: 1, spares: 2},
	{mode: cluster.EndpointLocal, planes: 3, workers: 2},
	{mode: cluster.EndpointLocal, planes: 1, workers: 1},
	{mode: cluster.EndpointExternal, planes: 3, workers: 1},
	{mode: cluster.EndpointVIP, planes: 2, workers: 1, external: true},
}

// TestClustersLiveThroughWhatComes has clusters grow, shrink and lose hosts, by plans that
// are cut anywhere and begun again. The world itself refuses whatever costs etcd its quorum,
// changes two of its members at once, or starts a thing before what it needs.
func TestClustersLiveThroughWhatComes(t *testing.T) {
	for i, s := range shapes {
		t.Run(fmt.Sprintf("%s-%d-%d", s.mode, s.planes, i), func(t *testing.T) {
			begun := newWorldOf(t, s)
			begun.init(seeded(uint64(i)))
			begun.sane("init")
			for seed := range uint64(lives) {
				chance := seeded(seed*100 + uint64(i))
				w := begun.clone(t)
				for turn := range 4 {
					w.agreed(fmt.Sprintf("seed %d, %s", seed, w.turn(chance, turn)))
				}
				w.sane(fmt.Sprintf("seed %d", seed))
			}
		})
	}
	t.Logf("%d walks", walks)
}

// turn is one thing that happens to a cluster in its life; it says what.
func (w *world) turn(chance *rand.Rand, i int) string {
	w.t.Helper()
	planes := w.cluster.ControlPlanes()
	some := planes[chance.IntN(len(planes))].Name
	if chance.IntN(3) == 0 {
		some = planes[0].Name
	}
	const most = 6
	switch pick := chance.IntN(9); {
	case pick <= 2 && len(planes) < most:
		joins := []cluster.Host{testPlane(20 + 2*i)}
		if pick == 0 {
			joins = append(joins, testPlane(21+2*i))
		}
		for _, host := range joins {
			w.come(host, chance.IntN(len(w.cluster.Hosts)+1))
		}
		w.finish("join of control planes", Join, chance)
		return fmt.Sprintf("the join of %d control planes", len(joins))
	case pick == 3:
		host := testWorker(20 + i)
		if len(w.cluster.Balancers()) > 0 && w.cluster.Endpoint.Mode == cluster.EndpointLoadBalancers {
			host = testBalancer(20 + i)
		}
		w.come(host, len(w.cluster.Hosts))
		w.finish("join of "+host.Name, Join, chance)
		return "the join of " + host.Name
	case pick <= 5 && len(planes) > 1:
		gone := []string{some}
		if other := planes[len(planes)-1].Name; len(planes) > 3 && other != some {
			gone = append(gone, other)
		}
		w.withoutBundle(func() { w.finish("reset of control planes", resetting(gone...), chance) })
		for _, name := range gone {
			if w.machines[name].Record() != nil {
				w.t.Fatalf("after a reset %s has a record", name)
			}
			w.leaveFile(name)
		}
		return "the reset of " + strings.Join(gone, " and ")
	case pick == 6 && len(planes) > 2:
		w.power(some, false)
		w.withoutBundle(func() { w.finish("removal of "+some, removing(some), chance) })
		w.leaveFile(some)
		return "the removal of " + some
	case pick == 7 && len(planes) > 1 && len(planes) < most:
		return w.interrupt(testPlane(20+2*i), some, chance)
	}
	w.power(some, false)
	w.power(some, true)
	return "the reboot of " + some
}

// interrupt cuts a control plane's join, takes another host out, and lets the join complete.
func (w *world) interrupt(comes cluster.Host, leaves string, chance *rand.Rand) string {
	w.t.Helper()
	w.come(comes, chance.IntN(len(w.cluster.Hosts)+1))
	p, contents := w.planned(Join)
	w.run(p, contents, chance, chance.IntN(1+len(p.Steps)))
	w.reconnect()
	flow := resetting(leaves)
	if dies := len(w.etcd.voters()) > 2 && chance.IntN(2) == 0; dies {
		flow = removing(leaves)
		w.power(leaves, false)
	}
	w.withoutBundle(func() { w.finish("reset of "+leaves+" during a join", flow, chance) })
	w.leaveFile(leaves)
	w.finish("join that goes on", Join, chance)
	return "a join with " + leaves + " leaving in between"
}

func removing(names ...string) workflow {
	return func(in Input) (plan.Plan, plan.Contents, error) { return Remove(in, names) }
}

func TestControlPlanesLeaveInTheOrderThatNobodyMissesThem(t *testing.T) {
	w := newWorldOf(t, shape{mode: cluster.EndpointVIP, planes: 5, workers: 1})
	w.init(seeded(1))
	p, _ := w.planned(resetting("cp-1", "cp-3"))
	order, err := plan.Order(p)
	if err != nil {
		t.Fatal(err)
	}
	before := plan.Predecessors(p)
	for _, pair := range [][2]string{
		{"cluster/remove-node/cp-1/cordon", "cluster/remove-node/cp-3/drain"},
		{"cluster/remove-node/cp-3/cordon", "cluster/remove-node/cp-1/drain"},
		{"cluster/remove-node/cp-1/drain", "cp-2/load-balancer/etc/haproxy/haproxy.cfg"},
		{"cp-2/load-balancer/haproxy.service", "cp-1/cleanup-node/load-balancer"},
		{"cp-2/load-balancer/haproxy.service", "cp-3/cleanup-node/load-balancer"},
		{"cp-1/cleanup-node/load-balancer", "cp-2/load-balancer/keepalived.service"},
		{"cp-3/cleanup-node/load-balancer", "cp-4/load-balancer/keepalived.service"},
		{"cluster/remove-node/cp-1/drain", "cluster/remove-etcd-member/cp-1/quorum"},
		{"cluster/remove-etcd-member/cp-1", "cluster/remove-etcd-member/cp-3/quorum"},
		{"cluster/remove-etcd-member/cp-3/quorum", "cp-3/cleanup-node/control-plane"},
		{"cluster/remove-etcd-member/cp-1/quorum", "cp-1/cleanup-node/kubelet.service"},
		{"cp-1/cleanup-node/load-balancer", "cp-1/cleanup-node/kubelet.service"},
		{"cp-1/cleanup-node/kubelet.service", "cp-1/cleanup-node/control-plane"},
		{"cp-1/cleanup-node/control-plane", "cluster/remove-etcd-member/cp-1/move-leader"},
		{"cluster/remove-etcd-member/cp-1/move-leader", "cluster/remove-etcd-member/cp-1"},
		{"cluster/remove-etcd-member/cp-1", "cluster/remove-node/cp-1/delete"},
		{"cluster/remove-etcd-member/cp-1", "cp-1/cleanup-node/pods"},
		{"cluster/remove-etcd-member/cp-1", "cp-3/cleanup-node/kubelet.service"},
	} {
		if !reaches(before, pair[1], pair[0]) {
			t.Errorf("%s does not wait for %s, in\n%s", pair[1], pair[0], strings.Join(order, "\n"))
		}
	}
	wantStops(t, p, "cp-1/cleanup-node/load-balancer", hosts.StopUnits{Names: []string{manifests.HAProxyUnit, manifests.KeepalivedUnit}})
	if at(p, "cp-2/cleanup-node/pods") >= 0 {
		t.Error("a host that stays is cleaned")
	}
}

// wantStops wants that the step whose id ends so is this one.
func wantStops(t *testing.T, p plan.Plan, suffix string, want hosts.StopUnits) {
	t.Helper()
	i := slices.IndexFunc(p.Steps, func(step plan.Step) bool { return strings.HasSuffix(step.ID, suffix) })
	if i < 0 || !reflect.DeepEqual(p.Steps[i].Action, want) {
		t.Errorf("no step %s is %v, in %q", suffix, want, changes(p))
	}
}

// reaches tells whether a step has to wait for another, through others too.
func reaches(before map[string][]string, from, to string) bool {
	seen, open := map[string]bool{}, []string{from}
	for len(open) > 0 {
		id := open[0]
		open = open[1:]
		if id == to {
			return true
		}
		for _, earlier := range before[id] {
			if !seen[earlier] {
				seen[earlier] = true
				open = append(open, earlier)
			}
		}
	}
	return false
}
