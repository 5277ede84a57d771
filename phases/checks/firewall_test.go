package checks

import (
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

// TestFirewalldsCommandsNameTheZone of the host's interface: without a name they would open the default one.
func TestFirewalldsCommandsNameTheZone(t *testing.T) {
	c := testCluster("cp-1", "w-1")
	c.Firewall.Manage = new(false)
	facts := wellFacts(c.Hosts[1])
	facts.Firewall, facts.FirewallState = hosts.Firewalld, hosts.FirewallState{Version: "1.3.4", DefaultZone: "public", Zones: map[string]string{"eth0": "internal"}}
	found := Some(view.Init, view.View{Cluster: c, Facts: map[string]hosts.Facts{"w-1": facts}, Workflow: view.Init}, "Firewalld")
	if len(found) != 1 {
		t.Fatalf("%v", found)
	}
	for command := range strings.SplitSeq(found[0].Fix, " && ") {
		if strings.Contains(command, "--add-") && !strings.Contains(command, "--zone=internal ") && !strings.Contains(command, "--zone=trusted --add-interface=") {
			t.Errorf("%s", command)
		}
	}
}
