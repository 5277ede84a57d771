package phases

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/view"
)

// bareView is a cluster that is only to come: some control planes and workers behind a virtual address.
func bareView(planes, workers int) view.View {
	c := &cluster.Cluster{Name: "try", Endpoint: cluster.Endpoint{Mode: cluster.EndpointVIP, Host: "10.0.255.200"}}
	v := view.View{Cluster: c, Facts: map[string]hosts.Facts{}, Workflow: view.Init}
	for i := range planes + workers {
		name, role := fmt.Sprintf("cp-%d", i+1), cluster.RoleControlPlane
		if i >= planes {
			name, role = fmt.Sprintf("w-%d", i-planes+1), cluster.RoleWorker
		}
		address := fmt.Sprintf("10.0.%d.%d", i/250, i%250+1)
		c.Hosts = append(c.Hosts, cluster.Host{Name: name, Addresses: []string{address}, Roles: []cluster.Role{role}})
		v.Facts[name] = hosts.Facts{Interfaces: []hosts.Link{{Name: "eth0", MTU: 1400 + i, Addresses: []string{address + "/16"}}}}
	}
	cluster.Defaults(c)
	return v
}

// probesOf are the probes of a host, a line each.
func probesOf(query hosts.TrafficQuery) []string {
	var lines []string
	for _, probe := range query.Probe {
		lines = append(lines, strings.TrimSuffix(fmt.Sprintf("%s→%s %s %d %d", probe.From, probe.To.Address, probe.To.Protocol, probe.To.Port, probe.Size), " 0"))
	}
	return lines
}

// TestTrafficIsTriedBetweenHostsThatCome: what each role needs, of whom it needs it, with packets as
// large as the sender's interface takes them.
func TestTrafficIsTriedBetweenHostsThatCome(t *testing.T) {
	queries := TrafficQueries(bareView(2, 1), []byte("key"))
	want := map[string][]string{
		"cp-1": {
			"10.0.0.1→10.0.0.2 tcp 6443", "10.0.0.1→10.0.0.2 tcp 16443", "10.0.0.1→10.0.0.2 tcp 2379", "10.0.0.1→10.0.0.2 tcp 2380",
			"10.0.0.1→10.0.0.2 tcp 10250", "10.0.0.1→10.0.0.3 tcp 10250", "10.0.0.1→10.0.0.2 udp 8472 1400", "10.0.0.1→10.0.0.3 udp 8472 1400",
			"10.0.0.1→10.0.0.2 vrrp 0",
		},
		"w-1": {
			"10.0.0.3→10.0.0.1 tcp 6443", "10.0.0.3→10.0.0.2 tcp 6443", "10.0.0.3→10.0.0.1 tcp 16443", "10.0.0.3→10.0.0.2 tcp 16443",
			"10.0.0.3→10.0.0.1 udp 8472 1402", "10.0.0.3→10.0.0.2 udp 8472 1402",
		},
	}
	for name, lines := range want {
		if diff := cmp.Diff(lines, probesOf(queries[name])); diff != "" {
			t.Errorf("%s sends (-want +got):\n%s", name, diff)
		}
		if string(queries[name].Key) != "key" {
			t.Errorf("%s has no key", name)
		}
	}
	listen := []hosts.Port{{Protocol: "tcp", Address: "10.0.0.3", Port: 10250}, {Protocol: "udp", Address: "10.0.0.3", Port: 8472}}
	if diff := cmp.Diff(listen, queries["w-1"].Listen); diff != "" {
		t.Errorf("w-1 listens on (-want +got):\n%s", diff)
	}
}

