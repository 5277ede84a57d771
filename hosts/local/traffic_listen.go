//go:build linux

package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slipway-k8s/slipway/hosts"
)

const (
	// askPatience is how long a connection may take to say its question.
	askPatience = 2 * time.Second
	// mostAskers is how many connections a port serves at once, and mostHeard how many it notes.
	mostAskers = 256
	mostHeard  = 4096
)

// listeners answer on ports until they are closed.
type listeners struct {
	ctx   context.Context // over once they are to close
	over  context.CancelFunc
	mu    sync.Mutex
	ports []hosts.Listened
	open  []io.Closer
	work  sync.WaitGroup
}

// openListeners listens on all ports of a query where nobody does yet.
func openListeners(query hosts.TrafficQuery) *listeners {
	l := &listeners{ports: make([]hosts.Listened, len(query.Listen))}
	l.ctx, l.over = context.WithCancel(context.Background())
	for i, port := range query.Listen {
		l.ports[i].Port = port
		err := l.listen(query.Key, port, func(from string) { l.heard(i, from) })
		switch {
		case errors.Is(err, unix.EADDRINUSE):
			l.ports[i].Taken = true
		case err != nil:
			l.ports[i].Why = err.Error()
		}
	}
	return l
}

// close ends them all, and tells what came.
func (l *listeners) close() []hosts.Listened {
	l.over()
	l.mu.Lock()
	for _, one := range l.open {
		_ = one.Close()
	}
	l.mu.Unlock()
	l.work.Wait()
	return l.ports
}

// heard notes who has asked.
func (l *listeners) heard(port int, from string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if known := l.ports[port].Heard; len(known) < mostHeard && !slices.Contains(known, from) {
		l.ports[port].Heard = append(known, from)
	}
}

// keep has what is open closed at the end, and serves it meanwhile.
func (l *listeners) keep(open io.Closer, serve func()) {
	l.mu.Lock()
	l.open = append(l.open, open)
	l.mu.Unlock()
	l.work.Go(func() {
		_ = caught(func() error {
			serve()
			return nil
		})()
		_ = open.Close()
	})
}

func (l *listeners) listen(key []byte, port hosts.Port, heard func(from string)) error {
	address, err := netip.ParseAddr(port.Address)
	if err != nil || address.IsUnspecified() {
		return fmt.Errorf("%q is no address to listen at", port.Address)
	}
	switch port.Protocol {
	case hosts.TrafficTCP:
		socket, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(address, uint16(port.Port))))
		if err != nil {
			return err
		}
		l.keep(socket, func() { l.serveTCP(socket, key, port, heard) })
	case hosts.TrafficUDP:
		socket, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(address, uint16(port.Port))))
		if err != nil {
			return err
		}
		l.keep(socket, func() { servePackets(udpPackets{socket}, key, port, heard) })
	case hosts.TrafficVRRP:
		socket, err := openVRRP(address)
		if err != nil {
			return err
		}
		l.keep(socket, func() { servePackets(socket, key, port, heard) })
	default:
		return fmt.Errorf("nobody can listen for %q", port.Protocol)
	}
	return nil
}

// serveTCP answers connections. More than mostAskers wait for their turn.
func (l *listeners) serveTCP(socket *net.TCPListener, key []byte, port hosts.Port, heard func(from string)) {
	places := make(chan struct{}, mostAskers)
	for {
		conn, err := socket.AcceptTCP()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // the machine has no descriptor left, for a moment
			time.Sleep(10 * time.Millisecond)
			continue
		}
		places <- struct{}{}
		l.work.Go(func() {
			defer func() { <-places }()
			_ = conn.SetDeadline(time.Now().Add(askPatience))
			defer context.AfterFunc(l.ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
			if answerTCP(conn, key, port) {
				heard(remoteAddress(conn))
			}
		})
	}
}

// answerTCP answers one connection, and tells whether it has asked. What ends it leaves no port in
// TIME_WAIT here: the service whose port this is may start right afterwards.
func answerTCP(conn *net.TCPConn, key []byte, port hosts.Port) bool {
	defer conn.Close()
	question := make([]byte, messageLength)
	if _, err := io.ReadFull(conn, question); err != nil {
		_ = conn.SetLinger(0)
		return false
	}
	asked, ok := parseMessage(key, port, question)
	if !ok || asked.kind != messageAsk {
		_ = conn.SetLinger(0)
		return false
	}
	_, _ = conn.Write(message{messageAnswer, asked.number}.marshal(key, port))
	_, _ = io.Copy(io.Discard, io.LimitReader(conn, 1)) // who asked closes first
	return true
}

func remoteAddress(conn net.Conn) string {
	if at, err := netip.ParseAddrPort(conn.RemoteAddr().String()); err == nil {
		return at.Addr().Unmap().WithZone("").String()
	}
	return conn.RemoteAddr().String()
}

// packets is a socket of whole packets.
type packets interface {
	// receive gives one packet's content, its sender, and whether a router has passed it on.
	receive(buffer []byte) (content []byte, from netip.AddrPort, routed bool, err error)
	reply(content []byte, to netip.AddrPort) error
}

// servePackets answers packets until the socket is closed.
func servePackets(socket packets, key []byte, port hosts.Port, heard func(from string)) {
	buffer := make([]byte, 1<<16)
	for {
		content, from, routed, err := socket.receive(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(time.Millisecond) // an error that an earlier answer has brought back
			continue
		}
		asked, ok := parseMessage(key, port, content)
		if !ok || asked.kind != messageAsk {
			continue
		}
		heard(from.Addr().Unmap().WithZone("").String())
		answer := message{messageAnswer, asked.number}
		if routed {
			answer.kind = messageRouted
		}
		_ = socket.reply(answer.marshal(key, port), from)
	}
}

type udpPackets struct{ *net.UDPConn }

func (u udpPackets) receive(buffer []byte) ([]byte, netip.AddrPort, bool, error) {
	n, from, err := u.ReadFromUDPAddrPort(buffer)
	return buffer[:n], from, false, err
}

func (u udpPackets) reply(content []byte, to netip.AddrPort) error {
	_, err := u.WriteToUDPAddrPort(content, to)
	return err
}
