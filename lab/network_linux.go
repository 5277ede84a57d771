package lab

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// bridgeName is the bridge's name in the namespace that it has for itself.
const bridgeName = "lab0"

// networkFile pins the network namespace that holds the bridge.
func (l *Lab) networkFile() string { return filepath.Join(l.dir, "network") }

// makeNetwork makes the namespace with the bridge unless it is there. It has no other
// interface: nothing that the hosts send can leave.
func (l *Lab) makeNetwork(r *record) error {
	if inode, err := namespaceAt(l.networkFile()); err == nil {
		r.Network = inode
		return nil
	}
	if err := os.WriteFile(l.networkFile(), nil, 0o600); err != nil {
		return fmt.Errorf("make the lab's network: %w", err)
	}
	done := make(chan error)
	go func() {
		// Never unlocked: the thread goes with the goroutine, and no other gets its namespace.
		runtime.LockOSThread()
		done <- pinNetwork(l.networkFile(), r)
	}()
	if err := <-done; err != nil {
		return fmt.Errorf("make the lab's network: %w", err)
	}
	inode, err := namespaceAt(l.networkFile())
	if err != nil {
		return fmt.Errorf("make the lab's network: %w", err)
	}
	r.Network = inode
	return nil
}

// pinNetwork runs on a thread of its own: it leaves the machine's network for a new one.
func pinNetwork(pin string, r *record) error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("unshare the network: %w", err)
	}
	// A packet for elsewhere is to be answered at once with "unreachable", which only
	// a router does. It routes between the hosts' own addresses and to nowhere else.
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644); err != nil {
		return fmt.Errorf("let the bridge answer: %w", err)
	}
	// And each time: by default a sender hears it once a second, and waits otherwise.
	if err := os.WriteFile("/proc/sys/net/ipv4/icmp_ratelimit", []byte("0"), 0o644); err != nil {
		return fmt.Errorf("let the bridge answer: %w", err)
	}
	for file, value := range map[string]string{"conf/all/forwarding": "1", "icmp/ratelimit": "0"} {
		err := os.WriteFile("/proc/sys/net/ipv6/"+file, []byte(value), 0o644)
		if err != nil && r.hasIPv6() { // a kernel may have none
			return fmt.Errorf("let the bridge answer over IPv6: %w", err)
		}
	}
	if err := makeBridge(r); err != nil {
		return err
	}
	testOnlyAt("network made")
	source := fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid())
	if err := unix.Mount(source, pin, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("pin the network namespace: %w", err)
	}
	return nil
}

func makeBridge(r *record) error {
	if err := linkUp("lo"); err != nil {
		return err
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = bridgeName
	attrs.HardwareAddr = hardwareAddress(r.Name, bridgeName)
	if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}); err != nil {
		return fmt.Errorf("add the bridge: %w", err)
	}
	bridge, err := netlink.LinkByName(bridgeName)
	if err != nil {
		return err
	}
	for _, subnet := range r.subnets() {
		if err := addAddress(bridge, gatewayOf(subnet), subnet.Bits()); err != nil {
			return fmt.Errorf("give the bridge its address: %w", err)
		}
	}
	if err := linkUp(bridgeName); err != nil {
		return err
	}
	for _, subnet := range r.subnets() {
		if err := netlink.RouteAdd(&netlink.Route{Dst: everywhere(subnet.Addr()), Type: unix.RTN_UNREACHABLE}); err != nil {
			return fmt.Errorf("add the route to nowhere: %w", err)
		}
	}
	return nil
}

// addAddress gives a link an address that is good at once: nobody else in the lab can have it,
// and the kernel need not ask for a second, as it would for one of IPv6.
func addAddress(link netlink.Link, address netip.Addr, bits int) error {
	added := &netlink.Addr{IPNet: ipNet(address, bits)}
	if address.Is6() {
		added.Flags = unix.IFA_F_NODAD
	}
	return netlink.AddrAdd(link, added)
}

// everywhere is the destination of a default route of an address's family.
func everywhere(address netip.Addr) *net.IPNet {
	return &net.IPNet{IP: make(net.IP, address.BitLen()/8), Mask: net.CIDRMask(0, address.BitLen())}
}

