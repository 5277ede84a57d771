package cluster

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// flowLines are a cluster's flows, a line each.
func flowLines(flows []Flow) []string {
	var lines []string
	for _, f := range flows {
		from := strings.Join(namesIn(f.From), ",")
		if f.Anyone {
			from += "+anyone"
		}
		line := fmt.Sprintf("%s %d %s → %s", f.Protocol, f.Port, from, strings.Join(namesIn(f.To), ","))
		if f.Last != f.Port {
			line = strings.Replace(line, " ", fmt.Sprintf(" -%d:", f.Last), 1)
		}
		if f.Optional {
			line += " (optional)"
		}
		lines = append(lines, line)
	}
	return lines
}

func namesIn(hosts []Host) []string {
	var names []string
	for _, host := range hosts {
		names = append(names, host.Name)
	}
	return names
}

// TestFlowsOfEachMode: the traffic that firewalls have to let pass, in each mode of the endpoint.
func TestFlowsOfEachMode(t *testing.T) {
	const (
		all    = "cp-1,cp-2,cp-3,worker-1"
		planes = "cp-1,cp-2,cp-3"
	)
	etcd := []string{"tcp 2379 " + planes + " → " + planes, "tcp 2380 " + planes + " → " + planes}
	nodes := []string{
		"tcp 10250 " + planes + " → " + all, "tcp 10250 " + all + " → " + all + " (optional)", "udp 8472 " + all + " → " + all,
	}
	services := []string{
		"tcp -32767:30000 " + all + "+anyone → " + all + " (optional)", "udp -32767:30000 " + all + "+anyone → " + all + " (optional)",
	}
	for name, test := range map[string]struct {
		file string
		want []string
	}{
		"vip": {three + "endpoint: {host: 192.0.2.100}\n", slices.Concat([]string{
			"tcp 6443 " + all + " → " + planes, "tcp 16443 " + all + "+anyone → " + planes,
		}, etcd, nodes, []string{"vrrp 0 " + planes + " → " + planes}, services)},
		"local": {three + "endpoint: {mode: local}\n", slices.Concat([]string{
			"tcp 6443 " + all + "+anyone → " + planes,
		}, etcd, nodes, services)},
		"external, etcd too, no add-on": {three + "endpoint: {mode: external, host: lb}\nnetworking: {addOn: none}\n" +
			"etcd: {external: {endpoints: [https://192.0.2.31:2379], caFile: ca, certFile: c, keyFile: k}}\n", slices.Concat([]string{
			"tcp 6443 " + all + "+anyone → " + planes,
		}, nodes[:2], services)},
		"one control plane": {one, []string{
			"tcp 6443 cp-1+anyone → cp-1", "tcp -32767:30000 cp-1+anyone → cp-1 (optional)", "udp -32767:30000 cp-1+anyone → cp-1 (optional)",
		}},
		"another range": {one + "extraArgs: {apiServer: [{name: service-node-port-range, value: 40000-40010}]}\n", []string{
			"tcp 6443 cp-1+anyone → cp-1", "tcp -40010:40000 cp-1+anyone → cp-1 (optional)", "udp -40010:40000 cp-1+anyone → cp-1 (optional)",
		}},
	} {
		if diff := cmp.Diff(test.want, flowLines(load(t, test.file).Flows())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestALoadBalancersFlows: it takes clients and adverts, reaches API servers, and is no node.
func TestALoadBalancersFlows(t *testing.T) {
	c := load(t, balanced)
	balancer := c.Balancers()[0]
	got := flowLines(c.FlowsTo(balancer))
	for _, line := range got {
		if !strings.HasPrefix(line, "tcp 16443 ") && !strings.HasPrefix(line, "vrrp ") {
			t.Errorf("%s takes %s", balancer.Name, line)
		}
		if strings.HasPrefix(line, "vrrp ") && strings.Contains(line, balancer.Name+",") {
			t.Errorf("it sends to itself: %s", line)
		}
	}
	if len(got) != 2 {
		t.Errorf("%s takes %q", balancer.Name, got)
	}
	if !slices.ContainsFunc(c.Flows()[0].From, balancer.is) {
		t.Errorf("%s does not reach the API servers: %q", balancer.Name, flowLines(c.Flows()[:1]))
	}
}

// TestPairsAreOfOneFamily: each family that both hosts have, and none that one lacks.
func TestPairsAreOfOneFamily(t *testing.T) {
	both := func(name string, addresses ...string) Host { return Host{Name: name, Addresses: addresses} }
	hosts := []Host{both("a", "192.0.2.1", "2001:db8::1"), both("b", "2001:db8::2", "192.0.2.2"), both("c", "192.0.2.3", "192.0.2.33")}
	var got []string
	for _, p := range flow(ProtocolTCP, 1, hosts, hosts, "").Pairs() {
		got = append(got, fmt.Sprintf("%s %s→%s %s", p.From.Name, p.FromAddress, p.To.Name, p.ToAddress))
	}
	want := []string{
		"a 192.0.2.1→b 192.0.2.2", "a 2001:db8::1→b 2001:db8::2", "a 192.0.2.1→c 192.0.2.3",
		"b 192.0.2.2→a 192.0.2.1", "b 2001:db8::2→a 2001:db8::1", "b 192.0.2.2→c 192.0.2.3",
		"c 192.0.2.3→a 192.0.2.1", "c 192.0.2.3→b 192.0.2.2",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
