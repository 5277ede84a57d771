//go:build linux

package local_test

import (
	"net"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/slipway-k8s/slipway/hosts"
)

// TestWhatALinkLearnsFromRouters: its parameter, and whether a default route came of an advertisement.
func TestWhatALinkLearnsFromRouters(t *testing.T) {
	newNeighbour6(t, "10.99.0.2/24")
	m := newMachine(t)
	m.write("/proc/sys/net/ipv6/conf/wire0/accept_ra", "1\n")
	seen := func() (found hosts.Link) {
		for _, link := range m.observe(m.host(), hosts.Query{}).Interfaces {
			if link.Name == "wire0" {
				found = link
			}
		}
		return found
	}
	if link := seen(); link.AcceptRA != 1 || link.AdvertisedRoute {
		t.Errorf("without a route: %+v", link)
	}
	wire, err := netlink.LinkByName("wire0")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		protocol    netlink.RouteProtocol
		destination string
		want        bool
	}{
		{unix.RTPROT_STATIC, "::/0", false}, {unix.RTPROT_RA, "2001:db8::/32", false}, {unix.RTPROT_RA, "::/0", true},
	} {
		_, destination, err := net.ParseCIDR(test.destination)
		if err != nil {
			t.Fatal(err)
		}
		route := &netlink.Route{
			LinkIndex: wire.Attrs().Index, Dst: destination, Gw: net.ParseIP("fd00:99::2"), Protocol: test.protocol, Priority: 10 + int(test.protocol),
		}
		if err := netlink.RouteAdd(route); err != nil {
			t.Fatal(err)
		}
		if link := seen(); link.AdvertisedRoute != test.want {
			t.Errorf("with a route to %s of protocol %d: %+v", test.destination, test.protocol, link)
		}
	}
}
