//go:build linux

package local_test

import (
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/local"
)

// TestRemoveNetwork makes real links, tables and chains, in the network namespace that the
// tests have for themselves.
func TestRemoveNetwork(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	addBridge(t, "cni0")
	addBridge(t, "theirs0")
	addVeth(t, "vethslip0", "vethslip1")
	addVeth(t, "vethpod0", "vethpod1")
	plug(t, "vethpod0", "cni0")
	addRules(t)
	m.write("/run/netns/cni-1234", "")
	m.write("/run/netns/cni-theirs", "") // Podman's have names of the same kind

	query := hosts.Query{
		Links: []string{"cni0", "vethslip*"}, Tables: []string{"kube-proxy", "cni_hostport"}, Chains: []string{"KUBE-FIREWALL", "KUBE-SVC-*", "KUBE-KUBELET-CANARY"},
	}
	facts := m.observe(host, query)
	slices.Sort(facts.Chains)
	want := hosts.Facts{
		Links: []string{"cni0", "vethslip1", "vethslip0"}, Tables: []string{"ip kube-proxy", "ip6 kube-proxy"},
		Chains: []string{"ip filter KUBE-FIREWALL", "ip filter KUBE-SVC-ABCDEFGH2345XYZ7", "ip nat KUBE-KUBELET-CANARY"},
	}
	slices.Sort(facts.Links)
	slices.Sort(want.Links)
	got := hosts.Facts{Links: facts.Links, Tables: facts.Tables, Chains: facts.Chains}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("what is there (-want +got):\n%s", diff)
	}
	m.do(host, hosts.RemoveNetwork{
		Links: query.Links, Tables: query.Tables, Chains: query.Chains, Pods: []hosts.Sandbox{{ID: "1", Namespace: "cni-1234"}},
	})
	facts = m.observe(host, query)
	if left := slices.Concat(facts.Links, facts.Tables, facts.Chains); len(left) > 0 {
		t.Errorf("left are %v", left)
	}
	if got := tables(t); !slices.Equal(got, []string{"filter", "nat", "theirs"}) {
		t.Errorf("the tables that stay are %v: theirs, and those with a chain of theirs", got)
	}
	if got := chainNames(t); !slices.Equal(got, []string{"INPUT", "KUBE-ADMIN", "KUBE-SVC-OURS", "THEIRS"}) {
		t.Errorf("the chains that stay are %v: theirs, one with a jump into one of theirs too", got)
	}
	if _, err := netlink.LinkByName("vethpod0"); err == nil {
		t.Error("a pair that was plugged into a bridge of ours is left")
	}
	if _, err := netlink.LinkByName("theirs0"); err != nil {
		t.Errorf("a link of theirs: %v", err)
	}
	if m.has("/run/netns/cni-1234") || !m.has("/run/netns/cni-theirs") {
		t.Error("the network namespaces that are left are not the right ones")
	}
}

// TestRoutesAndResolver looks at real routes, in the tests' own network namespace.
func TestRoutesAndResolver(t *testing.T) {
	m := newMachine(t)
	addBridge(t, "nic0")
	link, err := netlink.LinkByName("nic0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = netlink.LinkDel(link) })
	address, err := netlink.ParseAddr("10.244.7.9/16")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(netlink.AddrAdd(link, address), netlink.LinkSetUp(link)); err != nil {
		t.Fatal(err)
	}
	m.write("/etc/resolv.conf", "# nobody\nsearch corp\nnameserver 10.244.0.53\n")
	host := m.host()
	query := hosts.Query{Subnets: []string{"10.244.0.0/16", "10.96.0.0/12"}, RouteTo: []string{"10.244.1.1", "10.96.0.10"}}
	facts := m.observe(host, query)
	got := hosts.Facts{Routes: facts.Routes, RouteTo: facts.RouteTo, Resolver: facts.Resolver, NameServers: facts.NameServers}
	want := hosts.Facts{
		Routes:   []hosts.Route{{Destination: "10.244.0.0/16", Interface: "nic0"}},
		RouteTo:  map[string]string{"10.244.1.1": "nic0"},
		Resolver: "/etc/resolv.conf", NameServers: []string{"10.244.0.53"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what was seen (-want +got):\n%s", diff)
	}
	if err := netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Gw: net.IPv4(10, 244, 0, 1)}); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(m.at("/etc/resolv.conf")); err != nil {
		t.Fatal(err)
	}
	facts = m.observe(host, query)
	if facts.RouteTo["10.96.0.10"] != "nic0" || !slices.Contains(facts.Routes, hosts.Route{Destination: "0.0.0.0/0", Gateway: "10.244.0.1", Interface: "nic0"}) {
		t.Errorf("with a default route: %v, %v", facts.RouteTo, facts.Routes)
	}
	if facts.Resolver != "" || facts.NameServers != nil {
		t.Errorf("without a resolv.conf: %q, %q", facts.Resolver, facts.NameServers)
	}
}

