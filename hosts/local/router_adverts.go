//go:build linux

package local

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// acceptRA is the kernel's parameter accept_ra of a link; 0 where there is no IPv6.
func (h *Host) acceptRA(link string) int {
	data, err := os.ReadFile(h.at("/proc/sys/net/ipv6/conf/" + link + "/accept_ra"))
	if err != nil {
		return 0
	}
	value, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return 0
	}
	return value
}

// advertisedRoutes are the links through which default routes of IPv6 lead that came of
// routers' advertisements, by index. Programs that listen to routers themselves (networkd,
// NetworkManager) mark theirs the same way; they turn the kernel's own listening off.
func advertisedRoutes() (map[int]bool, error) {
	routes, err := netlink.RouteListFiltered(netlink.FAMILY_V6, &netlink.Route{Table: unix.RT_TABLE_MAIN, Protocol: unix.RTPROT_RA},
		netlink.RT_FILTER_TABLE|netlink.RT_FILTER_PROTOCOL)
	if errors.Is(err, syscall.EAFNOSUPPORT) {
		return nil, nil // a kernel without IPv6
	}
	if err != nil {
		return nil, err
	}
	found := map[int]bool{}
	for _, route := range routes {
		if isDefault(route) {
			found[route.LinkIndex] = true
			for _, way := range route.MultiPath {
				found[way.LinkIndex] = true
			}
		}
	}
	return found, nil
}

// isDefault tells whether a route leads everywhere.
func isDefault(route netlink.Route) bool {
	if route.Dst == nil {
		return true
	}
	length, _ := route.Dst.Mask.Size()
	return length == 0
}
