//go:build linux

package local

import (
	"cmp"
	"context"
	"encoding/binary"
	"net/netip"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slipway-k8s/slipway/hosts"
)

const (
	// vrrpProtocol, vrrpGroup and vrrpGroup6 are VRRP's protocol number and multicast addresses (RFC 5798).
	vrrpProtocol = 112
	vrrpTimeout  = 1100 * time.Millisecond // routers are heard every second, unless told otherwise
	vrrpLength   = 8                       // of an advertisement without addresses
	vrrpTTL      = 255                     // of one that no router has passed on
	vrrpAdvert   = 1                       // its type
)

var (
	vrrpGroup  = [4]byte{224, 0, 0, 18}
	vrrpGroup6 = [16]byte{0: 0xff, 1: 0x02, 15: 0x12}
)

// listen hears which VRRP routers there are on the interface's network.
func (p *networkPort) listen(ctx context.Context) ([]hosts.Router, error) {
	socket, err := openSocket(unix.AF_INET, unix.SOCK_RAW, vrrpProtocol)
	if err != nil {
		return nil, err
	}
	defer socket.Close()
	err = socket.control(func(fd int) error {
		if err := unix.BindToDevice(fd, p.name); err != nil {
			return os.NewSyscallError("bind to the interface", err)
		}
		group := &unix.IPMreqn{Multiaddr: vrrpGroup, Ifindex: int32(p.index)}
		return os.NewSyscallError("join 224.0.0.18", unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP, group))
	})
	if err != nil {
		return nil, err
	}
	return socket.routers(ctx, parseAdvert)
}

// listen6 hears the same of IPv6: whole packets, as a raw socket does not tell who sent one.
func (p *networkPort) listen6(ctx context.Context) ([]hosts.Router, error) {
	member, err := openSocket(unix.AF_INET6, unix.SOCK_DGRAM, 0) // keeps the interface in the group
	if err != nil {
		return nil, err
	}
	defer member.Close()
	err = member.control(func(fd int) error {
		group := &unix.IPv6Mreq{Multiaddr: vrrpGroup6, Interface: uint32(p.index)}
		return os.NewSyscallError("join ff02::12", unix.SetsockoptIPv6Mreq(fd, unix.IPPROTO_IPV6, unix.IPV6_JOIN_GROUP, group))
	})
	if err != nil {
		return nil, err
	}
	socket, err := p.openPackets(unix.ETH_P_IPV6)
	if err != nil {
		return nil, err
	}
	defer socket.Close()
	return socket.routers(ctx, parseAdvert6)
}

// routers are those that are heard within vrrpTimeout, in a fixed order.
func (s rawSocket) routers(ctx context.Context, parse func(packet []byte) (hosts.Router, bool)) ([]hosts.Router, error) {
	var routers []hosts.Router
	err := s.receive(ctx, vrrpTimeout, func(packet []byte) bool {
		if router, ok := parse(packet); ok && !slices.Contains(routers, router) {
			routers = append(routers, router)
		}
		return true
	})
	slices.SortFunc(routers, func(a, b hosts.Router) int {
		return cmp.Or(cmp.Compare(a.RouterID, b.RouterID), cmp.Compare(a.Source, b.Source), cmp.Compare(a.Version, b.Version))
	})
	return routers, err
}

// parseAdvert reads a VRRP advertisement of version 2 or 3, with the IPv4 header that raw
// sockets give; ok is false where the packet is none.
func parseAdvert(packet []byte) (router hosts.Router, ok bool) {
	const shortest = 20
	if len(packet) < shortest || packet[0]>>4 != 4 {
		return hosts.Router{}, false
	}
	header := int(packet[0]&0xf) * 4
	total := int(binary.BigEndian.Uint16(packet[2:]))
	if header < shortest || total > len(packet) || total < header+vrrpLength ||
		packet[8] != vrrpTTL || packet[9] != vrrpProtocol {
		return hosts.Router{}, false
	}
	if router, ok = readAdvert(packet[header:total]); ok {
		router.Source = netip.AddrFrom4([4]byte(packet[12:16])).String()
	}
	return router, ok
}

// parseAdvert6 reads one of version 3 out of a packet of IPv6, which version 2 is not for.
func parseAdvert6(packet []byte) (router hosts.Router, ok bool) {
	source, advert, ok := parseIPv6(packet, vrrpProtocol)
	if !ok {
		return hosts.Router{}, false
	}
	if router, ok = readAdvert(advert); !ok || router.Version != 3 {
		return hosts.Router{}, false
	}
	router.Source = source.String()
	return router, true
}

// readAdvert reads an advertisement itself, without who sent it.
func readAdvert(advert []byte) (router hosts.Router, ok bool) {
	if len(advert) < vrrpLength {
		return hosts.Router{}, false
	}
	version, kind, id := int(advert[0]>>4), advert[0]&0xf, int(advert[1])
	if version < 2 || version > 3 || kind != vrrpAdvert || id == 0 {
		return hosts.Router{}, false
	}
	return hosts.Router{RouterID: id, Version: version}, true
}