// TestRoutesOfOtherTables: a VPN's lie in a table of its own, which a rule has the kernel look at first. A table that
// no rule leads to counts for nothing.
func TestRoutesOfOtherTables(t *testing.T) {
	addBridge(t, "vpn0")
	link, err := netlink.LinkByName("vpn0")
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		t.Fatal(err)
	}
	for table, subnet := range map[int]string{52: "10.244.3.0/24", 77: "10.244.4.0/24"} {
		_, to, err := net.ParseCIDR(subnet)
		if err != nil {
			t.Fatal(err)
		}
		if err := netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: to, Table: table, Scope: netlink.SCOPE_LINK}); err != nil {
			t.Fatal(err)
		}
	}
	rule := netlink.NewRule()
	rule.Family, rule.Table, rule.Priority = netlink.FAMILY_V4, 52, 5270
	if err := netlink.RuleAdd(rule); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = netlink.RuleDel(rule) })
	got := newMachine(t)
	routes := got.observe(got.host(), hosts.Query{Subnets: []string{"10.244.0.0/16"}}).Routes
	if want := []hosts.Route{{Destination: "10.244.3.0/24", Interface: "vpn0"}}; !slices.Equal(routes, want) {
		t.Errorf("seen are %v, want %v", routes, want)
	}
}

// TestResolverThatPodsInherit: systemd-resolved may run without being what the host asks.
func TestResolverThatPodsInherit(t *testing.T) {
	const own, resolved = "/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"
	stub, nobody := "nameserver 127.0.0.53\n", "# No DNS servers known.\n"
	for name, test := range map[string]struct {
		runs          bool
		own, resolved string
		want          string
		servers       []string
	}{
		"resolved's stub":            {true, stub, "nameserver 10.0.0.1\n", resolved, []string{"10.0.0.1"}},
		"resolved that knows nobody": {true, stub, nobody, resolved, nil},
		"resolved beside another":    {true, "nameserver 10.0.0.2\n", nobody, own, []string{"10.0.0.2"}},
		"resolved that was stopped":  {false, "nameserver 10.0.0.2\n", "nameserver 10.0.0.1\n", own, []string{"10.0.0.2"}},
		"no file of resolved's":      {true, "nameserver 10.0.0.2\n", "", own, []string{"10.0.0.2"}},
		"none at all":                {true, "", "", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			for path, content := range map[string]string{own: test.own, resolved: test.resolved} {
				if content != "" {
					m.write(path, content)
				} else if err := os.Remove(m.at(path)); err != nil && !errors.Is(err, os.ErrNotExist) {
					t.Fatal(err)
				}
			}
			if facts := m.host().ObserveResolver(test.runs); facts.Resolver != test.want || !slices.Equal(facts.NameServers, test.servers) {
				t.Errorf("Pods inherit %q with %q, want %q with %q", facts.Resolver, facts.NameServers, test.want, test.servers)
			}
		})
	}
}

// TestWhatSystemdDoesNotSayIsNotGuessed: who would plan by the guess has Pods ask the host's
// own stub, or leaves a firewall out. A unit that is restarted runs.
func TestWhatSystemdDoesNotSayIsNotGuessed(t *testing.T) {
	failed := errors.New("Message recipient disconnected from message bus without replying")
	for name, test := range map[string]struct {
		unit, active string
		err          error
		resolver     string
		firewall     string
	}{
		"resolved runs":              {"systemd-resolved.service", "active", nil, "/run/systemd/resolve/resolv.conf", ""},
		"resolved is restarted":      {"systemd-resolved.service", "deactivating", nil, "/run/systemd/resolve/resolv.conf", ""},
		"resolved was stopped":       {"systemd-resolved.service", "inactive", nil, "/etc/resolv.conf", ""},
		"no word of resolved":        {"systemd-resolved.service", "", failed, "", ""},
		"firewalld reads its rules":  {"firewalld.service", "reloading", nil, "/etc/resolv.conf", "firewalld"},
		"firewalld failed":           {"firewalld.service", "failed", nil, "/etc/resolv.conf", ""},
		"no word of firewalld":       {"firewalld.service", "", failed, "", ""},
		"no word of a ufw":           {"ufw.service", "", failed, "", ""},
		"there is no systemd at all": {"systemd-resolved.service", "", local.ErrNoSystemd, "/etc/resolv.conf", ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			m.write("/etc/resolv.conf", "nameserver 127.0.0.53\n")
			m.write("/run/systemd/resolve/resolv.conf", "nameserver 10.0.0.1\n")
			m.systemd.units[test.unit] = local.UnitState{Load: "loaded", Active: test.active}
			m.systemd.silent = map[string]error{test.unit: test.err}
			facts, err := m.host().Observe(t.Context(), hosts.Query{})
			if wrong := test.resolver == ""; (err != nil) != wrong {
				t.Fatalf("it ends with %v", err)
			}
			if facts.Resolver != test.resolver || facts.Firewall != test.firewall {
				t.Errorf("Pods inherit %q, and the firewall is %q", facts.Resolver, facts.Firewall)
			}
		})
	}
}

