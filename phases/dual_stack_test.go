package phases

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

var dualStack = shape{mode: cluster.EndpointVIP, planes: 3, workers: 1, dual: true}

// TestDualStackConverges: init, and nothing is left to do; also where a host has learnt its way
// out from a router, and keeps it. Reset puts that back.
func TestDualStackConverges(t *testing.T) {
	const setting = "net/ipv6/conf/eth0/accept_ra"
	w := newWorldOf(t, dualStack)
	for _, name := range []string{"cp-2", "w-1"} {
		w.machines[name].Edit(func(f *hosts.Facts) {
			f.Interfaces = slices.Clone(f.Interfaces)
			f.Interfaces[1].AcceptRA, f.Interfaces[1].AdvertisedRoute = 1, true
		})
	}
	p, _ := w.planned(Init)
	step := func(host, setting string) int {
		return slices.IndexFunc(p.Steps, func(s plan.Step) bool { return s.Host == host && strings.HasSuffix(s.ID, "/sysctl/"+setting) })
	}
	for _, host := range []string{"cp-1", "cp-2", "w-1"} {
		keeps, forwards := step(host, setting), step(host, manifests.IPv6Forwarding)
		if wanted := host != "cp-1"; wanted != (keeps >= 0) || forwards < 0 || keeps > forwards {
			t.Errorf("on %s step %d keeps the route, and step %d has the host forward", host, keeps, forwards)
		}
	}
	w.init(seeded(1))
	left, _ := w.planned(Init)
	wantEmpty(t, left)
}

// TestPreflightOfIPv6: what nodes with addresses of IPv6 must have, and what is nobody's.
func TestPreflightOfIPv6(t *testing.T) {
	off := func(key string) func(*Input) {
		return spoiled("w-1", func(f *hosts.Facts) {
			f.Sysctls = maps.Clone(f.Sysctls)
			f.Sysctls[key] = "1"
		})
	}
	apart := func(in *Input) {
		spoiled("w-1", func(f *hosts.Facts) {
			four, six := in.Cluster.Hosts[3].Addresses[0]+"/16", in.Cluster.Hosts[3].Addresses[1]+"/64"
			f.Interfaces = []hosts.Link{{Name: "eth0", Addresses: []string{four}}, {Name: "eth1", Addresses: []string{six}}}
		})(in)
	}
	answers := func(f *hosts.Facts) { f.VirtualIP = &hosts.VirtualIP{Interface: "eth0", Holder: "52:54:00:aa:00:01"} }
	for name, test := range map[string]struct {
		spoil             func(*Input)
		check, host, seen string
	}{
		"nothing":          {func(*Input) {}, "", "", ""},
		"a kernel without": {spoiled("w-1", func(f *hosts.Facts) { f.Sysctls = map[string]string{"net.ipv4.ip_forward": "0"} }), "IPv6", "w-1", "the kernel has no IPv6"},
		"switched off":     {off("net.ipv6.conf.all.disable_ipv6"), "IPv6", "w-1", "IPv6 is switched off (net.ipv6.conf.all.disable_ipv6 = 1)"},
		"off for Pods":     {off("net.ipv6.conf.default.disable_ipv6"), "IPv6", "w-1", "net.ipv6.conf.default.disable_ipv6 = 1"},
		"off at the next boot": {spoiled("w-1", boot(hosts.Boot{Sysctls: map[string]hosts.BootSetting{
			"net.ipv6.conf.all.disable_ipv6": {Value: "1", File: "/etc/sysctl.d/99-zz.conf"}}})), "IPv6", "w-1", "at the next boot /etc/sysctl.d/99-zz.conf switches IPv6 off"},
		"addresses apart":            {apart, "HostAddress", "w-1", "flannel carries both families over one interface"},
		"apart, on another network":  {func(in *Input) { in.Cluster.Networking.AddOn = cluster.AddOnNone; apart(in) }, "", "", ""},
		"a second address not there": {spoiled("w-1", func(f *hosts.Facts) { f.Interfaces = []hosts.Link{{Name: "eth0", Addresses: []string{"10.0.1.1/16"}}} }), "HostAddress", "w-1", "no interface has the address fd00:77::1:1"},
		"a VIP that is taken":        {spoiled("cp-2", answers), "VirtualIP", "cp-2", "fd00:77::200 is somebody's already"},
		"a VIP outside":              {func(in *Input) { in.Cluster.Endpoint.Address = "2001:db8::9" }, "VirtualIP", "cp-1", "2001:db8::9 lies outside the subnet of eth0 (fd00:77::/64)"},
		"a VIP of all routers":       {func(in *Input) { in.Cluster.Endpoint.Address = "fd00:77::" }, "VirtualIP", "cp-1", "it is the address of all routers of fd00:77::/64"},
		"a VIP at the subnet's end":  {func(in *Input) { in.Cluster.Endpoint.Address = "fd00:77::ffff:ffff:ffff:ffff" }, "", "", ""},
		"no route for Services":      {spoiled("w-1", func(f *hosts.Facts) { f.RouteTo = map[string]string{"10.96.0.10": "eth0"} }), "ServiceRoute", "w-1", "no route for Service addresses (fd00:10:96::/112)"},
	} {
		t.Run(name, func(t *testing.T) {
			in := quiet(t, dualStack)
			test.spoil(&in)
			problems := checks.Preflight(view.Init, in.View)
			if test.check == "" {
				if len(problems) > 0 {
					t.Errorf("told: %v", problems)
				}
				return
			}
			if !slices.ContainsFunc(problems, func(f checks.Finding) bool {
				return f.Check == test.check && f.Host == test.host && strings.Contains(f.Seen, test.seen) && f.Fix != ""
			}) {
				t.Errorf("not told, but %v", problems)
			}
		})
	}
}
