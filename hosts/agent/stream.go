package agent

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

const (
	streamWindow = 1 << 20  // bytes that may be under way to a reader that does not read
	streamChunk  = 32 << 10 // bytes in one frame
)

// stream is one connection carried in frames: a net.Conn whose other end is the same
// stream of the other session.
type stream struct {
	id      uint64
	session *session
	name    addr

	writing sync.Mutex // keeps the frames of one Write together and before the EOF's
	mutex   sync.Mutex
	changed sync.Cond // on mutex: anything below

	received [][]byte // what came and was not read
	buffered int      // its length
	consumed int      // what was read and not yet given back to the sender's window
	window   int      // what may be sent
	readEnd  error    // what Read answers once received is empty
	writeEnd error    // what Write answers
	gone     bool     // the other end wants nothing more
	closed   bool     // this end neither

	readDeadline, writeDeadline deadline
}

func newStream(id uint64, s *session, network, address string) *stream {
	st := &stream{id: id, session: s, name: addr{network, address}, window: streamWindow}
	st.changed.L = &st.mutex
	return st
}

func (s *stream) Read(p []byte) (int, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for {
		switch {
		case s.closed:
			return 0, net.ErrClosed
		case s.readDeadline.expired:
			return 0, os.ErrDeadlineExceeded
		case len(p) == 0:
			return 0, nil
		case s.buffered > 0:
			return s.take(p), nil
		case s.readEnd != nil:
			return 0, s.readEnd
		}
		s.changed.Wait()
	}
}

// take moves received bytes into p and lets the sender send as many again.
func (s *stream) take(p []byte) int {
	total := 0
	for len(s.received) > 0 && total < len(p) {
		n := copy(p[total:], s.received[0])
		total += n
		if s.received[0] = s.received[0][n:]; len(s.received[0]) == 0 {
			s.received[0] = nil
			s.received = s.received[1:]
		}
	}
	s.buffered -= total
	s.consumed += total
	if s.consumed < streamWindow/4 || s.readEnd != nil {
		return total
	}
	credit := frame{Kind: kindWindow, ID: s.id, N: s.consumed}
	s.consumed = 0
	s.mutex.Unlock()
	_ = s.session.send(context.Background(), credit) // a session that ended ends the stream, too
	s.mutex.Lock()
	return total
}

func (s *stream) Write(p []byte) (int, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	written := 0
	for written < len(p) {
		n, err := s.reserve(min(len(p)-written, streamChunk))
		if err != nil {
			return written, err
		}
		data := frame{Kind: kindData, ID: s.id, Data: p[written : written+n]}
		if err := s.session.send(context.Background(), data); err != nil {
			return written, lost("write to "+s.name.String(), err)
		}
		written += n
	}
	return written, nil
}

// reserve waits until some of n bytes may be sent.
func (s *stream) reserve(n int) (int, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for {
		switch {
		case s.closed:
			return 0, net.ErrClosed
		case s.writeEnd != nil:
			return 0, s.writeEnd
		case s.writeDeadline.expired:
			return 0, os.ErrDeadlineExceeded
		case s.window > 0:
			n = min(n, s.window)
			s.window -= n
			return n, nil
		}
		s.changed.Wait()
	}
}

// CloseWrite tells the other end that no more will be written.
func (s *stream) CloseWrite() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mutex.Lock()
	over := s.closed || s.writeEnd != nil
	if !over {
		s.writeEnd = syscall.EPIPE
		s.changed.Broadcast()
	}
	s.mutex.Unlock()
	if over {
		return nil
	}
	return s.session.send(context.Background(), frame{Kind: kindEOF, ID: s.id})
}

// Close gives the stream up; what was written before still arrives.
func (s *stream) Close() error {
	s.mutex.Lock()
	if s.closed {
		s.mutex.Unlock()
		return net.ErrClosed
	}
	s.closed = true
	s.received, s.buffered = nil, 0
	s.readDeadline.stop()
	s.writeDeadline.stop()
	s.changed.Broadcast()
	s.mutex.Unlock()
	s.writing.Lock() // a Write in hand goes first
	defer s.writing.Unlock()
	s.session.streams.remove(s.id)
	_ = s.session.send(context.Background(), frame{Kind: kindClose, ID: s.id}) // as above
	return nil
}

func (s *stream) LocalAddr() net.Addr  { return addr{s.name.network, "agent"} }
func (s *stream) RemoteAddr() net.Addr { return s.name }

