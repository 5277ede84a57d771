package agent

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// lingering is how long data that the operator sent before it hung up may take to be
// delivered.
const lingering = 5 * time.Second

// dial connects from this host and carries the connection over the stream of this id.
func (s *server) dial(ctx context.Context, id uint64, body dialBody) error {
	st := newStream(id, s.session, body.Network, body.Address)
	if err := s.streams.add(st); err != nil {
		return err
	}
	conn, err := s.host.Dial(ctx, body.Network, body.Address)
	if err != nil {
		s.streams.remove(id)
		return err
	}
	go relay(st, conn)
	return nil
}

// relay carries bytes both ways between a stream and a connection until both are done,
// or the operator has hung up.
func relay(st *stream, conn net.Conn) {
	var ways sync.WaitGroup
	ways.Add(2)
	go func() {
		defer ways.Done()
		if _, err := io.Copy(conn, st); err != nil {
			_ = conn.Close() // a connection that takes no more is over
			return
		}
		_ = closeWrite(conn) // to what it was told, the other end may still answer
	}()
	go func() {
		defer ways.Done()
		_, _ = io.Copy(st, conn) // an error is an end as well
		_ = st.CloseWrite()
	}()
	through := make(chan struct{})
	go func() {
		st.waitGone()
		select {
		case <-through:
		default:
			_ = conn.SetReadDeadline(time.Now())
			_ = conn.SetWriteDeadline(time.Now().Add(lingering))
		}
	}()
	ways.Wait()
	close(through)
	_ = conn.Close()
	_ = st.Close()
}

// closeWrite ends one direction of a connection that has two.
func closeWrite(conn net.Conn) error {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
