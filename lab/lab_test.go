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
		if err := r.grow(Options{Counts: step.counts}); err != nil {
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
	if err := r.grow(Options{Counts: Counts{ControlPlanes: 15, Workers: 30, Spares: 5}}); err != nil {
		t.Fatal(err)
	}
	if !r.Virtual.IsValid() || !r.Subnet.Contains(r.Virtual) {
		t.Errorf("the endpoint's address is %s, outside %s", r.Virtual, r.Subnet)
	}
	seen := map[netip.Addr]string{r.bridgeAddress(): "the bridge", nth(r.Subnet, 63): "broadcast", r.Virtual: "the endpoint"}
	for _, h := range r.Hosts {
		if other, taken := seen[h.Address]; taken {
			t.Errorf("%s has the address %s of %s", h.Name, h.Address, other)
		}
		if !r.Subnet.Contains(h.Address) {
			t.Errorf("%s has %s, outside %s", h.Name, h.Address, r.Subnet)
		}
		seen[h.Address] = h.Name
	}
	if err := r.grow(Options{Counts: Counts{Workers: 60}}); err == nil || !strings.Contains(err.Error(), "no address left") {
		t.Errorf("a subnet too small for its hosts gives %v", err)
	}
}

// The endpoint's address is nobody's from the beginning, and of a lab that had none yet
// one that nobody has.
func TestAnAddressIsKeptForTheEndpoint(t *testing.T) {
	r := tryRecord(t, Counts{ControlPlanes: 1})
	if err := r.grow(Options{Counts: Counts{Workers: 90}}); err != nil {
		t.Fatal(err)
	}
	if want := netip.MustParseAddr("10.80.0.100"); r.Virtual != want || r.host("worker-79").Address != nth(r.Subnet, 99) || r.host("worker-80").Address != nth(r.Subnet, 101) {
		t.Errorf("the endpoint's address is %s, want %s, in %s", r.Virtual, want, places(r))
	}
	old := &record{Name: "old", Subnet: r.Subnet, Hosts: []*hostRecord{{Name: "worker-80", Address: r.Virtual}}}
	if err := old.grow(Options{Counts: Counts{}}); err != nil || old.Virtual != nth(r.Subnet, 101) {
		t.Errorf("of a lab that had none: %s, %v", old.Virtual, err)
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
