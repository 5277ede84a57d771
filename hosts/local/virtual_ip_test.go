//go:build linux

package local_test

import (
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/slipway-k8s/slipway/hosts"
)

const (
	virtualIP      = "10.99.0.100"
	keepalivedUnit = "keepalived.service"
)

// neighbour is the other end of a cable, in a network namespace of its own.
type neighbour struct {
	space    netns.NsHandle
	name     string
	hardware string
}

// newNeighbour lays a cable to a neighbour; this end is called wire0 and has 10.99.0.1/24.
func newNeighbour(t *testing.T, addresses ...string) *neighbour {
	t.Helper()
	n := &neighbour{name: "wire1"}
	addVeth(t, "wire0", n.name)
	n.space = newSpace(t)
	far, err := netlink.LinkByName(n.name)
	if err != nil {
		t.Fatal(err)
	}
	n.hardware = far.Attrs().HardwareAddr.String()
	if err := netlink.LinkSetNsFd(far, int(n.space)); err != nil {
		t.Fatal(err)
	}
	there, err := netlink.NewHandleAt(n.space)
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	here, err := netlink.NewHandle()
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	raise(t, here, "wire0", "10.99.0.1/24")
	raise(t, there, n.name, addresses...)
	return n
}

// newSpace makes a network namespace; the test stays in its own.
func newSpace(t *testing.T) netns.NsHandle {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	own, err := netns.Get()
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	space, err := netns.New()
	if err != nil {
		t.Fatal(err)
	}
	if err := netns.Set(own); err != nil {
		panic(err) // this thread is of no use to any test any more
	}
	t.Cleanup(func() { space.Close() })
	return space
}

func raise(t *testing.T, handle *netlink.Handle, name string, addresses ...string) {
	t.Helper()
	link, err := handle.LinkByName(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := handle.LinkSetUp(link); err != nil {
		t.Fatal(err)
	}
	for _, text := range addresses {
		address, err := netlink.ParseAddr(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := handle.AddrAdd(link, address); err != nil {
			t.Fatal(err)
		}
	}
}

// advertise sends VRRP advertisements as a router does that has just become master, until
// the test ends.
func (n *neighbour) advertise(t *testing.T, adverts ...[]byte) {
	t.Helper()
	fd := n.openVRRP(t)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(50 * time.Millisecond)
		defer ticker.Stop()
		for {
			for _, advert := range adverts {
				if err := unix.Sendto(fd, advert, 0, &unix.SockaddrInet4{Addr: [4]byte{224, 0, 0, 18}}); err != nil {
					t.Errorf("advertise: %v", err)
					return
				}
			}
			select {
			case <-done:
				return
			case <-ticker.C:
			}
		}
	}()
	t.Cleanup(func() {
		close(done)
		<-ended
		unix.Close(fd)
	})
}

// openVRRP opens a socket in the neighbour's namespace.
func (n *neighbour) openVRRP(t *testing.T) int {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	own, err := netns.Get()
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	if err := netns.Set(n.space); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 112)
	if setErr := netns.Set(own); setErr != nil {
		panic(setErr)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		unix.BindToDevice(fd, n.name), unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_TTL, 255),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return fd
}

// advert is one of VRRP's advertisements, of one address.
func advert(version, id byte) []byte {
	return []byte{version<<4 | 1, id, 100, 1, 0, 1, 0, 0, 10, 99, 0, 200}
}

func TestVirtualAddressThatIsTaken(t *testing.T) {
	far := newNeighbour(t, "10.99.0.2/24", virtualIP+"/32")
	far.advertise(t, advert(3, 77), advert(2, 12))
	m := newMachine(t)
	facts := m.observe(m.host(), hosts.Query{VirtualIP: &hosts.VirtualIPQuery{Address: virtualIP, Unit: keepalivedUnit}})
	want := &hosts.VirtualIP{
		Interface: "wire0", Holder: far.hardware,
		Routers: []hosts.Router{{Source: "10.99.0.2", RouterID: 12, Version: 2}, {Source: "10.99.0.2", RouterID: 77, Version: 3}},
	}
	if diff := cmp.Diff(want, facts.VirtualIP); diff != "" {
		t.Errorf("the network says (-want +got):\n%s", diff)
	}
}

// virtualIP6 is a virtual address beside virtualIP, and wire6 this host's own in its subnet.
const virtualIP6, wire6 = "fd00:99::100", "fd00:99::1/64"

// newNeighbour6 is a neighbour whom this host reaches by IPv6 too.
func newNeighbour6(t *testing.T, addresses ...string) *neighbour {
	t.Helper()
	far := newNeighbour(t, addresses...)
	near, err := netlink.LinkByName("wire0")
	if err != nil {
		t.Fatal(err)
	}
	own, err := netlink.ParseAddr(wire6)
	if err != nil {
		t.Fatal(err)
	}
	own.Flags = unix.IFA_F_NODAD
	if err := netlink.AddrAdd(near, own); err != nil {
		t.Fatal(err)
	}
	return far
}

