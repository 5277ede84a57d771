//go:build linux

// Command router says once, to all hosts on a link, that this one is a router of IPv6, as one that
// gives hosts their default route says it again and again:
//
//	router LINK
package main

import (
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// advertisement is a router advertisement (RFC 4861, 4.2) of a router that stays for 9,000 s. The
// kernel fills in its checksum.
var advertisement = []byte{134, 0, 0, 0, 64, 0, 9000 >> 8, 9000 & 0xff, 0, 0, 0, 0, 0, 0, 0, 0}

func main() {
	if err := advertise(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "router:", err)
		os.Exit(1)
	}
}

func advertise(name string) error {
	link, err := net.InterfaceByName(name)
	if err != nil {
		return err
	}
	socket, err := unix.Socket(unix.AF_INET6, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMPV6)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(socket)
	// From the link's own address, which a multicast message on the link has, and by a hop limit that no router passes on.
	for option, value := range map[int]int{unix.IPV6_MULTICAST_HOPS: 255, unix.IPV6_MULTICAST_IF: link.Index} {
		if err := unix.SetsockoptInt(socket, unix.IPPROTO_IPV6, option, value); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	allNodes := &unix.SockaddrInet6{Addr: [16]byte{0: 0xff, 1: 0x02, 15: 1}, ZoneId: uint32(link.Index)}
	return os.NewSyscallError("send", unix.Sendto(socket, advertisement, 0, allNodes))
}
