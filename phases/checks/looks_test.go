package checks

import (
	"fmt"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/view"
)

// TestAMachineIDThatWasMadeAnewIsPutBack: what may be the same machine is not to be installed
// anew first, and what a host says comes into no command that is advised, unless it is an ID.
func TestAMachineIDThatWasMadeAnewIsPutBack(t *testing.T) {
	id := strings.Repeat("9", 32)
	for noted, want := range map[hosts.Machine]string{
		{Node: "w-1", MachineID: id}:          "echo " + id + " > /etc/machine-id, then reboot; if it is not: " + fixCopy,
		{Node: "w-1", MachineID: "x; reboot"}: fixCopy,
		{Node: "w-2", MachineID: id}:          fixCopy,
	} {
		facts := hosts.Facts{MachineID: strings.Repeat("8", 32), Record: &hosts.Record{Cluster: hosts.Identity{ID: "A"}, Machine: &noted}}
		w := cluster.Host{Name: "w-1"}
		found := wrongMachine(view.View{Cluster: &cluster.Cluster{Hosts: []cluster.Host{w}}, ClusterID: hosts.Identity{ID: "A"}}, w, facts)
		if len(found) != 1 || !strings.HasSuffix(found[0].Fix, want) || want == fixCopy && found[0].Fix != want {
			t.Errorf("%+v: %+v", noted, found)
		}
	}
}

func TestDiskOf(t *testing.T) {
	disks := []hosts.Disk{{Path: "/", Free: 1}, {Path: "/var/lib/containerd", Free: 2}, {Path: "/var", Free: 3}}
	for path, want := range map[string]int64{"/opt": 1, "/var/lib/containerd": 2, "/var/lib/containerd/x": 2, "/var/lib/containerdx": 3} {
		if disk, _ := diskOf(disks, path); disk.Free != want {
			t.Errorf("%s lies on %+v", path, disk)
		}
	}
}

func TestNeedsAreTheHostsImagesAndSharedBlobsOnce(t *testing.T) {
	shared := bundle.Blob{Digest: "sha256:shared", Size: 100}
	v := view.View{Cluster: testCluster("cp-1")}
	v.Bill = bundle.Bill{Images: []bundle.Image{
		{Name: "pause", Manifest: bundle.Blob{Digest: "sha256:a", Size: 1}, Layers: []bundle.Blob{shared}},
		{Name: "kube-proxy", Manifest: bundle.Blob{Digest: "sha256:b", Size: 1}, Layers: []bundle.Blob{shared}},
		{Name: "not-for-this-host", Manifest: bundle.Blob{Digest: "sha256:c", Size: 1000}},
	}}
	if got := needs(v, v.Cluster.Hosts[0], hosts.Facts{})[0].bytes; got != 102 {
		t.Errorf("the store needs %d bytes, want 102", got)
	}
}

// TestFirewallsOpenEtcdToItsMembers: whoever reaches etcd's ports is asked for a certificate,
// and should not come so far.
func TestFirewallsOpenEtcdToItsMembers(t *testing.T) {
	c := testCluster("cp-1", "cp-2", "cp-3", "w-1")
	openings := manifests.Openings(c, c.Hosts[0], hosts.Facts{})
	for _, rules := range [][]string{
		firewalldRules(openings, []string{"public"}, nil), ufwRules(openings, nil, nil), iptablesRules(hosts.Filter{Tool: "iptables", Chain: "INPUT"}, openings, nil),
	} {
		var etcds int
		for _, rule := range rules {
			if !strings.Contains(rule, "2379") && !strings.Contains(rule, "2380") {
				continue
			}
			etcds++
			if !strings.Contains(rule, c.Hosts[1].Address()) && !strings.Contains(rule, c.Hosts[2].Address()) {
				t.Errorf("%s opens etcd to others than its members", rule)
			}
		}
		if etcds != 4 {
			t.Errorf("etcd's two ports are opened %d times, want to two members each: %q", etcds, rules)
		}
	}
	for _, rule := range ufwRules(manifests.Openings(c, c.Hosts[3], hosts.Facts{}), nil, nil) {
		if strings.Contains(rule, "2379") {
			t.Errorf("%s on a worker", rule)
		}
	}
}

