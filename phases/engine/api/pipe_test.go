package api

import (
	"net"
	"slices"
	"sync"
	"time"
)

// buffered is an end of a net.Pipe whose writes do not wait for the other end to read.
type buffered struct {
	net.Conn
	queue chan []byte
	ended chan struct{}
	once  sync.Once
}

func pipe() (near, far net.Conn) {
	a, b := net.Pipe()
	return newBuffered(a), newBuffered(b)
}

func newBuffered(conn net.Conn) *buffered {
	b := &buffered{Conn: conn, queue: make(chan []byte, 1024), ended: make(chan struct{})}
	go b.carry()
	return b
}

// carry writes what is queued; at the end, what the other end still takes soon.
func (b *buffered) carry() {
	defer b.Conn.Close()
	for {
		select {
		case data := <-b.queue:
			_, _ = b.Conn.Write(data)
			continue
		case <-b.ended:
		}
		for len(b.queue) > 0 {
			_, _ = b.Conn.Write(<-b.queue)
		}
		return
	}
}

func (b *buffered) Write(data []byte) (int, error) {
	select {
	case b.queue <- slices.Clone(data):
		return len(data), nil
	case <-b.ended:
		return 0, net.ErrClosed
	}
}

// SetWriteDeadline does nothing: a write does not wait. crypto/tls sets one in the past before it
// closes a connection, which must not keep what is queued from being carried.
func (b *buffered) SetWriteDeadline(time.Time) error { return nil }

func (b *buffered) SetDeadline(at time.Time) error { return b.SetReadDeadline(at) }

func (b *buffered) Close() error {
	b.once.Do(func() {
		_ = b.SetReadDeadline(time.Now())
		_ = b.Conn.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
		close(b.ended)
	})
	return nil
}
