package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"syscall"
)

// held is an address as an interface has it.
type held struct {
	family byte
	bits   byte
	index  uint32
}

// release takes an address off every interface that has it. keepalived does so itself
// when it is stopped, but not when all of it is killed at once: then two hosts would hold
// the address, as the others see only that its adverts have ended.
func release(address netip.Addr) error {
	found, err := holders(address)
	if err != nil {
		return fmt.Errorf("release %s: %w", address, err)
	}
	for _, h := range found {
		if err := remove(h, address); err != nil {
			return fmt.Errorf("release %s: %w", address, err)
		}
		fmt.Printf("released %s from interface %d\n", address, h.index)
	}
	return nil
}

// holders asks the kernel for all addresses, and keeps where the one is.
func holders(address netip.Addr) ([]held, error) {
	data, err := syscall.NetlinkRIB(syscall.RTM_GETADDR, syscall.AF_UNSPEC)
	if err != nil {
		return nil, err
	}
	messages, err := syscall.ParseNetlinkMessage(data)
	if err != nil {
		return nil, err
	}
	var found []held
	for _, message := range messages {
		if message.Header.Type != syscall.RTM_NEWADDR || len(message.Data) < syscall.SizeofIfAddrmsg {
			continue
		}
		attributes, err := syscall.ParseNetlinkRouteAttr(&message)
		if err != nil {
			return nil, err
		}
		if has(attributes, address) {
			found = append(found, held{
				family: message.Data[0], bits: message.Data[1], index: binary.NativeEndian.Uint32(message.Data[4:8]),
			})
		}
	}
	return found, nil
}

// has looks for the address itself; IFA_ADDRESS is the peer's on a point-to-point link,
// and the only one where the family is IPv6.
func has(attributes []syscall.NetlinkRouteAttr, address netip.Addr) bool {
	local, other := false, false
	for _, attribute := range attributes {
		value, ok := netip.AddrFromSlice(attribute.Value)
		switch attribute.Attr.Type {
		case syscall.IFA_LOCAL:
			return ok && value == address
		case syscall.IFA_ADDRESS:
			other = ok && value == address
		}
	}
	return local || other
}

// remove deletes one address of one interface. That it is gone already is no error.
func remove(h held, address netip.Addr) error {
	if err := exchange(removal(h, address)); err != nil && !errors.Is(err, syscall.EADDRNOTAVAIL) {
		return err
	}
	return nil
}

// exchange sends the kernel a message, and gives what it answers.
func exchange(message []byte) error {
	socket, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer syscall.Close(socket)
	if err := syscall.Sendto(socket, message, 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}); err != nil {
		return err
	}
	answer := make([]byte, 4096)
	n, _, err := syscall.Recvfrom(socket, answer, 0)
	if err != nil {
		return err
	}
	return acknowledged(answer[:n])
}

// removal is the message RTM_DELADDR, to be acknowledged.
func removal(h held, address netip.Addr) []byte {
	value := address.AsSlice()
	attribute := syscall.SizeofRtAttr + len(value)
	size := syscall.SizeofNlMsghdr + syscall.SizeofIfAddrmsg + attribute
	message := make([]byte, 0, size)
	message = binary.NativeEndian.AppendUint32(message, uint32(size))
	message = binary.NativeEndian.AppendUint16(message, syscall.RTM_DELADDR)
	message = binary.NativeEndian.AppendUint16(message, syscall.NLM_F_REQUEST|syscall.NLM_F_ACK)
	message = append(message, make([]byte, 8)...) // sequence and sender: one request, one answer
	message = append(message, h.family, h.bits, 0, 0)
	message = binary.NativeEndian.AppendUint32(message, h.index)
	message = binary.NativeEndian.AppendUint16(message, uint16(attribute))
	message = binary.NativeEndian.AppendUint16(message, syscall.IFA_LOCAL)
	return append(message, value...)
}

// acknowledged reads the kernel's answer.
func acknowledged(answer []byte) error {
	messages, err := syscall.ParseNetlinkMessage(answer)
	if err != nil {
		return err
	}
	for _, message := range messages {
		if message.Header.Type != syscall.NLMSG_ERROR || len(message.Data) < 4 {
			continue
		}
		if code := -int32(binary.NativeEndian.Uint32(message.Data[:4])); code != 0 {
			return syscall.Errno(code)
		}
	}
	return nil
}
