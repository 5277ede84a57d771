package e2e

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestDualStack: hosts, Pods and Services have addresses of both families, and the endpoint is an
// address of IPv6.
func TestDualStack(t *testing.T) {
	l := newLab(t, "--control-planes", "3", "--workers", "1", "--family", "dual")
	l.file = edited(t, l, func(file map[string]any) {
		file["endpoint"] = map[string]any{"mode": "vip", "host": "fd00:80::100"}
	})
	promises(t, l, (*lab).well, []promise{
		{"nodes and Pods have addresses of both families, and nothing is left to do", func(t *testing.T, l *lab) {
			l.wantReady(threePlanes...)
			addressesOfNodes(t, l, ".", ":")
			l.planIsEmpty()
		}},
		{"Services, NodePorts and Pods answer in both families", func(t *testing.T, l *lab) { smokeAsks(t, l, "10.", "[fd00:") }},
		{"a host that has not the address refuses those who ask it", askTheWrongHost},
		{"an address of IPv6 leaves with a keepalived that is killed", killKeepalived},
		{"the endpoint survives who holds it", endpointSurvivesHolder},
	})
}

// addressesOfNodes wants of each node one address and one share of the Pods' subnets for each mark
// of a family, in this order.
func addressesOfNodes(t *testing.T, l *lab, marks ...string) {
	t.Helper()
	var list struct {
		Items []struct {
			Metadata struct{ Name string }
			Spec     struct{ PodCIDRs []string }
			Status   struct {
				Addresses []struct{ Type, Address string }
			}
		}
	}
	l.decode(l.kubectl("get", "nodes", "-o", "json"), &list)
	for _, node := range list.Items {
		var own []string
		for _, address := range node.Status.Addresses {
			if address.Type == "InternalIP" {
				own = append(own, address.Address)
			}
		}
		for _, found := range [][]string{own, node.Spec.PodCIDRs} {
			good := len(found) == len(marks)
			for i := 0; good && i < len(marks); i++ {
				good = strings.Contains(found[i], marks[i])
			}
			if !good {
				t.Errorf("%s has %v", node.Metadata.Name, found)
			}
		}
	}
}

// smokeAsks wants all promises of smoke to be kept, and the Service to have been asked at addresses
// that begin so.
func smokeAsks(t *testing.T, l *lab, begin ...string) {
	t.Helper()
	out := l.must(l.onCluster("smoke", "-o", "json")...)
	if !json.Valid([]byte(out)) {
		t.Fatalf("smoke's JSON is %s", out)
	}
	for _, address := range begin {
		if !strings.Contains(out, " "+address) {
			t.Errorf("no Service was asked at an address that begins with %s:\n%s", address, out)
		}
	}
}
