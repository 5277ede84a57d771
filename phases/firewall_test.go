package phases

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// withFirewall has a firewall run on hosts.
func (w *world) withFirewall(kind string, names ...string) {
	for _, name := range names {
		w.machines[name].Edit(func(f *hosts.Facts) {
			f.Firewall = kind
			f.FirewallState = hosts.FirewallState{Version: "1.3.3", DefaultZone: "public", Zones: map[string]string{"eth0": "internal"}}
		})
	}
}

// opening is what a host's firewall has open by a name.
func (w *world) opening(host, name string) (found hosts.Opening, there bool) {
	w.t.Helper()
	opened := w.observe().Facts[host].FirewallState.Opened
	if opened == nil {
		w.t.Fatalf("the firewall of %s has nothing open", host)
	}
	at := slices.IndexFunc(opened.Openings, func(o hosts.Opening) bool { return o.Name == "slipway-"+name })
	if at < 0 {
		return hosts.Opening{}, false
	}
	return opened.Openings[at], true
}

func (w *world) wantOpening(host, name string, ports, from []string) {
	w.t.Helper()
	have, there := w.opening(host, name)
	if !there || !slices.Equal(have.Ports, ports) || !slices.Equal(have.From, from) {
		w.t.Errorf("%s on %s is %+v, want %v from %v", name, host, have, ports, from)
	}
}

// TestFirewallsOpenWhatARoleNeeds, and nothing more, before anything starts that is reached through them.
func TestFirewallsOpenWhatARoleNeeds(t *testing.T) {
	w := newWorldOf(t, shape{mode: cluster.EndpointLoadBalancers, planes: 3, workers: 1, spares: 2})
	w.withFirewall(hosts.Firewalld, "cp-1", "w-1", "lb-1")
	w.withFirewall(hosts.UFW, "cp-2")
	p, _ := w.planned(Init)
	before := plan.Predecessors(p)
	for _, pair := range [][2]string{
		{"cp-1/prepare/firewall", "cp-1/etcd/etc/kubernetes/manifests/etcd.yaml"},
		{"cp-2/prepare/firewall", "cp-2/load-balancer/etc/haproxy/haproxy.cfg"},
		{"w-1/prepare/firewall", "w-1/kubelet/kubelet.service"},
	} {
		if step := slices.ContainsFunc(p.Steps, func(s plan.Step) bool { return s.ID == pair[1] }); step && !reaches(before, pair[1], pair[0]) {
			t.Errorf("%s does not wait for %s", pair[1], pair[0])
		}
	}
	w.init(seeded(1))
	subnet := []string{"10.0.0.0/16"}
	w.wantOpening("cp-1", "api", []string{"6443/tcp"}, subnet)
	w.wantOpening("cp-1", "etcd", []string{"2379/tcp"}, []string{"10.0.0.2", "10.0.0.3"})
	w.wantOpening("cp-1", "etcd-peer", []string{"2380/tcp"}, []string{"10.0.0.2", "10.0.0.3"})
	w.wantOpening("cp-2", "kubelet", []string{"10250/tcp"}, subnet)
	w.wantOpening("w-1", "vxlan", []string{"8472/udp"}, subnet)
	w.wantOpening("w-1", "node-ports", []string{"30000-32767/tcp", "30000-32767/udp"}, nil)
	w.wantOpening("lb-1", "endpoint", []string{"16443/tcp"}, nil)
	w.wantOpening("lb-1", "vrrp", []string{"vrrp"}, []string{"10.0.2.2"})
	for host, names := range map[string][]string{"w-1": {"api", "etcd", "vrrp", "endpoint"}, "lb-1": {"kubelet", "vxlan", "node-ports"}, "cp-1": {"vrrp", "endpoint"}} {
		for _, name := range names {
			if have, there := w.opening(host, name); there {
				t.Errorf("%s has %+v open", host, have)
			}
		}
	}
	facts := w.observe().Facts
	if got := facts["cp-1"].FirewallState.Opened; !slices.Equal(got.Zones, []string{"internal"}) || !slices.Equal(got.Pods, []string{"cni0", "flannel.1"}) {
		t.Errorf("zones %v, Pods' interfaces %v", got.Zones, got.Pods)
	}
	if got := facts["cp-2"].FirewallState.Opened; got.Zones != nil {
		t.Errorf("ufw has zones: %v", got.Zones)
	}
	if facts["cp-3"].FirewallState.Opened != nil {
		t.Error("a host without a firewall got one")
	}
	p, _ = w.planned(Init)
	wantEmpty(t, p)
}

