package lab

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
)

// TestFamilies: which networks a new lab has, and which it cannot have.
func TestFamilies(t *testing.T) {
	for _, test := range []struct{ family, subnet, want, wrong string }{
		{"", "", "10.80.0.0/24", ""},
		{"ipv4", "192.168.7.0/26", "192.168.7.0/26", ""},
		{"dual", "", "10.80.0.0/24 fd00:80::/64", ""},
		{"dual", "10.9.0.0/16", "10.9.0.0/16 fd00:80::/64", ""},
		{"ipv6", "", "fd00:80::/64", ""},
		{"ipv6", "fd00:7::/112", "fd00:7::/112", ""},
		{"ipv6", "10.9.0.0/16", "", "want IPv6"},
		{"ipv4", "fd00:7::/64", "", "want IPv4"},
		{"dual", "fd00:7::/64", "", "want IPv4"},
		{"ipv6", "fd00:7::/124", "", "want IPv6, between"},
		{"six", "", "", `family "six" is not one of ipv4, dual, ipv6`},
	} {
		options := Options{Family: test.family}
		if test.subnet != "" {
			options.Subnet = netip.MustParsePrefix(test.subnet)
		}
		first, second, err := options.subnets()
		if test.wrong != "" {
			if err == nil || !strings.Contains(err.Error(), test.wrong) {
				t.Errorf("%+v: want %q, got %v", test, test.wrong, err)
			}
			continue
		}
		got := first.String()
		if second.IsValid() {
			got += " " + second.String()
		}
		if err != nil || got != test.want {
			t.Errorf("%+v: got %s, %v", test, got, err)
		}
	}
}

// TestBothFamiliesInTheClusterFile: hosts' addresses have the same number in both networks.
func TestBothFamiliesInTheClusterFile(t *testing.T) {
	for family, want := range map[string]string{
		"dual": "  - name: cp-1\n    addresses: [10.80.0.11, 'fd00:80::b']\n    roles: [control-plane]\n",
		"ipv6": "  - name: cp-1\n    address: fd00:80::b\n    roles: [control-plane]\n",
	} {
		first, second, err := Options{Family: family}.subnets()
		if err != nil {
			t.Fatal(err)
		}
		r := &record{Name: "try", Subnet: first, Second: second}
		if err := r.grow(Options{Counts: Counts{ControlPlanes: 3}}); err != nil {
			t.Fatal(err)
		}
		file, err := (&Lab{name: "try", dir: "/var/lib/slipway-lab/try"}).render(r, "slipway", "", nil)
		if err != nil || !strings.Contains(string(file), want) {
			t.Errorf("%s: want %q, got %v in\n%s", family, want, err, file)
		}
		if _, err := cluster.Load(file); err != nil {
			t.Errorf("%s: %v", family, err)
		}
	}
}

func TestNth(t *testing.T) {
	for _, test := range []struct {
		subnet string
		n      int
		want   string
	}{
		{"10.80.0.0/16", 300, "10.80.1.44"}, {"fd00:80::/64", 100, "fd00:80::64"}, {"fd00:80::/64", 70000, "fd00:80::1:1170"},
	} {
		if got := nth(netip.MustParsePrefix(test.subnet), test.n); got.String() != test.want {
			t.Errorf("address %d of %s is %s, want %s", test.n, test.subnet, got, test.want)
		}
	}
}