// connect lays a cable from the bridge into the network namespace of a host's init, or to the card
// of a virtual machine.
func (l *Lab) connect(r *record, h *hostRecord, pid int) error {
	if h.Kind == KindVM {
		return l.plugIn(h)
	}
	return l.onNetwork(func(handle *netlink.Handle) error {
		if old, err := handle.LinkByName(h.Name); err == nil {
			_ = handle.LinkDel(old)
		}
		bridge, err := handle.LinkByName(bridgeName)
		if err != nil {
			return err
		}
		attrs := netlink.NewLinkAttrs()
		attrs.Name = h.Name
		attrs.MasterIndex = bridge.Attrs().Index
		cable := netlink.NewVeth(attrs)
		cable.PeerName = hostInterface
		cable.PeerHardwareAddr = hardwareAddress(r.Name, h.Name)
		cable.PeerNamespace = netlink.NsPid(pid)
		if err := handle.LinkAdd(cable); err != nil {
			return fmt.Errorf("connect %s: %w", h.Name, err)
		}
		return handle.LinkSetUp(cable)
	})
}

// disconnect takes the cable away; one that is gone already is no error.
func (l *Lab) disconnect(host string) error {
	return l.onNetwork(func(handle *netlink.Handle) error {
		link, err := handle.LinkByName(host)
		if errors.As(err, new(netlink.LinkNotFoundError)) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := handle.LinkDel(link); err != nil && !errors.Is(err, unix.ENODEV) {
			return fmt.Errorf("disconnect %s: %w", host, err)
		}
		return nil
	})
}

// setLink takes the bridge's end of a host's cable up or down.
func (l *Lab) setLink(host string, up bool) error {
	return l.onNetwork(func(handle *netlink.Handle) error {
		link, err := handle.LinkByName(host)
		if err != nil {
			return fmt.Errorf("find the link of %s: %w", host, err)
		}
		if up {
			return handle.LinkSetUp(link)
		}
		return handle.LinkSetDown(link)
	})
}

// onNetwork does something to the namespace that holds the bridge.
func (l *Lab) onNetwork(do func(*netlink.Handle) error) error {
	file, err := os.Open(l.networkFile())
	if err != nil {
		return fmt.Errorf("open the lab's network: %w", err)
	}
	defer file.Close()
	handle, err := netlink.NewHandleAt(netns.NsHandle(file.Fd()), unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("open the lab's network: %w", err)
	}
	defer handle.Close()
	return do(handle)
}

// hostInterface is the name of a host's one interface, as the host sees it.
const hostInterface = "eth0"

// configureNetwork gives the host that this process becomes its addresses, and default
// routes that lead to the bridge and no further.
func configureNetwork(places []place) error {
	if err := linkUp("lo"); err != nil {
		return err
	}
	link, err := netlink.LinkByName(hostInterface)
	if err != nil {
		return fmt.Errorf("find %s: %w", hostInterface, err)
	}
	for _, place := range places {
		if err := addAddress(link, place.Address, place.Subnet.Bits()); err != nil {
			return fmt.Errorf("give %s its address: %w", hostInterface, err)
		}
	}
	if err := linkUp(hostInterface); err != nil {
		return err
	}
	for _, place := range places {
		route := &netlink.Route{Dst: everywhere(place.Address), Gw: place.Gateway.AsSlice(), LinkIndex: link.Attrs().Index}
		if err := netlink.RouteAdd(route); err != nil {
			return fmt.Errorf("add the default route: %w", err)
		}
	}
	return nil
}

func linkUp(name string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("find %s: %w", name, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("take %s up: %w", name, err)
	}
	return nil
}

func ipNet(address netip.Addr, bits int) *net.IPNet {
	return &net.IPNet{IP: address.AsSlice(), Mask: net.CIDRMask(bits, address.BitLen())}
}

// hardwareAddress is locally administered, and the same for a host at every boot.
func hardwareAddress(lab, host string) net.HardwareAddr {
	sum := sha256.Sum256([]byte(lab + "/" + host))
	return net.HardwareAddr{0x02, sum[0], sum[1], sum[2], sum[3], sum[4]}
}

// namespaceAt gives the inode of the namespace pinned at a file, or an error when none is.
func namespaceAt(path string) (uint64, error) {
	var fsType unix.Statfs_t
	if err := unix.Statfs(path, &fsType); err != nil {
		return 0, err
	}
	if fsType.Type != unix.NSFS_MAGIC {
		return 0, fmt.Errorf("%s: no namespace is pinned here", path)
	}
	var stat unix.Stat_t
	if err := unix.Stat(path, &stat); err != nil {
		return 0, err
	}
	return stat.Ino, nil
}