// TestAFirewallIsMendedAndFollowsTheFile: what somebody took away comes back, what is no longer wanted goes, and
// one that is to be left alone gets back what it was.
func TestAFirewallIsMendedAndFollowsTheFile(t *testing.T) {
	w := newWorld(t, 1, 1)
	w.withFirewall(hosts.Firewalld, "w-1")
	w.init(seeded(1))
	w.machines["w-1"].Edit(func(f *hosts.Facts) { f.FirewallState.Missing = []string{"slipway-kubelet in zone internal"} })
	p, contents := w.planned(Init)
	wantSteps(t, p, "w-1/prepare/firewall")
	w.run(p, contents, seeded(1), -1)

	w.cluster.Firewall.NodePorts = new(false)
	w.cluster.Firewall.HostNetworks = []string{"10.0.0.0/24"}
	p, contents = w.planned(Init)
	wantSteps(t, p, "w-1/prepare/firewall")
	w.run(p, contents, seeded(1), -1)
	if _, there := w.opening("w-1", "node-ports"); there {
		t.Error("the ports of Services are still open")
	}
	w.wantOpening("w-1", "vxlan", []string{"8472/udp"}, []string{"10.0.0.0/24"})

	w.cluster.Firewall.Manage = new(false)
	p, contents = w.planned(Init)
	wantSteps(t, p, "w-1/prepare/restore/firewall/firewalld")
	w.run(p, contents, seeded(1), -1)
	if w.observe().Facts["w-1"].FirewallState.Opened != nil {
		t.Error("it is open though it is to be left alone")
	}
}

// TestInterfacesThatHaveAZoneStayThere: firewalld refuses one in two zones.
func TestInterfacesThatHaveAZoneStayThere(t *testing.T) {
	w := newWorld(t, 1, 1)
	w.withFirewall(hosts.Firewalld, "w-1")
	w.machines["w-1"].Edit(func(f *hosts.Facts) {
		f.FirewallState.Bound, f.FirewallState.Strict = map[string]string{"cni0": "trusted"}, true
	})
	w.init(seeded(1))
	opened := w.observe().Facts["w-1"].FirewallState.Opened
	if !slices.Equal(opened.Pods, []string{"flannel.1"}) || !opened.IntoPods {
		t.Errorf("opened: %+v", opened)
	}
}

// TestZonesByTheirSourceAreOpenedToo: firewalld asks them before those of interfaces. One that keeps others out stays shut,
// unless a host of the cluster is among these.
func TestZonesByTheirSourceAreOpenedToo(t *testing.T) {
	w := newWorld(t, 1, 1)
	w.withFirewall(hosts.Firewalld, "w-1")
	w.machines["w-1"].Edit(func(f *hosts.Facts) {
		f.FirewallState.Sources = map[string]string{
			"10.0.3.0/24": "home", "172.16.0.0/12": "work", "ipset:lan": "dmz", "10.0.9.9": "drop", "10.0.0.1": "block", "10.0.0.0/8": "trusted",
		}
	})
	w.init(seeded(1))
	if got := w.observe().Facts["w-1"].FirewallState.Opened.Zones; !slices.Equal(got, []string{"block", "home", "internal", "trusted"}) {
		t.Errorf("zones: %v", got)
	}
}

// TestEtcdsFirewallsOpenBeforeAMemberJoins: else the member would be one that does not answer.
func TestEtcdsFirewallsOpenBeforeAMemberJoins(t *testing.T) {
	w := newWorldOf(t, shape{mode: cluster.EndpointVIP, planes: 3, workers: 1})
	w.withFirewall(hosts.Firewalld, "cp-1", "cp-2")
	w.init(seeded(1))
	w.come(testPlane(4), 3)
	p, contents := w.planned(Join)
	before := plan.Predecessors(p)
	for _, name := range []string{"cp-1", "cp-2"} {
		for _, later := range []string{"cluster/etcd-join/cp-4/add", "cp-4/load-balancer/keepalived.service"} {
			if !reaches(before, later, name+"/prepare/firewall") {
				t.Errorf("%s does not wait until the firewall of %s is open", later, name)
			}
		}
	}
	w.run(p, contents, seeded(1), -1)
	w.wantOpening("cp-1", "etcd-peer", []string{"2380/tcp"}, []string{"10.0.0.2", "10.0.0.3", "10.0.0.4"})
	p, _ = w.planned(Init)
	wantEmpty(t, p)
}

