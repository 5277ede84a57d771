package agent

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// conn is a connection that was made from the host. Its bytes go through two pipes in this
// process, one for each direction, which keep its deadlines, and then with a call.
type conn struct {
	address addr
	in, out net.Conn // this side's ends of the pipes
	sent    *sending
	hangUp  func()

	mutex  sync.Mutex
	closed bool
	lost   error // why no more comes, where that is not the other side's end
}

// sending is the side of a pipe that a call reads from.
type sending struct {
	net.Conn
	once sync.Once
	all  chan struct{} // closed once all has been read and sent, or nothing more is
}

func (s *sending) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	if errors.Is(err, io.EOF) {
		s.end() // it is read again only when what came before is sent
	}
	return n, err
}

func (s *sending) Close() error {
	s.end()
	return s.Conn.Close()
}

func (s *sending) end() { s.once.Do(func() { close(s.all) }) }

// Dial connects from the agent's host.
func (c *Client) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	op := "connect to " + address
	if err := c.takeStream(op); err != nil {
		return nil, err
	}
	out, far := net.Pipe()
	sent := &sending{Conn: far, all: make(chan struct{})}
	a, hangUp, err := c.call(ctx, request{
		op: op, path: pathDial, body: dialBody{Network: network, Address: address}, stream: sent, patience: dialPatience,
	})
	if err != nil {
		_ = out.Close()
		<-c.streams
		return nil, err
	}
	in, received := net.Pipe()
	made := &conn{address: addr{network, address}, in: in, out: out, sent: sent, hangUp: hangUp}
	go func() {
		defer func() { <-c.streams }()
		_, err := io.Copy(received, a.rest)
		if made.isClosed() { // until Close hangs up: what was written may still be on its way
			_, _ = io.Copy(io.Discard, a.rest)
		} else if err != nil {
			made.fail(lost("carry a connection to "+address, c.link.behind(err)))
		}
		hangUp()
		_ = received.Close()
	}()
	return made, nil
}

// takeStream takes a place among the connections that may be open.
func (c *Client) takeStream(op string) error {
	select {
	case c.streams <- struct{}{}:
		return nil
	default:
		return errors.New(op + ": too many connections are open")
	}
}

func (c *conn) isClosed() bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.closed
}

func (c *conn) fail(err error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.lost = err
}

// really is the error behind a pipe's.
func (c *conn) really(err error) error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	switch {
	case c.closed && errors.Is(err, io.ErrClosedPipe):
		return net.ErrClosed
	case c.lost != nil && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe)):
		return c.lost
	}
	return err
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	return n, c.really(err)
}

func (c *conn) Write(p []byte) (int, error) {
	n, err := c.out.Write(p)
	return n, c.really(err)
}

// CloseWrite tells the other side that no more will be written.
func (c *conn) CloseWrite() error { return c.out.Close() }

// Close gives the connection up; what was written before still arrives.
func (c *conn) Close() error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	c.closed = true
	go func() {
		bound := time.NewTimer(lingering)
		defer bound.Stop()
		select {
		case <-c.sent.all:
		case <-bound.C:
		}
		c.hangUp()
	}()
	return errors.Join(c.out.Close(), c.in.Close())
}

func (c *conn) LocalAddr() net.Addr  { return addr{c.address.network, "agent"} }
func (c *conn) RemoteAddr() net.Addr { return c.address }

func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *conn) SetReadDeadline(t time.Time) error  { return c.in.SetReadDeadline(t) }
func (c *conn) SetWriteDeadline(t time.Time) error { return c.out.SetWriteDeadline(t) }
