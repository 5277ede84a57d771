package checks

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

// TestWhatUfwKeepsInIsTold: each flow that leaves the host needs a rule where ufw lets nothing else out.
func TestWhatUfwKeepsInIsTold(t *testing.T) {
	const all, six = "0.0.0.0/0", "::/0"
	pods := []hosts.PacketRule{{Link: "cni0", To: all, From: all}, {Link: "flannel.1", To: all, From: all}}
	for name, test := range map[string]struct {
		firewall string
		allowed  []hosts.PacketRule
		needed   string   // what is not let out
		fixes    []string // what to type
	}{
		"no rule": {hosts.UFW, nil, "TCP port 10250 (the kubelet's API: logs, exec, port-forward), UDP port 8472 (flannel's VXLAN: all traffic between Pods of two nodes), Pods by cni0, Pods by flannel.1",
			[]string{"ufw allow out proto tcp to any port 10250 && ", "ufw allow out proto udp to any port 8472", "ufw allow out on cni0", "ufw default allow outgoing"}},
		"all may leave":      {hosts.UFW, []hosts.PacketRule{{To: all, From: all}}, "", nil},
		"all of IPv6":        {hosts.UFW, append(pods, hosts.PacketRule{To: six, From: six}), "TCP port 10250 (the kubelet's API: logs, exec, port-forward), UDP port 8472 (flannel's VXLAN: all traffic between Pods of two nodes)", nil},
		"each has its rule":  {hosts.UFW, append(pods, hosts.PacketRule{Protocol: "tcp", Ports: "443,10000:10300", To: "10.0.0.0/24", From: all}, hosts.PacketRule{Protocol: "udp", Ports: "8472", To: "10.0.0.2", From: "10.0.0.1"}), "", nil},
		"by the interface":   {hosts.UFW, append(pods, hosts.PacketRule{Link: "eth0", To: all, From: all}), "", nil},
		"by another one":     {hosts.UFW, append(pods, hosts.PacketRule{Link: "eth2", To: all, From: all}), "TCP port 10250 (the kubelet's API: logs, exec, port-forward), UDP port 8472 (flannel's VXLAN: all traffic between Pods of two nodes)", nil},
		"a rule for another": {hosts.UFW, append(pods, hosts.PacketRule{Protocol: "tcp", To: all, From: all}, hosts.PacketRule{Protocol: "udp", Ports: "8472", To: "10.0.0.9", From: all}), "UDP port 8472 (flannel's VXLAN: all traffic between Pods of two nodes)", nil},
		"another firewall":   {hosts.Firewalld, nil, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			c := testCluster("cp-1", "w-1")
			facts := hosts.Facts{Firewall: test.firewall, Interfaces: []hosts.Link{{Name: "eth0", Addresses: []string{"10.0.0.1/24"}}}, Conditions: &hosts.Conditions{Outgoing: &hosts.Outgoing{Default: "deny", Allowed: test.allowed}}}
			found := Some(view.Init, view.View{Cluster: c, Facts: map[string]hosts.Facts{"cp-1": facts}, Workflow: view.Init}, "Ufw")
			if (len(found) == 1) != (test.needed != "") || len(found) > 1 {
				t.Fatalf("%v", found)
			}
			if test.needed == "" {
				return
			}
			if _, needed, _ := strings.Cut(found[0].Seen, "what the cluster needs: "); needed != test.needed || found[0].Severity != Error || found[0].Host != "cp-1" {
				t.Errorf("%s", found[0])
			}
			for _, want := range test.fixes {
				if !strings.Contains(found[0].Fix, want) {
					t.Errorf("%q is not in %s", want, found[0].Fix)
				}
			}
		})
	}
}

// TestAWayLeavesByTheRoutesInterface, and where it was not asked for by the one that has the host's address.
func TestAWayLeavesByTheRoutesInterface(t *testing.T) {
	way := cluster.Pair{FromAddress: netip.MustParseAddr("10.0.0.1"), ToAddress: netip.MustParseAddr("10.0.0.2")}
	facts := hosts.Facts{Interfaces: []hosts.Link{{Name: "eth0", Addresses: []string{"10.0.0.1/24"}}}, Conditions: &hosts.Conditions{RouteTo: map[string]string{"10.0.0.2": "eth1"}}}
	if link := leavesBy(facts, way); link != "eth1" {
		t.Errorf("by %s, though its route leads by eth1", link)
	}
	facts.Conditions.RouteTo = nil
	if link := leavesBy(facts, way); link != "eth0" {
		t.Errorf("by %q, though eth0 has its address", link)
	}
}
