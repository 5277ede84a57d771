//go:build linux

package local

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/slipway-k8s/slipway/hosts"
)

// observeVirtualIP asks the network who uses an address, unless this host itself has to do
// with it: then the answer would be the cluster's own.
func (h *Host) observeVirtualIP(ctx context.Context, query hosts.Query, facts *hosts.Facts) error {
	address, err := netip.ParseAddr(query.VirtualIP.Address)
	if err != nil || !address.Is4() {
		return fmt.Errorf("%q is no IPv4 address", query.VirtualIP.Address)
	}
	state, err := h.unitIfAny(ctx, query.VirtualIP.Unit)
	if err != nil {
		return err
	}
	if _, ours := facts.Record.OwnedAt(state.Fragment); ours && state.Load == "loaded" {
		return nil
	}
	ports, err := networkPorts()
	if err != nil {
		return err
	}
	port, own := choosePort(ports, query.VirtualIP.Interface, address)
	if own {
		return nil
	}
	facts.VirtualIP = &hosts.VirtualIP{}
	if port == nil {
		return nil
	}
	return port.ask(ctx, address, facts.VirtualIP)
}

// networkPort is an interface by which a network may be asked.
type networkPort struct {
	name     string
	index    int
	hardware net.HardwareAddr
	up       bool
	loopback bool
	noARP    bool
	prefixes []netip.Prefix // of its addresses
}

// networkPorts lists the interfaces with their IPv4 addresses.
func networkPorts() ([]networkPort, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list the interfaces: %w", err)
	}
	addresses, err := netlink.AddrList(nil, netlink.FAMILY_V4)
	if err != nil {
		return nil, fmt.Errorf("list the addresses: %w", err)
	}
	prefixes := map[int][]netip.Prefix{}
	for _, address := range addresses {
		if ip, ok := netip.AddrFromSlice(address.IP.To4()); ok {
			bits, _ := address.Mask.Size()
			prefixes[address.LinkIndex] = append(prefixes[address.LinkIndex], netip.PrefixFrom(ip, bits))
		}
	}
	ports := make([]networkPort, 0, len(links))
	for _, link := range links {
		attrs := link.Attrs()
		ports = append(ports, networkPort{
			name: attrs.Name, index: attrs.Index, hardware: attrs.HardwareAddr,
			up: attrs.Flags&net.FlagUp != 0, loopback: attrs.Flags&net.FlagLoopback != 0,
			noARP: attrs.RawFlags&ifNoARP != 0, prefixes: prefixes[attrs.Index],
		})
	}
	return ports, nil
}

// choosePort picks the interface whose subnet holds an address, the narrowest one: of all,
// or the one named. own tells that the address is one of the host's, and there is nothing to ask.
func choosePort(ports []networkPort, name string, address netip.Addr) (chosen *networkPort, own bool) {
	narrowest := -1
	for i, port := range ports {
		for _, prefix := range port.prefixes {
			if prefix.Addr() == address {
				return nil, true
			}
			fits := port.up && !port.loopback && (name == "" || name == port.name) && prefix.Contains(address)
			if fits && prefix.Bits() > narrowest {
				chosen, narrowest = &ports[i], prefix.Bits()
			}
		}
	}
	return chosen, false
}

// ask probes for the address and listens for VRRP at the same time.
func (p *networkPort) ask(ctx context.Context, address netip.Addr, seen *hosts.VirtualIP) error {
	seen.Interface = p.name
	group, ctx := errgroup.WithContext(ctx)
	group.Go(caught(func() error {
		holder, err := p.probe(ctx, address)
		if err != nil {
			return fmt.Errorf("ask on %s who has %s: %w", p.name, address, err)
		}
		seen.Holder = holder
		return nil
	}))
	group.Go(caught(func() error {
		routers, err := p.listen(ctx)
		if err != nil {
			return fmt.Errorf("listen for VRRP on %s: %w", p.name, err)
		}
		seen.Routers = routers
		return nil
	}))
	return group.Wait()
}

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