// TestAKubeletOfWhichNothingIsKnown has its Pods' control groups left alone.
func TestAKubeletOfWhichNothingIsKnown(t *testing.T) {
	m := newMachine(t)
	m.write("/sys/fs/cgroup/kubepods.slice/.keep", "")
	m.systemd.silent = map[string]error{"kubelet.service": errors.New("no reply")}
	if err := m.fails(m.host(), hosts.StopPods{}); !strings.Contains(err.Error(), "no reply") {
		t.Errorf("it ends with %v", err)
	}
}

// addRules makes tables and chains of Kubernetes and of somebody else.
func addRules(t *testing.T) {
	t.Helper()
	conn, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range []nftables.TableFamily{nftables.TableFamilyIPv4, nftables.TableFamilyIPv6} {
		conn.AddChain(&nftables.Chain{Name: "services", Table: conn.AddTable(&nftables.Table{Family: family, Name: "kube-proxy"})})
	}
	conn.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: "theirs"})
	conn.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: "mangle"}) // as the kubelet's question leaves it
	filter := conn.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: "filter"})
	nat := conn.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: "nat"})
	accept := nftables.ChainPolicyAccept
	input := conn.AddChain(&nftables.Chain{
		Name: "INPUT", Table: filter, Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookInput, Priority: nftables.ChainPriorityFilter, Policy: &accept,
	})
	firewall := conn.AddChain(&nftables.Chain{Name: "KUBE-FIREWALL", Table: filter})
	inner := conn.AddChain(&nftables.Chain{Name: "KUBE-SVC-ABCDEFGH2345XYZ7", Table: filter})
	conn.AddChain(&nftables.Chain{Name: "KUBE-ADMIN", Table: filter})    // an administrator's
	conn.AddChain(&nftables.Chain{Name: "KUBE-SVC-OURS", Table: filter}) // no hash of kube-proxy's
	theirs := conn.AddChain(&nftables.Chain{Name: "THEIRS", Table: nat})
	conn.AddChain(&nftables.Chain{Name: "KUBE-KUBELET-CANARY", Table: nat})
	for from, to := range map[*nftables.Chain]string{input: "KUBE-FIREWALL", firewall: "KUBE-SVC-ABCDEFGH2345XYZ7"} {
		conn.AddRule(&nftables.Rule{Table: from.Table, Chain: from, Exprs: []expr.Any{
			&expr.Counter{}, &expr.Verdict{Kind: expr.VerdictJump, Chain: to},
		}})
	}
	conn.AddRule(&nftables.Rule{Table: filter, Chain: inner, Exprs: []expr.Any{&expr.Verdict{Kind: expr.VerdictDrop}}})
	conn.AddRule(&nftables.Rule{Table: nat, Chain: theirs, Exprs: []expr.Any{&expr.Verdict{Kind: expr.VerdictAccept}}})
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
}

// nftNames are the names of all that the kernel lists of one kind.
func nftNames[T any](t *testing.T, list func(*nftables.Conn) ([]T, error), name func(T) string) []string {
	t.Helper()
	conn, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	all, err := list(conn)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, one := range all {
		names = append(names, name(one))
	}
	slices.Sort(names)
	return names
}

func chainNames(t *testing.T) []string {
	t.Helper()
	return nftNames(t, (*nftables.Conn).ListChains, func(c *nftables.Chain) string { return c.Name })
}

func tables(t *testing.T) []string {
	t.Helper()
	return nftNames(t, (*nftables.Conn).ListTables, func(table *nftables.Table) string { return table.Name })
}

func addBridge(t *testing.T, name string) {
	t.Helper()
	addLink(t, &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: name}})
}

func addVeth(t *testing.T, name, peer string) {
	t.Helper()
	addLink(t, &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name}, PeerName: peer})
}

func plug(t *testing.T, port, bridge string) {
	t.Helper()
	link, err := netlink.LinkByName(port)
	if err != nil {
		t.Fatal(err)
	}
	master, err := netlink.LinkByName(bridge)
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetMaster(link, master); err != nil {
		t.Fatal(err)
	}
}

func addLink(t *testing.T, link netlink.Link) {
	t.Helper()
	if err := netlink.LinkAdd(link); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := netlink.LinkDel(link); err != nil && !strings.Contains(err.Error(), "no such device") {
			t.Log(err)
		}
	})
}
