//go:build linux

package local

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slipway-k8s/slipway/hosts"
)

const (
	// smallestPacket is the least size worth to be looked for: less than every network of IPv4 has
	// to carry is no network.
	smallestPacket = 576
	// sizesAtOnce are tried in one round: three rounds find the size exactly on a network of 1500 bytes.
	sizesAtOnce = 16
	// sizePatience is how long a round waits for answers; each size is sent twice.
	sizePatience = 800 * time.Millisecond
)

// largestThatFits finds the size of the largest IP packet that passes whole, up to one that has to: 0
// where not even the smallest does. Routers that say "too big" and those that say nothing are told
// apart by nobody: only what is answered has passed.
func largestThatFits(ctx context.Context, key []byte, port hosts.Port, from netip.Addr, to netip.AddrPort, wanted int) (int, error) {
	conn, err := net.DialUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(from, 0)), net.UDPAddrFromAddrPort(to))
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if err := onSocket(conn, func(fd int) error { return forbidFragments(fd, to.Addr().Is4()) }); err != nil {
		return 0, err
	}
	probe := sizeProbe{conn: conn, key: key, port: port, overhead: 48}
	if to.Addr().Is4() {
		probe.overhead = 28
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	passed, err := probe.round(ctx, []int{wanted})
	if err != nil || len(passed) > 0 {
		return slices.Max(append(passed, 0)), err
	}
	fits, tooLarge := 0, wanted
	for tooLarge-fits > 1 {
		sizes := between(fits, tooLarge)
		passed, err := probe.round(ctx, sizes)
		if err != nil {
			return fits, err
		}
		largest := slices.Max(append(passed, fits))
		for _, size := range sizes {
			if size > largest {
				tooLarge = min(tooLarge, size)
			}
		}
		if fits = largest; fits == 0 {
			return 0, nil // the small packet that was answered before has its answer by chance
		}
	}
	return fits, nil
}

// between are sizes spread over those that are larger than one and smaller than another.
func between(fits, tooLarge int) []int {
	low := max(fits+1, min(smallestPacket, tooLarge-1))
	var sizes []int
	for i := range sizesAtOnce {
		size := low + (tooLarge-1-low)*i/(sizesAtOnce-1)
		if len(sizes) == 0 || size > sizes[len(sizes)-1] {
			sizes = append(sizes, size)
		}
	}
	return sizes
}

// forbidFragments has packets sent whole or not at all, whatever the kernel has learned of the way.
func forbidFragments(fd int, four bool) error {
	if four {
		return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE)
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE)
}

// sizeProbe asks with questions of certain sizes.
type sizeProbe struct {
	conn     *net.UDPConn
	key      []byte
	port     hosts.Port
	overhead int // of IP's and UDP's headers
}

// round sends a question of each size, twice, and gives the sizes that were answered.
func (s sizeProbe) round(ctx context.Context, sizes []int) (passed []int, err error) {
	asked := map[uint64]int{}
	var packets [][]byte
	for _, size := range sizes {
		question, err := askMessage()
		if err != nil {
			return nil, err
		}
		packet := question.marshal(s.key, s.port)
		if more := size - s.overhead - len(packet); more > 0 {
			packet = append(packet, make([]byte, more)...)
		}
		asked[question.number] = size
		packets = append(packets, packet)
	}
	begun := time.Now()
	for _, until := range []time.Duration{sizePatience / 2, sizePatience} {
		for _, packet := range packets {
			if _, err := s.conn.Write(packet); err != nil && !errors.Is(err, unix.EMSGSIZE) && !errors.Is(err, unix.ECONNREFUSED) {
				return nil, err
			}
		}
		_ = s.conn.SetReadDeadline(begun.Add(until))
		if passed, err = s.collect(ctx, asked, passed); err != nil || len(passed) == len(sizes) {
			return passed, err
		}
	}
	return passed, nil
}

// collect adds the sizes whose answers come, until all have or the time is over.
func (s sizeProbe) collect(ctx context.Context, asked map[uint64]int, passed []int) ([]int, error) {
	buffer := make([]byte, 1<<11)
	for len(passed) < len(asked) {
		n, err := s.conn.Read(buffer)
		switch {
		case ctx.Err() != nil:
			return passed, ctx.Err()
		case errors.Is(err, os.ErrDeadlineExceeded):
			return passed, nil
		case err != nil: // "too big" comes back as an error of the socket
			continue
		}
		m, ok := parseMessage(s.key, s.port, buffer[:n])
		if size, mine := asked[m.number]; ok && mine && m.answers(message{messageAsk, m.number}) && !slices.Contains(passed, size) {
			passed = append(passed, size)
		}
	}
	return passed, nil
}
