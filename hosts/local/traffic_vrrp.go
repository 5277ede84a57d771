//go:build linux

package local

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// vrrpPackets is a raw socket for VRRP's protocol, at one address.
type vrrpPackets struct {
	*net.IPConn
	four bool
}

// openVRRP opens it so that what it sends looks like a neighbour's.
func openVRRP(address netip.Addr) (vrrpPackets, error) {
	network := "ip6:"
	if address.Is4() {
		network = "ip4:"
	}
	conn, err := net.ListenIP(network+strconv.Itoa(vrrpProtocol), &net.IPAddr{IP: address.AsSlice(), Zone: address.Zone()})
	if err != nil {
		return vrrpPackets{}, err
	}
	socket := vrrpPackets{conn, address.Is4()}
	err = onSocket(conn, func(fd int) error {
		if socket.four {
			return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TTL, vrrpTTL)
		}
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT, 1); err != nil {
			return err
		}
		return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, vrrpTTL)
	})
	if err != nil {
		_ = conn.Close()
		return vrrpPackets{}, fmt.Errorf("set the TTL to %d: %w", vrrpTTL, err)
	}
	return socket, nil
}

// receive finds the TTL in IPv4's header, which raw sockets give; IPv6's they do not give, and the kernel tells the hop
// limit beside the packet.
func (v vrrpPackets) receive(buffer []byte) ([]byte, netip.AddrPort, bool, error) {
	beside := make([]byte, 64)
	n, besides, _, from, err := v.ReadMsgIP(buffer, beside)
	if err != nil {
		return nil, netip.AddrPort{}, false, err
	}
	source, _ := netip.AddrFromSlice(from.IP)
	content, sender := buffer[:n], netip.AddrPortFrom(source.Unmap(), 0)
	if !v.four {
		hops, told := hopLimit(beside[:besides])
		return content, sender, told && hops != vrrpTTL, nil
	}
	const shortest = 20
	if n < shortest || int(content[0]&0xf)*4 > n {
		return nil, sender, false, nil
	}
	return content[int(content[0]&0xf)*4:], sender, content[8] != vrrpTTL, nil
}

// hopLimit reads the hop limit of a packet of IPv6 out of what the kernel tells beside it.
func hopLimit(beside []byte) (hops uint32, told bool) {
	messages, err := unix.ParseSocketControlMessage(beside)
	if err != nil {
		return 0, false
	}
	for _, message := range messages {
		if message.Header.Level == unix.IPPROTO_IPV6 && message.Header.Type == unix.IPV6_HOPLIMIT && len(message.Data) >= 4 {
			return binary.NativeEndian.Uint32(message.Data), true
		}
	}
	return 0, false
}

func (v vrrpPackets) reply(content []byte, to netip.AddrPort) error {
	_, err := v.WriteToIP(content, &net.IPAddr{IP: to.Addr().AsSlice()})
	return err
}

// onSocket does something with a connection's descriptor.
func onSocket(conn syscall.Conn, act func(fd int) error) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = act(int(fd)) }); err != nil {
		return err
	}
	return failed
}