// TestARunningServicesPortIsLeftAlone: a host that is in the cluster listens on nothing for a test, and what needs
// no answer of its services is not sent there. Hosts that no target has to do with are left out.
func TestARunningServicesPortIsLeftAlone(t *testing.T) {
	v := bareView(1, 2)
	v.Workflow, v.Hosts = view.Join, []string{"w-2"}
	for _, name := range []string{"cp-1", "w-1"} {
		v.ClusterFacts.Nodes = append(v.ClusterFacts.Nodes, hosts.Node{Name: name, Labels: map[string]string{view.LabelManaged: "true"}})
		facts := v.Facts[name]
		facts.Record = &hosts.Record{Cluster: hosts.Identity{ID: "A"}}
		v.Facts[name] = facts
	}
	delete(v.Facts, "w-1") // it was not looked at
	queries := TrafficQueries(v, nil)
	if len(queries["cp-1"].Listen) > 0 {
		t.Errorf("cp-1 listens on %v", queries["cp-1"].Listen)
	}
	want := map[string][]string{
		"w-2":  {"10.0.0.3→10.0.0.1 tcp 6443", "10.0.0.3→10.0.0.1 tcp 16443"},
		"cp-1": {"10.0.0.1→10.0.0.3 tcp 10250", "10.0.0.1→10.0.0.3 udp 8472 1400"},
	}
	got := map[string][]string{}
	for name, query := range queries {
		got[name] = probesOf(query)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestTheMatrixIsBounded: of 200 hosts no flow has more ways tried than it may, and yet every host has its share.
func TestTheMatrixIsBounded(t *testing.T) {
	v := bareView(3, 197)
	queries := TrafficQueries(v, nil)
	from, to, total := map[string]map[string]bool{}, map[string]map[string]bool{}, 0
	for _, query := range queries {
		for _, probe := range query.Probe {
			total++
			if probe.To.Protocol != hosts.TrafficUDP {
				continue
			}
			for of, other := range map[*map[string]map[string]bool]string{&from: probe.From, &to: probe.To.Address} {
				if (*of)[other] == nil {
					(*of)[other] = map[string]bool{}
				}
			}
			from[probe.From][probe.To.Address], to[probe.To.Address][probe.From] = true, true
		}
	}
	if total > 4*2*mostWays {
		t.Errorf("%d probes", total)
	}
	for _, host := range v.Cluster.Hosts {
		if s, r := len(from[host.Address()]), len(to[host.Address()]); s < leastWays || r < leastWays {
			t.Errorf("%s sends to %d and hears of %d", host.Name, s, r)
		}
	}
	for _, host := range v.Cluster.Hosts { // the API servers' are all tried
		reached := 0
		for _, probe := range queries[host.Name].Probe {
			if probe.To.Port == 6443 {
				reached++
			}
		}
		if reached < 2 {
			t.Errorf("%s tries %d API servers", host.Name, reached)
		}
	}
}

// TestAHalfMadeHostListensOnNothing: an init that was cut short has let its services begin, which may start at
// any moment.
func TestAHalfMadeHostListensOnNothing(t *testing.T) {
	v := bareView(2, 0)
	facts := v.Facts["cp-2"]
	facts.Units = map[string]hosts.Unit{manifests.KubeletUnit: {Active: "activating"}}
	v.Facts["cp-2"] = facts
	queries := TrafficQueries(v, nil)
	if len(queries["cp-2"].Listen) > 0 || len(queries["cp-1"].Listen) == 0 {
		t.Errorf("cp-2 listens on %v, cp-1 on %v", queries["cp-2"].Listen, queries["cp-1"].Listen)
	}
	for _, probe := range queries["cp-1"].Probe {
		if probe.To.Protocol != hosts.TrafficTCP {
			t.Errorf("cp-1 sends %+v, which nobody answers", probe)
		}
	}
}

// TestServicesAreTriedByFirstAddresses: only VXLAN goes in each family.
func TestServicesAreTriedByFirstAddresses(t *testing.T) {
	v := bareView(2, 0)
	for i := range v.Cluster.Hosts {
		v.Cluster.Hosts[i].Addresses = append(v.Cluster.Hosts[i].Addresses, fmt.Sprintf("fd00::%d", i+1))
	}
	six := map[string]int{}
	for _, probe := range TrafficQueries(v, nil)["cp-1"].Probe {
		if strings.Contains(probe.To.Address, ":") {
			six[probe.To.Protocol]++
		}
	}
	if diff := cmp.Diff(map[string]int{"udp": 1}, six); diff != "" {
		t.Errorf("by IPv6 (-want +got):\n%s", diff)
	}
}
