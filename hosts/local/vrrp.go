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
	// vrrpProtocol and vrrpGroup are VRRP's protocol number and multicast address (RFC 5798).
	vrrpProtocol = 112
	vrrpTimeout  = 1100 * time.Millisecond // routers are heard every second, unless told otherwise
	vrrpLength   = 8                       // of an advertisement without addresses
	vrrpTTL      = 255                     // of one that no router has passed on
	vrrpAdvert   = 1                       // its type
)

var vrrpGroup = [4]byte{224, 0, 0, 18}

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
	var routers []hosts.Router
	err = socket.receive(ctx, vrrpTimeout, func(packet []byte) bool {
		if router, ok := parseAdvert(packet); ok && !slices.Contains(routers, router) {
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
	advert := packet[header:total]
	version, kind, id := int(advert[0]>>4), advert[0]&0xf, int(advert[1])
	if version < 2 || version > 3 || kind != vrrpAdvert || id == 0 {
		return hosts.Router{}, false
	}
	return hosts.Router{
		Source: netip.AddrFrom4([4]byte(packet[12:16])).String(), RouterID: id, Version: version,
	}, true
}
