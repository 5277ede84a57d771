package manifests

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// TestWhoCarriesABalancer: each mode puts haproxy and keepalived on its hosts, with all
// that they need, and on no other.
func TestWhoCarriesABalancer(t *testing.T) {
	const haproxy, both = "haproxy", "haproxy keepalived"
	alone := one()
	alone.Endpoint.Mode = cluster.EndpointVIP
	alone.Endpoint.Host, alone.Endpoint.Address, alone.Endpoint.Port = "10.90.0.100", "10.90.0.100", 16443
	for name, test := range map[string]struct {
		cluster *cluster.Cluster
		want    map[string]string // by host
	}{
		"vip":            {vip(), map[string]string{"cp-1": both, "cp-2": both, "cp-3": both}},
		"load balancers": {loadBalancers(), map[string]string{"lb-1": both, "lb-2": both}},
		"local":          {local(), map[string]string{"cp-1": haproxy, "cp-2": haproxy, "cp-3": haproxy, "worker-1": haproxy}},
		"external":       {three(), nil},
		"control plane":  {one(), nil},
		"vip of one":     {alone, map[string]string{"cp-1": both}},
	} {
		t.Run(name, func(t *testing.T) {
			in := input(t, test.cluster, modern())
			for _, host := range test.cluster.Hosts {
				if got := carried(render(t, in, host.Name)); got != test.want[host.Name] {
					t.Errorf("%s carries %q, want %q", host.Name, got, test.want[host.Name])
				}
			}
		})
	}
}

