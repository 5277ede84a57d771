package lab

import (
	"net/netip"
	"strings"
	"testing"
)

func TestGrowNamesAndPlacesHosts(t *testing.T) {
	r := &record{Name: "try", Subnet: netip.MustParsePrefix("10.80.0.0/24")}
	steps := []struct {
		counts Counts
		want   string
	}{
		{Counts{ControlPlanes: 1, Workers: 2}, "cp-1=10.80.0.11 worker-1=10.80.0.21 worker-2=10.80.0.22"},
		{Counts{ControlPlanes: 1, Workers: 2}, "cp-1=10.80.0.11 worker-1=10.80.0.21 worker-2=10.80.0.22"},
		{Counts{Workers: 1}, "cp-1=10.80.0.11 worker-1=10.80.0.21 worker-2=10.80.0.22"},
		{Counts{ControlPlanes: 2, LoadBalancers: 1, Spares: 1},
			"cp-1=10.80.0.11 worker-1=10.80.0.21 worker-2=10.80.0.22 cp-2=10.80.0.12 lb-1=10.80.0.201 spare-1=10.80.0.221"},
	}
	for _, step := range steps {
		if err := r.grow(step.counts); err != nil {
			t.Fatal(err)
		}
		if got := places(r); got != step.want {
			t.Errorf("after %+v:\n got %s\nwant %s", step.counts, got, step.want)
		}
	}
}

func places(r *record) string {
	var hosts []string
	for _, h := range r.Hosts {
		hosts = append(hosts, h.Name+"="+h.Address.String())
	}
	return strings.Join(hosts, " ")
}

func TestGrowNeverGivesAnAddressTwice(t *testing.T) {
	r := &record{Name: "try", Subnet: netip.MustParsePrefix("192.168.7.0/26")}
	if err := r.grow(Counts{ControlPlanes: 15, Workers: 30, Spares: 5}); err != nil {
		t.Fatal(err)
	}
	seen := map[netip.Addr]string{r.bridgeAddress(): "the bridge", nth(r.Subnet, 63): "broadcast"}
	for _, h := range r.Hosts {
		if other, taken := seen[h.Address]; taken {
			t.Errorf("%s has the address %s of %s", h.Name, h.Address, other)
		}
		if !r.Subnet.Contains(h.Address) {
			t.Errorf("%s has %s, outside %s", h.Name, h.Address, r.Subnet)
		}
		seen[h.Address] = h.Name
	}
	if err := r.grow(Counts{Workers: 60}); err == nil || !strings.Contains(err.Error(), "no address left") {
		t.Errorf("a subnet too small for its hosts gives %v", err)
	}
}

func TestNames(t *testing.T) {
	for name, good := range map[string]bool{
		"try": true, "a": true, "ha-3": true, strings.Repeat("a", 32): true,
		"": false, "-a": false, "a-": false, "Try": false, "a/b": false, "..": false, "a b": false,
		strings.Repeat("a", 33): false,
	} {
		if err := checkName(name); (err == nil) != good {
			t.Errorf("checkName(%q) = %v", name, err)
		}
	}
}
