//go:build linux

package local

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// The parts of neighbour discovery (RFC 4861) that ask who has an address.
const (
	ipv6Length        = 40 // of a header of IPv6
	solicitation      = 135
	advertisement     = 136
	neighbourLength   = 24 // of both messages without options
	optionTarget      = 2  // the target's hardware address
	linkHops          = 255
	solicitedNodeBits = 24 // of an address that its multicast group has
)

// neighbourAnswer is what a neighbour advertisement says.
type neighbourAnswer struct {
	target   netip.Addr
	hardware net.HardwareAddr // of who has it; nil where it does not say
}

// solicit is a whole packet of IPv6 that asks who has an address, as a host asks before it
// takes one (RFC 4862, 5.4.2): from no address, so that no neighbour notes anything.
func solicit(target netip.Addr) []byte {
	message := make([]byte, neighbourLength)
	message[0] = solicitation
	copy(message[8:], target.AsSlice())
	source, group := netip.IPv6Unspecified(), solicitedNode(target)
	binary.BigEndian.PutUint16(message[2:], checksum(source, group, message))
	packet := make([]byte, 0, ipv6Length+len(message))
	packet = append(packet, 6<<4, 0, 0, 0)
	packet = binary.BigEndian.AppendUint16(packet, uint16(len(message)))
	packet = append(packet, unix.IPPROTO_ICMPV6, linkHops)
	packet = append(packet, source.AsSlice()...)
	packet = append(packet, group.AsSlice()...)
	return append(packet, message...)
}

// solicitedNode is the multicast group that who has an address belongs to.
func solicitedNode(address netip.Addr) netip.Addr {
	group := netip.MustParseAddr("ff02::1:ff00:0").As16()
	of := address.As16()
	copy(group[16-solicitedNodeBits/8:], of[16-solicitedNodeBits/8:])
	return netip.AddrFrom16(group)
}

// multicastHardware is where Ethernet takes what goes to a multicast group (RFC 2464).
func multicastHardware(group netip.Addr) []byte {
	bytes := group.As16()
	return append([]byte{0x33, 0x33}, bytes[12:]...)
}

// checksum is ICMPv6's: of the message and of the header that it travels under (RFC 8200, 8.1).
func checksum(source, destination netip.Addr, message []byte) uint16 {
	covered := append(source.AsSlice(), destination.AsSlice()...)
	covered = binary.BigEndian.AppendUint32(covered, uint32(len(message)))
	covered = append(covered, 0, 0, 0, unix.IPPROTO_ICMPV6)
	covered = append(covered, message...)
	if len(covered)%2 != 0 {
		covered = append(covered, 0)
	}
	sum := uint32(0)
	for at := 0; at < len(covered); at += 2 {
		sum += uint32(binary.BigEndian.Uint16(covered[at:]))
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

// parseNeighbour reads a neighbour advertisement out of a packet of IPv6; ok is false where it
// is none, or has passed a router.
func parseNeighbour(packet []byte) (answer neighbourAnswer, ok bool) {
	_, message, ok := parseIPv6(packet, unix.IPPROTO_ICMPV6)
	if !ok || len(message) < neighbourLength || message[0] != advertisement || message[1] != 0 {
		return neighbourAnswer{}, false
	}
	answer.target = netip.AddrFrom16([16]byte(message[8:24]))
	for options := message[neighbourLength:]; len(options) >= 8; {
		length := int(options[1]) * 8
		if length == 0 || length > len(options) {
			return neighbourAnswer{}, false
		}
		if options[0] == optionTarget {
			answer.hardware = append(net.HardwareAddr(nil), options[2:2+hardwareLength]...)
		}
		options = options[length:]
	}
	return answer, true
}

// parseIPv6 gives the source and the content of a packet of a protocol that comes from this
// network, directly after the header.
func parseIPv6(packet []byte, protocol byte) (source netip.Addr, content []byte, ok bool) {
	if len(packet) < ipv6Length || packet[0]>>4 != 6 || packet[6] != protocol || packet[7] != linkHops {
		return netip.Addr{}, nil, false
	}
	length := int(binary.BigEndian.Uint16(packet[4:]))
	if length > len(packet)-ipv6Length {
		return netip.Addr{}, nil, false
	}
	return netip.AddrFrom16([16]byte(packet[8:24])), packet[ipv6Length : ipv6Length+length], true
}

// probe6 asks who has an address of IPv6. It is the hardware address of the first who answers,
// "unknown" where that one does not say it; "" where nobody does.
func (p *networkPort) probe6(ctx context.Context, address netip.Addr) (string, error) {
	if p.noARP || len(p.hardware) != hardwareLength {
		return "", nil
	}
	socket, err := p.openPackets(unix.ETH_P_IPV6)
	if err != nil {
		return "", err
	}
	defer socket.Close()
	group := &unix.SockaddrLinklayer{Protocol: bigEndian(unix.ETH_P_IPV6), Ifindex: p.index, Halen: hardwareLength}
	copy(group.Addr[:], multicastHardware(solicitedNode(address)))
	question := solicit(address)
	for range arpProbes {
		err := socket.control(func(fd int) error { return os.NewSyscallError("send", unix.Sendto(fd, question, 0, group)) })
		if err != nil {
			return "", err
		}
		holder := ""
		err = socket.receive(ctx, arpPause, func(packet []byte) bool {
			if answer, ok := parseNeighbour(packet); ok && answer.target == address {
				if holder = answer.hardware.String(); holder == "" {
					holder = unknownHardware
				}
			}
			return holder == ""
		})
		if err != nil || holder != "" {
			return holder, err
		}
	}
	return "", nil
}

// unknownHardware stands for the hardware address of a neighbour that has not said it.
const unknownHardware = "unknown"

// openPackets gives the packets of a protocol that come in on the interface.
func (p *networkPort) openPackets(protocol uint16) (rawSocket, error) {
	socket, err := openSocket(unix.AF_PACKET, unix.SOCK_DGRAM, int(bigEndian(protocol)))
	if err != nil {
		return rawSocket{}, err
	}
	here := &unix.SockaddrLinklayer{Protocol: bigEndian(protocol), Ifindex: p.index}
	if err := socket.control(func(fd int) error { return os.NewSyscallError("bind", unix.Bind(fd, here)) }); err != nil {
		socket.Close()
		return rawSocket{}, err
	}
	return socket, nil
}
