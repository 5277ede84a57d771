//go:build linux

package local

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slipway-k8s/slipway/hosts"
)

// How long the ways of a probe may take. A line of 300 ms that loses one packet in a hundred is not taken for
// a closed one: packets are sent several times, as TCP does by itself after a second.
const (
	connectPatience = 2500 * time.Millisecond
	answerPatience  = 1500 * time.Millisecond
)

// sendings are the moments, from the first on, at which a packet is sent as long as nothing comes back.
var sendings = []time.Duration{0, 250 * time.Millisecond, 750 * time.Millisecond, connectPatience}

// sendProbe tries one way.
func sendProbe(ctx context.Context, key []byte, probe hosts.Probe) hosts.Probed {
	done := hosts.Probed{Probe: probe, Passage: hosts.NotTried}
	from, err := netip.ParseAddr(probe.From)
	if err != nil {
		done.Detail = err.Error()
		return done
	}
	to, err := netip.ParseAddr(probe.To.Address)
	if err != nil {
		done.Detail = err.Error()
		return done
	}
	target := netip.AddrPortFrom(to, uint16(probe.To.Port))
	switch probe.To.Protocol {
	case hosts.TrafficTCP:
		done.Passage, err = probeTCP(ctx, key, probe.To, from, target)
	case hosts.TrafficUDP:
		done.Passage, err = probeUDP(ctx, key, probe.To, from, target)
		if err == nil && probe.Size > 0 {
			done.Fits, err = largestThatFits(ctx, key, probe.To, from, target, probe.Size)
		}
	case hosts.TrafficVRRP:
		done.Passage, done.Routed, err = probeVRRP(ctx, key, probe.To, from, target)
	default:
		done.Detail = "nobody can send " + probe.To.Protocol
		return done
	}
	if err != nil {
		done.Passage, done.Detail = passageOf(err), systemsWords(err)
	}
	return done
}

// passageOf is what became of a probe that has failed.
func passageOf(err error) hosts.Passage {
	var timeout net.Error
	switch {
	case errors.Is(err, unix.ECONNREFUSED), errors.Is(err, unix.ECONNRESET):
		return hosts.Turned
	case errors.Is(err, unix.EHOSTUNREACH), errors.Is(err, unix.EHOSTDOWN), errors.Is(err, unix.EACCES), errors.Is(err, unix.ENOPROTOOPT):
		return hosts.Rejected
	case errors.Is(err, unix.ENETUNREACH):
		return hosts.Routeless
	case errors.Is(err, unix.EPERM):
		return hosts.Barred
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return hosts.Silent
	}
	return hosts.NotTried
}

// systemsWords are the innermost words of an error: the addresses around them are known.
func systemsWords(err error) string {
	var number unix.Errno
	if errors.As(err, &number) {
		return number.Error()
	}
	return err.Error()
}

// probeTCP connects, and asks whether it is the run's listener that took the connection.
func probeTCP(ctx context.Context, key []byte, port hosts.Port, from netip.Addr, to netip.AddrPort) (hosts.Passage, error) {
	dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0)), Timeout: connectPatience, KeepAlive: -1}
	conn, err := dialer.DialContext(ctx, "tcp", to.String())
	if err != nil {
		return "", err
	}
	defer conn.Close()
	question, err := askMessage()
	if err != nil {
		return "", err
	}
	_ = conn.SetDeadline(time.Now().Add(answerPatience))
	answer := make([]byte, messageLength)
	if _, err := conn.Write(question.marshal(key, port)); err != nil {
		return hosts.Connected, nil // some close at once
	}
	if _, err := io.ReadFull(conn, answer); err != nil {
		return hosts.Connected, nil // or wait for what they understand
	}
	if m, ok := parseMessage(key, port, answer); ok && m.answers(question) {
		return hosts.Passed, nil
	}
	return hosts.Connected, nil
}

// probeUDP asks until something comes back.
func probeUDP(ctx context.Context, key []byte, port hosts.Port, from netip.Addr, to netip.AddrPort) (hosts.Passage, error) {
	conn, err := net.DialUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(from, 0)), net.UDPAddrFromAddrPort(to))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	receive := func(buffer []byte) ([]byte, error) {
		n, err := conn.Read(buffer)
		return buffer[:n], err
	}
	send := func(packet []byte) error {
		_, err := conn.Write(packet)
		return err
	}
	_, err = askUntilAnswered(ctx, key, port, conn, send, receive)
	return hosts.Passed, err
}

// probeVRRP does the same with packets of VRRP's protocol.
func probeVRRP(ctx context.Context, key []byte, port hosts.Port, from netip.Addr, to netip.AddrPort) (hosts.Passage, bool, error) {
	socket, err := openVRRP(from)
	if err != nil {
		return "", false, err
	}
	defer socket.Close()
	receive := func(buffer []byte) ([]byte, error) {
		content, sender, _, err := socket.receive(buffer)
		if err == nil && sender.Addr() != to.Addr() {
			return nil, nil
		}
		return content, err
	}
	answer, err := askUntilAnswered(ctx, key, port, socket, func(packet []byte) error { return socket.reply(packet, to) }, receive)
	return hosts.Passed, answer.kind == messageRouted, err
}

// deadlined is a connection whose reads can be bounded.
type deadlined interface{ SetReadDeadline(time.Time) error }

// askUntilAnswered sends a question several times, until its answer comes or an error does.
func askUntilAnswered(ctx context.Context, key []byte, port hosts.Port, conn deadlined, send func([]byte) error, receive func([]byte) ([]byte, error)) (message, error) {
	question, err := askMessage()
	if err != nil {
		return message{}, err
	}
	packet, buffer, begun := question.marshal(key, port), make([]byte, 1<<11), time.Now()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	for i := range len(sendings) - 1 {
		if err := send(packet); err != nil {
			return message{}, err
		}
		_ = conn.SetReadDeadline(begun.Add(sendings[i+1]))
		answer, err := awaitAnswer(ctx, key, port, question, buffer, receive)
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return answer, err
		}
	}
	return message{}, os.ErrDeadlineExceeded
}

// awaitAnswer reads packets until the answer is among them.
func awaitAnswer(ctx context.Context, key []byte, port hosts.Port, question message, buffer []byte, receive func([]byte) ([]byte, error)) (message, error) {
	for {
		if err := ctx.Err(); err != nil {
			return message{}, err
		}
		content, err := receive(buffer)
		if err != nil {
			return message{}, err
		}
		if m, ok := parseMessage(key, port, content); ok && m.answers(question) {
			return m, nil
		}
	}
}