// TestFirewallsForgetWhoLeaves: etcd and keepalived are open to their own hosts by address, and somebody else may have that next.
func TestFirewallsForgetWhoLeaves(t *testing.T) {
	for name, leave := range map[string]workflow{"reset": resetting("cp-3"), "remove": removing("cp-3")} {
		w := newWorldOf(t, shape{mode: cluster.EndpointVIP, planes: 3, workers: 1})
		w.withFirewall(hosts.Firewalld, "cp-1", "w-1")
		w.withFirewall(hosts.UFW, "cp-2", "cp-3")
		w.init(seeded(1))
		if name == "remove" {
			w.power("cp-3", false)
		}
		p, contents := w.planned(leave)
		before := plan.Predecessors(p)
		for _, earlier := range []string{"cluster/remove-etcd-member/cp-3", "cp-3/cleanup-node/load-balancer"} {
			there := slices.ContainsFunc(p.Steps, func(s plan.Step) bool { return s.ID == earlier })
			if there != (name == "reset" || strings.HasPrefix(earlier, "cluster")) || there && !reaches(before, "cp-1/prepare/firewall", earlier) {
				t.Errorf("%s: the firewall does not wait for %s", name, earlier)
			}
		}
		w.run(p, contents, seeded(1), -1)
		for host, left := range map[string]string{"cp-1": "10.0.0.2", "cp-2": "10.0.0.1"} {
			w.wantOpening(host, "etcd", []string{"2379/tcp"}, []string{left})
			w.wantOpening(host, "etcd-peer", []string{"2380/tcp"}, []string{left})
			w.wantOpening(host, "vrrp", []string{"vrrp"}, []string{left})
		}
		again, _ := w.planned(leave)
		wantEmpty(t, again)
		w.leaveFile("cp-3")
		p, _ = w.planned(Init)
		wantEmpty(t, p)
	}
}

// TestAFirewallThatCannotBeReloadedIsWarnedOf: a host that leaves is not held up by it.
func TestAFirewallThatCannotBeReloadedIsWarnedOf(t *testing.T) {
	w := newWorldOf(t, shape{mode: cluster.EndpointVIP, planes: 3})
	w.withFirewall(hosts.Firewalld, "cp-1")
	w.init(seeded(1))
	w.machines["cp-1"].Edit(func(f *hosts.Facts) { f.FirewallState.Unsaved = []string{"zone public, services: http"} })
	p, _ := w.planned(resetting("cp-3"))
	if slices.ContainsFunc(p.Steps, opensFirewall) || !strings.Contains(strings.Join(p.Warnings, "\n"), "cp-1: its firewall stays open to what leaves") {
		t.Errorf("warned %q of:\n%s", p.Warnings, plan.Text(p))
	}
}

// TestResetClosesFirewallsLast: what runs until then is reached through them.
func TestResetClosesFirewallsLast(t *testing.T) {
	w := newWorld(t, 1, 1)
	w.withFirewall(hosts.UFW, "cp-1", "w-1")
	state := w.observe().Facts["w-1"].FirewallState
	w.init(seeded(1))
	p, contents := w.planned(resetting())
	var after []string
	for _, step := range p.Steps {
		if step.Host == "w-1" {
			after = append(after, step.ID)
		}
	}
	at := slices.Index(after, "w-1/cleanup-node/restore/firewall/ufw")
	if at < 0 || at != len(after)-2 {
		t.Errorf("the firewall closes at %d of %q", at, after)
	}
	w.run(p, contents, seeded(1), -1)
	if got := w.observe().Facts["w-1"].FirewallState; !reflect.DeepEqual(got, state) {
		t.Errorf("the firewall was %+v, and is %+v", state, got)
	}
}

// TestAResetThatWouldEndFirewalldsSettingsIsNotBegun: it would fail at its end, when all else is gone already.
func TestAResetThatWouldEndFirewalldsSettingsIsNotBegun(t *testing.T) {
	w := newWorld(t, 1, 1)
	w.withFirewall(hosts.Firewalld, "cp-1", "w-1")
	w.init(seeded(1))
	unsaved := func(f *hosts.Facts) {
		f.FirewallState.Unsaved = []string{"zone public, rules: rule family=ipv4 … reject"}
	}
	w.machines["w-1"].Edit(unsaved)
	asked := func(workflow view.Workflow, names ...string) (hosts []string) {
		in := w.observe()
		in.Hosts = names
		for _, found := range checks.Errors(checks.Preflight(workflow, in.View)) {
			if strings.HasPrefix(found.Check, "Firewalld") && strings.Contains(found.Seen, "the reload that closes what Slipway opened would end them: zone public") {
				hosts = append(hosts, found.Host)
			}
		}
		return hosts
	}
	if one, other := asked(view.Reset, "w-1"), asked(view.Reset, "cp-1"); !slices.Equal(one, []string{"w-1"}) || len(other) > 0 {
		t.Errorf("a reset of w-1 finds it on %q, one of cp-1 on %q", one, other)
	}
	if got := asked(view.Init); len(got) > 0 {
		t.Errorf("an init that leaves the firewall as it is finds it on %q", got)
	}
	w.cluster.Firewall.Manage = new(false)
	if got := asked(view.Init); !slices.Equal(got, []string{"w-1"}) {
		t.Errorf("an init that closes the firewall finds it on %q", got)
	}
}

func wantSteps(t *testing.T, p plan.Plan, want ...string) {
	t.Helper()
	var got []string
	for _, step := range p.Steps {
		got = append(got, step.ID)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("the plan has %q, want %q", got, want)
	}
}
