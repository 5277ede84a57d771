package cluster

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// dual is a cluster of both families, written in forms that others than ours have.
const dual = `apiVersion: slipway.dev/v1alpha1
kind: Cluster
name: dual
endpoint: {host: "FD00:0::100"}
networking:
  podSubnets: [10.244.0.0/16, "FD00:10:244:0::/56"]
hosts:
  - {name: cp-1, addresses: [192.0.2.11, "FD00:0:0::11"], roles: [control-plane]}
  - {name: cp-2, addresses: [192.0.2.12, "fd00::12"], roles: [control-plane]}
  - {name: w-1, addresses: [192.0.2.21, "fd00::21"], roles: [worker]}
certificates: {extraSANs: ["2001:DB8::1"]}
`

// TestDualStackInOneForm: equal addresses are equal texts, as all who read them compare texts.
func TestDualStackInOneForm(t *testing.T) {
	c := load(t, dual)
	got := []string{c.Endpoint.Host, c.Endpoint.Address, c.Networking.PodSubnets[1], c.Hosts[0].Addresses[1], c.Certificates.ExtraSANs[0]}
	want := []string{"fd00::100", "fd00::100", "fd00:10:244::/56", "fd00::11", "2001:db8::1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("addresses (-want +got):\n%s", diff)
	}
	host := c.Hosts[0]
	if host.Address() != "192.0.2.11" || host.AddressOf(IPv4) != "192.0.2.11" || host.AddressOf(IPv6) != "fd00::11" {
		t.Errorf("the host's addresses by family: %q, %q", host.AddressOf(IPv4), host.AddressOf(IPv6))
	}
	if alone := (Host{Addresses: []string{"192.0.2.1"}}).AddressOf(IPv6); alone != "" {
		t.Errorf("a host of IPv4 alone has %q", alone)
	}
}

// TestSubnetsFollowTheFamilies: subnets that the file leaves out are of the families that it
// shows elsewhere, in their order.
func TestSubnetsFollowTheFamilies(t *testing.T) {
	const four, six = `192.0.2.11`, `"fd00::11"`
	const pods4, pods6, services4, services6 = DefaultPodSubnet, DefaultPodSubnet6, DefaultServiceSubnet, DefaultServiceSubnet6
	for name, test := range map[string]struct {
		addresses, networking string
		pods, services        []string
	}{
		"of IPv4":                 {four, "", []string{pods4}, []string{services4}},
		"of IPv6":                 {six, "", []string{pods6}, []string{services6}},
		"of both":                 {four + ", " + six, "", []string{pods4, pods6}, []string{services4, services6}},
		"of both, IPv6 preferred": {six + ", " + four, "", []string{pods6, pods4}, []string{services6, services4}},
		"by the Pods' subnets":    {six + ", " + four, `networking: {podSubnets: ["fd00:1::/48", 10.1.0.0/16]}`, []string{"fd00:1::/48", "10.1.0.0/16"}, []string{services6, services4}},
		"by the Services' subnet": {six, `networking: {serviceSubnet: "fd00:2::/108"}`, []string{pods6}, []string{"fd00:2::/108"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := load(t, strings.Join([]string{
				"apiVersion: slipway.dev/v1alpha1", "kind: Cluster", "name: one", test.networking,
				"hosts: [{name: cp-1, addresses: [" + test.addresses + "], roles: [control-plane]}]", ""}, "\n"))
			if diff := cmp.Diff(test.pods, c.Networking.PodSubnets); diff != "" {
				t.Errorf("Pods (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.services, c.Networking.ServiceSubnets); diff != "" {
				t.Errorf("Services (-want +got):\n%s", diff)
			}
		})
	}
}

// TestNodeMaskOfAFamily: the flag without a family counts only where there is one.
func TestNodeMaskOfAFamily(t *testing.T) {
	args := []Arg{{Name: "node-cidr-mask-size", Value: "26"}, {Name: "node-cidr-mask-size-ipv6", Value: "80"}}
	for _, test := range []struct {
		family Family
		dual   bool
		want   int
	}{{IPv4, false, 26}, {IPv4, true, 24}, {IPv6, true, 80}} {
		if got, ok := nodeMask(args, test.family, test.dual); !ok || got != test.want {
			t.Errorf("%s, dual %v: got %d, want %d", test.family, test.dual, got, test.want)
		}
	}
}
