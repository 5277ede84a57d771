//go:build linux

package local

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sync/errgroup"

	"github.com/slipway-k8s/slipway/hosts"
)

// observeVirtualIP asks the network who uses an address, unless this host itself has to do
// with it: then the answer would be the cluster's own.
func (h *Host) observeVirtualIP(ctx context.Context, query hosts.Query, facts *hosts.Facts) error {
	address, err := netip.ParseAddr(query.VirtualIP.Address)
	if err != nil || address.Is4In6() {
		return fmt.Errorf("%q is no address", query.VirtualIP.Address)
	}
	state, err := h.unitIfAny(ctx, query.VirtualIP.Unit)
	if err != nil {
		return err
	}
	if _, ours := facts.Record.OwnedAt(state.Fragment); ours && state.Load == "loaded" {
		return nil
	}
	ports, err := networkPorts(address)
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

// networkPorts lists the interfaces with their addresses of the same family as one.
func networkPorts(like netip.Addr) ([]networkPort, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list the interfaces: %w", err)
	}
	family := netlink.FAMILY_V4
	if like.Is6() {
		family = netlink.FAMILY_V6
	}
	addresses, err := netlink.AddrList(nil, family)
	if err != nil {
		return nil, fmt.Errorf("list the addresses: %w", err)
	}
	prefixes := map[int][]netip.Prefix{}
	for _, address := range addresses {
		if ip, ok := netip.AddrFromSlice(address.IP); ok {
			bits, _ := address.Mask.Size()
			prefixes[address.LinkIndex] = append(prefixes[address.LinkIndex], netip.PrefixFrom(ip.Unmap(), bits))
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
	probe, listen := p.probe, p.listen
	if address.Is6() {
		probe, listen = p.probe6, p.listen6
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(caught(func() error {
		holder, err := probe(ctx, address)
		if err != nil {
			return fmt.Errorf("ask on %s who has %s: %w", p.name, address, err)
		}
		seen.Holder = holder
		return nil
	}))
	group.Go(caught(func() error {
		routers, err := listen(ctx)
		if err != nil {
			return fmt.Errorf("listen for VRRP on %s: %w", p.name, err)
		}
		seen.Routers = routers
		return nil
	}))
	return group.Wait()
}