func (s *stream) SetDeadline(t time.Time) error {
	return errors.Join(s.SetReadDeadline(t), s.SetWriteDeadline(t))
}

func (s *stream) SetReadDeadline(t time.Time) error  { return s.set(&s.readDeadline, t) }
func (s *stream) SetWriteDeadline(t time.Time) error { return s.set(&s.writeDeadline, t) }

func (s *stream) set(d *deadline, t time.Time) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	d.set(t, &s.changed)
	s.changed.Broadcast()
	return nil
}

// waitGone blocks until the other end or this one has given the stream up.
func (s *stream) waitGone() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for !s.gone && !s.closed {
		s.changed.Wait()
	}
}

// deadline is a point in time after which Read or Write answers at once. Its fields are
// guarded by the mutex of the Cond that it is set with.
type deadline struct {
	expired bool
	timer   *time.Timer
}

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}

func (d *deadline) set(t time.Time, changed *sync.Cond) {
	d.stop()
	d.expired = false
	if t.IsZero() {
		return
	}
	wait := time.Until(t)
	if wait <= 0 {
		d.expired = true
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(wait, func() {
		changed.L.Lock()
		defer changed.L.Unlock()
		if d.timer == timer { // not set anew meanwhile
			d.expired = true
			changed.Broadcast()
		}
	})
	d.timer = timer
}

// addr is the address of a stream's other end.
type addr struct{ network, address string }

func (a addr) Network() string { return a.network }
func (a addr) String() string  { return a.address }

// streams are the open streams of a session.
type streams struct {
	session *session
	mutex   sync.Mutex
	open    map[uint64]*stream
	highest uint64 // id ever used
	over    error
}

// add opens a stream at this end.
func (s *streams) add(st *stream) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	switch {
	case s.over != nil:
		return s.over
	case len(s.open) >= maxStreams:
		return errors.New("too many connections are open")
	case s.open == nil:
		s.open = map[uint64]*stream{}
	}
	s.open[st.id] = st
	s.highest = max(s.highest, st.id)
	return nil
}

// expect notes that a stream of this id is about to be opened: from now on a frame for it
// may come too early or too late, and is no breach.
func (s *streams) expect(id uint64) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.highest = max(s.highest, id)
}

func (s *streams) remove(id uint64) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	delete(s.open, id)
}

// handle takes a frame for a stream. One for a stream that this end has given up is
// late, and dropped; one for a stream that never was is a breach.
func (s *streams) handle(f frame) error {
	s.mutex.Lock()
	st, highest := s.open[f.ID], s.highest
	s.mutex.Unlock()
	switch {
	case st != nil:
		return st.handle(f)
	case f.ID == 0 || f.ID > highest:
		return breach("%s for stream %d, which was never opened", f.Kind, f.ID)
	default:
		return nil
	}
}

// end fails what is left when the session is over.
func (s *streams) end(cause error) {
	s.mutex.Lock()
	s.over = cause
	open := s.open
	s.open = nil
	s.mutex.Unlock()
	for _, st := range open {
		st.end(lost("carry a connection to "+st.name.String(), cause))
	}
}

func (s *stream) end(err error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.readEnd == nil {
		s.readEnd = err
	}
	s.writeEnd = err
	s.gone = true
	s.changed.Broadcast()
}

func (s *stream) handle(f frame) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	defer s.changed.Broadcast()
	switch f.Kind {
	case kindData:
		return s.receive(f.Data)
	case kindWindow:
		if f.N <= 0 || f.N > streamWindow-s.window {
			return breach("stream %d was given a window of %d bytes more", s.id, f.N)
		}
		s.window += f.N
	case kindEOF:
		if s.readEnd == nil {
			s.readEnd = io.EOF
		}
	case kindClose:
		if s.readEnd == nil {
			s.readEnd = io.EOF
		}
		s.writeEnd = syscall.EPIPE
		s.gone = true
	}
	return nil
}

func (s *stream) receive(data []byte) error {
	switch {
	case s.closed:
		return nil
	case s.readEnd != nil:
		return breach("data on stream %d after its end", s.id)
	case len(data) == 0:
		return breach("empty data on stream %d", s.id)
	case s.buffered+s.consumed+len(data) > streamWindow:
		return breach("more data on stream %d than its window", s.id)
	}
	s.received = append(s.received, data)
	s.buffered += len(data)
	return nil
}