// TestVirtualAddressOfIPv6: neighbours are asked by neighbour discovery.
func TestVirtualAddressOfIPv6(t *testing.T) {
	far := newNeighbour6(t, "10.99.0.2/24")
	there, err := netlink.NewHandleAt(far.space)
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	link, err := there.LinkByName(far.name)
	if err != nil {
		t.Fatal(err)
	}
	taken := &netlink.Addr{IPNet: &net.IPNet{IP: net.ParseIP(virtualIP6), Mask: net.CIDRMask(128, 128)}, Flags: unix.IFA_F_NODAD}
	if err := there.AddrAdd(link, taken); err != nil {
		t.Fatal(err)
	}
	m := newMachine(t)
	for address, want := range map[string]*hosts.VirtualIP{
		virtualIP6:     {Interface: "wire0", Holder: far.hardware},
		"fd00:99::101": {Interface: "wire0"},
		"fd00:98::1":   {},
		"fd00:99::1":   nil, // the host's own
	} {
		facts := m.observe(m.host(), hosts.Query{VirtualIP: &hosts.VirtualIPQuery{Address: address, Unit: keepalivedUnit}})
		if diff := cmp.Diff(want, facts.VirtualIP); diff != "" {
			t.Errorf("of %s the network says (-want +got):\n%s", address, diff)
		}
	}
}

// TestVirtualAddressIsAskedOnlyWhereItMayBeForeign: elsewhere the answer would be the
// cluster's own.
func TestVirtualAddressIsAskedOnlyWhereItMayBeForeign(t *testing.T) {
	newNeighbour(t, "10.99.0.2/24")
	theirs := unit("loaded", "inactive", "disabled", "/lib/systemd/system/"+keepalivedUnit)
	for _, test := range []struct {
		name  string
		query hosts.VirtualIPQuery
		build func(*machine, hosts.Host)
		want  *hosts.VirtualIP
	}{
		{"free", hosts.VirtualIPQuery{Address: virtualIP}, nil, &hosts.VirtualIP{Interface: "wire0"}},
		{"free, and the distribution's keepalived is off", hosts.VirtualIPQuery{Address: virtualIP, Interface: "wire0"},
			func(m *machine, _ hosts.Host) { m.systemd.units[keepalivedUnit] = theirs }, &hosts.VirtualIP{Interface: "wire0"}},
		{"outside of every subnet", hosts.VirtualIPQuery{Address: "10.98.0.1"}, nil, &hosts.VirtualIP{}},
		{"outside of the interface's subnet", hosts.VirtualIPQuery{Address: virtualIP, Interface: "lo"}, nil, &hosts.VirtualIP{}},
		{"the loopback's", hosts.VirtualIPQuery{Address: "127.0.0.9"}, nil, &hosts.VirtualIP{}},
		{"the host's own", hosts.VirtualIPQuery{Address: "10.99.0.1"}, nil, nil},
		{"the host's own, on another interface", hosts.VirtualIPQuery{Address: "10.99.0.1", Interface: "lo"}, nil, nil},
		{"the cluster's keepalived is there", hosts.VirtualIPQuery{Address: virtualIP}, func(m *machine, host hosts.Host) {
			const path = "/etc/systemd/system/" + keepalivedUnit
			m.do(host, m.writeFile(host, path, "", 0o644))
			m.systemd.units[keepalivedUnit] = unit("loaded", "inactive", "disabled", path)
		}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := newMachine(t)
			host := m.host()
			if test.build != nil {
				test.build(m, host)
			}
			test.query.Unit = keepalivedUnit
			facts := m.observe(host, hosts.Query{VirtualIP: &test.query})
			if diff := cmp.Diff(test.want, facts.VirtualIP); diff != "" {
				t.Errorf("the network says (-want +got):\n%s", diff)
			}
		})
	}
}

func TestVirtualAddressThatIsNone(t *testing.T) {
	m := newMachine(t)
	_, err := m.host().Observe(t.Context(), hosts.Query{VirtualIP: &hosts.VirtualIPQuery{Address: "::ffff:10.0.0.1"}})
	if err == nil || !strings.Contains(err.Error(), "::ffff:10.0.0.1") {
		t.Errorf("asking for an address that cannot be is %v", err)
	}
}

func TestReach(t *testing.T) {
	newNeighbour(t, "10.99.0.2/24")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	const closed, unknown, silent, none = "127.0.0.1:1", "192.0.2.1:6443", "10.99.0.3:6443", "10.99.0.2"
	m := newMachine(t)
	facts := m.observe(m.host(), hosts.Query{Reach: []string{listener.Addr().String(), closed, unknown, silent, none}})
	want := map[string]string{
		listener.Addr().String(): "", closed: "connection refused", unknown: "network is unreachable",
		silent: "no answer within 2s", none: "address 10.99.0.2: missing port in address",
	}
	if diff := cmp.Diff(want, facts.Reach); diff != "" {
		t.Errorf("reached are (-want +got):\n%s", diff)
	}
}
