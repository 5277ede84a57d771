package tui

import (
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
)

// TestModeOfTheEndpoint: another mode takes away only what it refuses, comments stay where their fields do, and a mode that
// is come back to has what it had.
func TestModeOfTheEndpoint(t *testing.T) {
	const virtual = "  host: 192.0.2.100 # asked for at the network's office\n  # the firewall lets it through\n  port: 8443\n"
	const vrrp = "  vrrp:\n    interface: eth1 # the storage network has no VRRP\n    routerID: 7\n"
	three := strings.ReplaceAll(fileOnPaper, "  host: 192.0.2.100 # asked for at the network's office\n", "%")
	for name, c := range map[string]struct {
		fields string
		to     []cluster.EndpointMode
		want   string
	}{
		"vip to load balancers":       {virtual + vrrp, []cluster.EndpointMode{"loadBalancers"}, virtual + vrrp + "  mode: loadBalancers\n"},
		"a name with its address":     {"  host: api.example.com\n  address: 192.0.2.100 # free\n", []cluster.EndpointMode{"loadBalancers"}, "  host: api.example.com\n  address: 192.0.2.100 # free\n  mode: loadBalancers\n"},
		"vip to local":                {virtual + vrrp, []cluster.EndpointMode{"local"}, "  # the firewall lets it through\n  port: 8443\n  mode: local\n"},
		"a name to local":             {"  host: api.example.com # in the DNS\n  address: 192.0.2.100\n", []cluster.EndpointMode{"local"}, "  host: api.example.com # in the DNS\n  mode: local\n"},
		"vip to external":             {virtual + vrrp, []cluster.EndpointMode{"external"}, virtual + "  mode: external\n"},
		"vip to the control plane":    {virtual + vrrp, []cluster.EndpointMode{"controlPlane"}, "  # the firewall lets it through\n  port: 8443\n  mode: controlPlane\n"},
		"external to vip":             {"  mode: external # ours\n  host: 192.0.2.200\n  port: 6443\n", []cluster.EndpointMode{"vip"}, "  mode: vip      # ours\n  host: 192.0.2.200\n"},
		"an external name to vip":     {"  mode: external\n  host: lb.example.com\n  port: 8443\n", []cluster.EndpointMode{"vip"}, "  mode: vip\n  port: 8443\n"},
		"a host's own address to vip": {"  mode: external\n  host: 192.0.2.11\n  port: 8443\n", []cluster.EndpointMode{"vip"}, "  mode: vip\n  port: 8443\n"},
		"no port is written":          {"  host: 192.0.2.100\n", []cluster.EndpointMode{"external"}, "  host: 192.0.2.100\n  mode: external\n"},
		"there and back":              {"  mode: vip\n" + virtual + vrrp, []cluster.EndpointMode{"loadBalancers", "vip"}, "  mode: vip\n" + virtual + vrrp},
	} {
		t.Run(name, func(t *testing.T) {
			s := newEndpointScreen(installerOnPaper(t, onPaper(t, Terminal{}, text.English), strings.Replace(three, "%", c.fields, 1)))
			for _, mode := range c.to {
				turn(t, s, mode)
			}
			if got, want := string(s.editor.Bytes()), strings.Replace(three, "%", c.want, 1); got != want {
				t.Errorf("the file is:\n%s\nwant:\n%s", got, want)
			}
		})
	}
	full := "  mode: vip\n" + virtual + vrrp
	s := newEndpointScreen(installerOnPaper(t, onPaper(t, Terminal{}, text.English), strings.Replace(three, "%", full, 1)))
	was := s.draft.Endpoint
	turn(t, s, cluster.EndpointLocal)
	s.host.value = "api.corp"
	if err := s.put(); err != nil {
		t.Fatal(err)
	}
	s.fill()
	turn(t, s, cluster.EndpointExternal)
	s.host.value = "lb.example.com"
	if err := s.put(); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[cluster.EndpointMode]cluster.Endpoint{
		cluster.EndpointVIP:   was,
		cluster.EndpointLocal: {Mode: cluster.EndpointLocal, Host: "api.corp", Port: 8443},
	} {
		turn(t, s, mode)
		if got := s.draft.Endpoint; got != want {
			t.Errorf("back in mode %s it has %+v, want %+v", mode, got, want)
		}
	}
	turn(t, s, cluster.EndpointExternal)
	if s.draft.Endpoint.Host != "lb.example.com" || s.host.value != "lb.example.com" {
		t.Errorf("back in mode external it has %+v", s.draft.Endpoint)
	}
}

func turn(t *testing.T, s *endpointScreen, mode cluster.EndpointMode) {
	t.Helper()
	s.mode.value = string(mode)
	if err := s.put(); err != nil {
		t.Fatal(err)
	}
	s.fill()
}
