//go:build linux

package local

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// arpProbes are sent, arpPause apart, and the last is given as long for its answer.
	arpProbes = 3
	arpPause  = 100 * time.Millisecond

	// ifNoARP is the flag of an interface on whose network nobody answers such questions.
	ifNoARP = unix.IFF_NOARP

	arpLength      = 28 // of a packet for Ethernet and IPv4
	arpRequest     = 1
	arpReply       = 2
	hardwareLength = 6
)

// arpPacket is an ARP packet for Ethernet and IPv4 (RFC 826).
type arpPacket struct {
	operation uint16
	sender    netip.Addr
	hardware  net.HardwareAddr // the sender's
	target    netip.Addr
}

// marshal writes the packet; the target's hardware address is what is asked for.
func (a arpPacket) marshal() []byte {
	packet := make([]byte, 0, arpLength)
	packet = binary.BigEndian.AppendUint16(packet, unix.ARPHRD_ETHER)
	packet = binary.BigEndian.AppendUint16(packet, unix.ETH_P_IP)
	packet = append(packet, hardwareLength, 4)
	packet = binary.BigEndian.AppendUint16(packet, a.operation)
	packet = append(packet, a.hardware...)
	packet = append(packet, a.sender.AsSlice()...)
	packet = append(packet, make([]byte, hardwareLength)...)
	return append(packet, a.target.AsSlice()...)
}

// parseARP reads a packet; ok is false where it is none for Ethernet and IPv4.
func parseARP(packet []byte) (a arpPacket, ok bool) {
	if len(packet) < arpLength ||
		binary.BigEndian.Uint16(packet) != unix.ARPHRD_ETHER || binary.BigEndian.Uint16(packet[2:]) != unix.ETH_P_IP ||
		packet[4] != hardwareLength || packet[5] != 4 {
		return arpPacket{}, false
	}
	return arpPacket{
		operation: binary.BigEndian.Uint16(packet[6:]),
		hardware:  net.HardwareAddr(append([]byte(nil), packet[8:14]...)),
		sender:    netip.AddrFrom4([4]byte(packet[14:18])),
		target:    netip.AddrFrom4([4]byte(packet[24:28])),
	}, true
}

// claims tells whether the packet's sender has an address. A probe has no sender's
// address, so those of other hosts for the same one, at the same time, are no claim.
func (a arpPacket) claims(address netip.Addr) bool {
	return (a.operation == arpReply || a.operation == arpRequest) && a.sender == address
}

// probe asks who has an address, as a host asks before it takes one (RFC 5227): without a
// sender's address, so that no neighbour notes anything and no proxy answers. It is the
// hardware address of the first who answers; "" where nobody does.
func (p *networkPort) probe(ctx context.Context, address netip.Addr) (string, error) {
	if p.noARP || len(p.hardware) != hardwareLength {
		return "", nil
	}
	socket, err := p.openPackets(unix.ETH_P_ARP)
	if err != nil {
		return "", err
	}
	defer socket.Close()
	everybody := &unix.SockaddrLinklayer{Protocol: bigEndian(unix.ETH_P_ARP), Ifindex: p.index, Halen: hardwareLength}
	copy(everybody.Addr[:], []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	question := arpPacket{operation: arpRequest, hardware: p.hardware, sender: netip.IPv4Unspecified(), target: address}.marshal()
	for range arpProbes {
		err := socket.control(func(fd int) error { return os.NewSyscallError("send", unix.Sendto(fd, question, 0, everybody)) })
		if err != nil {
			return "", err
		}
		holder := ""
		err = socket.receive(ctx, arpPause, func(packet []byte) bool {
			if a, ok := parseARP(packet); ok && a.claims(address) {
				holder = a.hardware.String()
			}
			return holder == ""
		})
		if err != nil || holder != "" {
			return holder, err
		}
	}
	return "", nil
}

// bigEndian is a number as the network writes it, in the machine's order.
func bigEndian(number uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, number))
}

// rawSocket is a socket that gives whole packets.
type rawSocket struct{ *os.File }

func openSocket(family, kind, protocol int) (rawSocket, error) {
	fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return rawSocket{}, os.NewSyscallError("socket", err)
	}
	return rawSocket{os.NewFile(uintptr(fd), "raw socket")}, nil
}

func (s rawSocket) control(act func(fd int) error) error {
	conn, err := s.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := conn.Control(func(fd uintptr) { failed = act(int(fd)) }); err != nil {
		return err
	}
	return failed
}

// receive gives each packet that comes within a time to take, until that wants no more.
func (s rawSocket) receive(ctx context.Context, within time.Duration, take func(packet []byte) (more bool)) error {
	if err := s.SetReadDeadline(time.Now().Add(within)); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = s.SetReadDeadline(time.Unix(1, 0)) }) // closed, then
	defer stop()
	packet := make([]byte, 1<<16)
	for {
		n, err := s.Read(packet)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return ctx.Err()
		case err != nil:
			return err
		case !take(packet[:n]):
			return nil
		}
	}
}