// carried names the balancers that a host has whole: unit, unit's file, configuration and
// the set that they run from.
func carried(state HostState) string {
	paths := map[string]bool{}
	for _, file := range state.Files {
		paths[file.Path] = true
	}
	var names []string
	for name, config := range map[string]string{"haproxy": HAProxyConfig, "keepalived": KeepalivedConfig} {
		unit := slices.ContainsFunc(state.Units, func(u Unit) bool { return u.Name == name+".service" && u.Enabled && u.Active })
		file, configured := paths[UnitsFolder+"/"+name+".service"], paths[config]
		set := slices.ContainsFunc(state.Sets, func(s bundle.FileSet) bool { return s.Name == bundle.SetLoadBalancer })
		switch {
		case unit && file && configured && set:
			names = append(names, name)
		case unit || file || configured:
			names = append(names, "half of "+name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// TestALoadBalancerIsNoNode: of Kubernetes it has the CA and nothing else, but for the bill that every host has.
func TestALoadBalancerIsNoNode(t *testing.T) {
	state := render(t, input(t, loadBalancers(), modern()), "lb-1")
	for _, file := range state.Files {
		if file.Phase != plan.PhaseLoadBalancer && file.Path != BillFile {
			t.Errorf("it has the file %s", file.Path)
		}
	}
	state.file(t, BalancerCA)
	for _, unit := range state.Units {
		if unit.Phase != plan.PhaseLoadBalancer {
			t.Errorf("it has the unit %s", unit.Name)
		}
	}
	if state.DisableSwap || len(state.Images)+len(state.Links)+len(state.Modules)+len(state.Sysctls)+len(state.Directories)+len(state.Entries) > 0 {
		t.Errorf("it is prepared for Kubernetes:\n%s", describe(state))
	}
}

// TestBackendsAndPeersAreThoseOfTheCluster, and not those of the file that are not in it
// yet or any more. A peer need not be a backend, nor a backend a peer.
func TestBackendsAndPeersAreThoseOfTheCluster(t *testing.T) {
	in := input(t, vip(), modern())
	in.ControlPlanes, in.Balancers = []string{"cp-3", "cp-1"}, []string{"cp-2", "cp-1"}
	state := render(t, in, "cp-1")
	if got, want := serversOf(state, t), []string{"cp-1 10.90.0.11:6443", "cp-3 10.90.0.13:6443"}; !slices.Equal(got, want) {
		t.Errorf("haproxy sends clients to %q, want %q", got, want)
	}
	if got, want := peersOf(state, t), []string{"10.90.0.12"}; !slices.Equal(got, want) {
		t.Errorf("keepalived's peers are %q, want %q", got, want)
	}
	in.Balancers = []string{"cp-1"}
	if got := peersOf(render(t, in, "cp-1"), t); !slices.Equal(got, []string{"127.0.0.1"}) {
		t.Errorf("the only one has the peers %q: without any it would speak multicast", got)
	}
	// Dedicated balancers are each other's peers, whoever is a control plane.
	in = input(t, loadBalancers(), modern())
	in.ControlPlanes = []string{"cp-2"}
	state = render(t, in, "lb-1")
	if got := peersOf(state, t); !slices.Equal(got, []string{"10.90.0.32"}) {
		t.Errorf("lb-1's peers are %q", got)
	}
	if got := serversOf(state, t); !slices.Equal(got, []string{"cp-2 10.90.0.12:6443"}) {
		t.Errorf("lb-1 sends clients to %q", got)
	}
}

// serversOf lists haproxy's servers, each of which must be a last resort as well.
func serversOf(state HostState, t *testing.T) []string {
	t.Helper()
	var checked, resorts []string
	for line := range strings.Lines(string(state.file(t, HAProxyConfig).Content)) {
		words := strings.Fields(line)
		switch {
		case len(words) < 3 || words[0] != "server":
		case strings.HasSuffix(words[1], ":unready"):
			resorts = append(resorts, strings.TrimSuffix(words[1], ":unready")+" "+words[2])
		default:
			checked = append(checked, words[1]+" "+words[2])
		}
	}
	if !slices.Equal(checked, resorts) {
		t.Errorf("the servers are %q, as a last resort %q", checked, resorts)
	}
	return checked
}

func peersOf(state HostState, t *testing.T) []string {
	t.Helper()
	_, after, _ := strings.Cut(string(state.file(t, KeepalivedConfig).Content), "unicast_peer {\n")
	block, _, _ := strings.Cut(after, "}")
	var found []string
	for line := range strings.Lines(block) {
		if words := strings.Fields(line); len(words) > 0 {
			found = append(found, words[0])
		}
	}
	return found
}

// TestALocalBalancerServesItsHostOnly.
func TestALocalBalancerServesItsHostOnly(t *testing.T) {
	for want, c := range map[string]*cluster.Cluster{"bind 127.0.0.1:16443\n": local(), "bind *:16443\n": vip()} {
		if config := string(render(t, input(t, c, modern()), "cp-1").file(t, HAProxyConfig).Content); !strings.Contains(config, want) {
			t.Errorf("mode %s lacks %q", c.Endpoint.Mode, want)
		}
	}
}

// TestPriorities: without preemption nobody takes the address from who holds it; with it
// the file's order decides. A broken path weighs more than any order.
func TestPriorities(t *testing.T) {
	for _, preempt := range []bool{false, true} {
		c := vip()
		c.Endpoint.VRRP.Preempt = preempt
		for i := 3; i < 300; i++ {
			host := cluster.Host{Name: fmt.Sprint("cp-", i+1), Addresses: []string{fmt.Sprintf("10.91.%d.%d", i/200, i%200+1)}}
			host.Roles = []cluster.Role{cluster.RoleControlPlane}
			c.Hosts = append(c.Hosts, host)
		}
		in := Input{Cluster: c}
		planes := c.ControlPlanes()
		first, second, last := in.priority(planes[0]), in.priority(planes[1]), in.priority(planes[len(planes)-1])
		if preempt != (first > second) || preempt != (first > last) || first > 254 {
			t.Errorf("preempt %v: priorities are %d, %d … %d", preempt, first, second, last)
		}
		if first-pathWeight >= last || last-pathWeight < 1 {
			t.Errorf("preempt %v: a broken path leaves %d, and the last has %d", preempt, first-pathWeight, last)
		}
	}
}

// TestTheVirtualAddressGoesWhereTheHostsIs, unless the file names the interface.
func TestTheVirtualAddressGoesWhereTheHostsIs(t *testing.T) {
	in := input(t, vip(), modern())
	config := string(render(t, in, "cp-2").file(t, KeepalivedConfig).Content)
	for _, want := range []string{"interface eth1\n", "10.90.0.100/32 dev eth1\n", "unicast_src_ip 10.90.0.12\n"} {
		if !strings.Contains(config, want) {
			t.Errorf("the configuration lacks %q", want)
		}
	}
	in.Facts["cp-2"] = hosts.Facts{Interfaces: []hosts.Link{{Name: "eth0", Addresses: []string{"192.0.2.7/24"}}}}
	if _, err := Host(in, "cp-2"); err == nil || !strings.Contains(err.Error(), "none has the address 10.90.0.12") {
		t.Errorf("a host without its own address: %v", err)
	}
	in.Cluster.Endpoint.VRRP.Interface = "bond0"
	if config := string(render(t, in, "cp-2").file(t, KeepalivedConfig).Content); !strings.Contains(config, "dev bond0\n") {
		t.Error("the interface that the file names is not taken")
	}
}

// TestTheRouterIDIsTheClusters: the same each time, in range, and what the file says goes
// before.
func TestTheRouterIDIsTheClusters(t *testing.T) {
	in := input(t, vip(), modern())
	id, err := RouterID(in.Cluster, in.PKI)
	if err != nil || id < 1 || id > 255 {
		t.Fatalf("derived %d, %v", id, err)
	}
	want := fmt.Sprintf("virtual_router_id %d\n", id)
	for _, name := range []string{"cp-1", "cp-3"} {
		if config := string(render(t, in, name).file(t, KeepalivedConfig).Content); !strings.Contains(config, want) {
			t.Errorf("%s lacks %q", name, want)
		}
	}
	for identity, want := range map[string]int{"00000000": 1, "000000fe": 255, "000000ff": 1, "00000100": 2} {
		if id, err := routerOf(identity); err != nil || id != want {
			t.Errorf("identity %s gives the router id %d (%v), want %d", identity, id, err, want)
		}
	}
	in.Cluster.Endpoint.VRRP.RouterID = 77
	if id, err := RouterID(in.Cluster, certs.PKI{}); err != nil || id != 77 {
		t.Errorf("the file says 77: got %d, %v", id, err)
	}
}

// TestWhoGoesWhere: a control plane's own go to the API server beside them, all others to
// the endpoint; whoever is to join finds the cluster without a balancer of his own.
func TestWhoGoesWhere(t *testing.T) {
	for name, test := range map[string]struct {
		cluster                      *cluster.Cluster
		endpoint, discovery, entries string
		entrances                    []string
	}{
		"vip":            {vip(), "https://10.90.0.100:16443", "https://10.90.0.100:16443", "", []string{"10.90.0.100:16443"}},
		"load balancers": {loadBalancers(), "https://api.lb.example:443", "https://api.lb.example:443", "10.90.0.100 api.lb.example", []string{"10.90.0.100:443"}},
		"local":          {local(), "https://api.local.internal:16443", "https://10.90.0.12:6443", "127.0.0.1 api.local.internal", []string{"10.90.0.11:6443", "10.90.0.12:6443", "10.90.0.13:6443"}},
	} {
		t.Run(name, func(t *testing.T) {
			in := input(t, test.cluster, modern())
			in.ControlPlanes = []string{"cp-2", "cp-3"}
			cp, worker := render(t, in, "cp-2"), render(t, in, "worker-1")
			const own = "https://10.90.0.12:6443"
			for path, want := range map[string]string{AdminConf: test.endpoint, ControllerConf: own, SchedulerConf: own, KubeletConf: own} {
				if got := cp.file(t, path).Server; got != want {
					t.Errorf("%s leads to %s, want %s", path, got, want)
				}
			}
			if got := worker.file(t, KubeletConf).Server; got != test.endpoint {
				t.Errorf("a worker's kubelet goes to %s", got)
			}
			for _, state := range []HostState{cp, worker} {
				var entries []string
				for _, entry := range state.Entries {
					entries = append(entries, entry.Address+" "+strings.Join(entry.Names, " "))
				}
				if got := strings.Join(entries, ", "); got != test.entries {
					t.Errorf("%s has the hosts entries %q, want %q", state.Host, got, test.entries)
				}
			}
			if got, err := JoinAddresses(test.cluster); err != nil || !slices.Equal(got, test.entrances) {
				t.Errorf("who has nothing of the cluster goes to %v (%v), want %v", got, err, test.entrances)
			}
			info, err := ClusterInfo(in)
			if err != nil || !strings.Contains(string(info.Content), "server: "+test.discovery+`\n`) {
				t.Errorf("cluster-info does not lead to %s (%v):\n%s", test.discovery, err, info.Content)
			}
		})
	}
}

// TestBalancersTakeAConfigurationByReload, and all else that they read by a restart.
func TestBalancersTakeAConfigurationByReload(t *testing.T) {
	for _, unit := range render(t, input(t, loadBalancers(), modern()), "lb-1").Units {
		config := map[string]string{HAProxyUnit: HAProxyConfig, KeepalivedUnit: KeepalivedConfig}[unit.Name]
		if !slices.Equal(unit.Reloads, []string{config}) {
			t.Errorf("%s is reloaded for %q", unit.Name, unit.Reloads)
		}
		for _, path := range []string{UnitsFolder + "/" + unit.Name, BalancerCA} {
			if !slices.Contains(unit.Inputs, path) {
				t.Errorf("%s is not restarted for %s", unit.Name, path)
			}
		}
	}
}

// TestNothingOfTheBalancersIsOnTheNetworkButTheAPI: no page, no admin socket, no password.
func TestNothingOfTheBalancersIsOnTheNetworkButTheAPI(t *testing.T) {
	for line := range strings.Lines(string(render(t, input(t, vip(), modern()), "cp-1").file(t, HAProxyConfig).Content)) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || strings.HasPrefix(words[0], "#"):
		case words[0] == "bind" && words[1] != "*:16443" && !strings.HasPrefix(words[1], "unix@"):
			t.Errorf("it listens: %s", line)
		case (strings.Contains(line, "unix@") || words[0] == "stats" && words[1] == "socket") && !strings.Contains(line, "mode 600"):
			t.Errorf("others than root may use it: %s", line)
		case strings.Contains(line, "auth "):
			t.Errorf("it has a password: %s", line)
		}
	}
}

// TestExternalEtcd: nothing of an etcd of ours is anywhere, and the user's is what the API
// servers, and kubeadm, are led to.
func TestExternalEtcd(t *testing.T) {
	in := input(t, externalEtcd(), modern())
	state := render(t, in, "cp-1")
	for _, file := range state.Files {
		if file.Phase == plan.PhaseEtcd || strings.HasPrefix(file.Path, certs.EtcdFolder) && file.Path != certs.Etcd.CertPath() {
			t.Errorf("it has the file %s", file.Path)
		}
	}
	for path, want := range map[string][]byte{
		certs.Etcd.CertPath():                           in.EtcdFiles["etcd-ca.pem"],
		"/etc/kubernetes/pki/apiserver-etcd-client.crt": in.EtcdFiles["etcd-client.pem"],
		"/etc/kubernetes/pki/apiserver-etcd-client.key": in.EtcdFiles["etcd-client-key.pem"],
	} {
		if file := state.file(t, path); string(file.Content) != string(want) || file.Compare != Exact {
			t.Errorf("%s is not the user's", path)
		}
	}
	flags := string(state.file(t, APIServerManifest).Content)
	if !strings.Contains(flags, "--etcd-servers=https://etcd-1.example:2379,https://etcd-2.example:2379\n") {
		t.Errorf("the API server does not go to the user's etcd:\n%s", flags)
	}
	delete(in.EtcdFiles, "etcd-client-key.pem")
	if _, err := Host(in, "cp-1"); err == nil || !strings.Contains(err.Error(), "etcd-client-key.pem") {
		t.Errorf("without the user's key: %v", err)
	}
	if _, err := Host(in, "worker-1"); err != nil {
		t.Errorf("a worker needs none of it: %v", err)
	}
}

// TestTheVirtualAddressIsBare: a moving address with the subnet's length would bring a
// route that goes with it.
func TestTheVirtualAddressIsBare(t *testing.T) {
	config := string(render(t, input(t, vip(), modern()), "cp-1").file(t, KeepalivedConfig).Content)
	for word := range strings.FieldsSeq(config) {
		if prefix, err := netip.ParsePrefix(word); err == nil && prefix.Bits() != 32 {
			t.Errorf("it sets %s", prefix)
		}
	}
}