// TestFiltersByHandAreLeftToTheirMaker: what would let the cluster's traffic in is said in the words of all three tools.
func TestFiltersByHandAreLeftToTheirMaker(t *testing.T) {
	c := testCluster("cp-1", "w-1")
	facts := hosts.Facts{Filters: []hosts.Filter{{Tool: "nft", Family: "inet", Table: "site", Chain: "in", Hook: "input"}}}
	found := filtersByHand(view.View{Cluster: c}, c.Hosts[1], facts)
	if len(found) != 1 || found[0].Severity != Warning {
		t.Fatalf("findings: %v", found)
	}
	for _, want := range []string{
		"nft insert rule inet site in ip saddr '{ 10.0.0.1 }' tcp dport 10250 accept",
		"nft insert rule inet site in udp dport 30000-32767 accept",
		`nft insert rule inet site in iifname "cni0" accept`,
		"iptables -I INPUT -s 10.0.0.1 -p udp --dport 8472 -j ACCEPT",
		"iptables -I INPUT -p tcp --dport 30000:32767 -j ACCEPT",
		`rule family="ipv4" source address="10.0.0.1" port port="10250" protocol="tcp" accept`,
	} {
		if !strings.Contains(found[0].Fix, want) {
			t.Errorf("the fix lacks %q:\n%s", want, found[0].Fix)
		}
	}
	if !strings.Contains(found[0].Seen, "nft table inet site, chain in") {
		t.Errorf("seen: %s", found[0].Seen)
	}
}

// TestForwardChainsThatDropPodsTraffic: an accept in flannel's nft table overrides no drop of iptables', and behind its last
// rule flannel's own rules for iptables come too late.
func TestForwardChainsThatDropPodsTraffic(t *testing.T) {
	c := testCluster("cp-1", "w-1")
	links := []string{"cni0", "flannel.1"}
	policy := hosts.Filter{Tool: "iptables", Table: "filter", Chain: "FORWARD", Hook: "forward", Policy: true}
	rule, six, opened, mangle := policy, policy, policy, policy
	rule.Policy, six.Tool, opened.In, opened.Out, mangle.Table = false, "ip6tables", links, links, "mangle"
	byHand := hosts.Filter{Tool: "nft", Family: "inet", Table: "site", Chain: "through", Hook: "forward"}
	fix := []string{"iptables -I FORWARD -i cni0 -j ACCEPT && iptables -I FORWARD -o cni0 -j ACCEPT", "-o flannel.1 -j ACCEPT"}
	for name, test := range map[string]struct {
		filter hosts.Filter
		mode   string
		want   Severity // empty: nothing is told
		fix    []string
	}{
		"a policy, and flannel by nftables":     {policy, manifests.ProxyNFTables, "default", fix},
		"a policy, and flannel by iptables":     {policy, manifests.ProxyIPTables, "", nil},
		"a policy of another table":             {mangle, manifests.ProxyIPTables, "default", []string{"iptables -t mangle -I FORWARD -i cni0"}},
		"a rule, and flannel by nftables":       {rule, manifests.ProxyNFTables, Warning, fix},
		"a rule, and flannel by iptables":       {rule, manifests.ProxyIPTables, Warning, fix},
		"a family that Pods do not have":        {six, manifests.ProxyNFTables, "", nil},
		"a chain that lets Pods' links through": {opened, manifests.ProxyNFTables, "", nil},
		"a chain of nft's": {byHand, manifests.ProxyNFTables, Warning,
			[]string{`nft insert rule inet site through iifname "cni0" accept`, `nft insert rule inet site through oifname "cni0" accept`}},
	} {
		v := view.View{Cluster: c, Workflow: view.Init, Settings: &manifests.Settings{ProxyMode: test.mode}}
		found := filtersByHand(v, c.Hosts[1], hosts.Facts{Filters: []hosts.Filter{test.filter}})
		if test.want == "" {
			if len(found) > 0 {
				t.Errorf("%s: %v", name, found)
			}
			continue
		}
		if len(found) != 1 || test.want == Warning != (found[0].Severity == Warning) || !strings.Contains(found[0].Seen, test.filter.String()) {
			t.Errorf("%s: %v", name, found)
			continue
		}
		for _, want := range test.fix {
			if !strings.Contains(found[0].Fix, want) {
				t.Errorf("%s: the fix lacks %q:\n%s", name, want, found[0].Fix)
			}
		}
	}
}

// testCluster has control planes (cp-…) and workers.
func testCluster(names ...string) *cluster.Cluster {
	c := &cluster.Cluster{Name: "try", Endpoint: cluster.Endpoint{Mode: cluster.EndpointVIP, Host: "10.0.0.200"}}
	for i, name := range names {
		role := cluster.RoleWorker
		if strings.HasPrefix(name, "cp-") {
			role = cluster.RoleControlPlane
		}
		c.Hosts = append(c.Hosts, cluster.Host{Name: name, Addresses: []string{fmt.Sprintf("10.0.0.%d", i+1)}, Roles: []cluster.Role{role}})
	}
	cluster.Defaults(c)
	return c
}
