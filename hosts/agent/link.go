package agent

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

var (
	errSilent = errors.New("no sign of life")
	errDeaf   = errors.New("the other end takes in nothing more")
	errClosed = errors.New("the session is closed")
	// errGivenUp is why HTTP/2 itself ends a connection.
	errGivenUp = breach("the other end answers no ping, or what it sends is no HTTP/2")
)

// link makes a connection out of two streams. It notes when the other end was last heard, and
// ends where that is too long ago: any byte counts, for what was asked may stand behind much
// else on a slow line.
type link struct {
	in      io.Reader
	out     io.Writer
	life    Life
	explain func(error) error // may put why it ended into better words
	release func()            // frees whoever reads or writes the streams

	farewell time.Duration // how long the other end may take to say why it ends

	reader chan struct{} // whose Read it is
	turn   chan struct{} // whose Write it is
	sealed chan struct{} // closed once nothing more is written

	closing atomic.Bool // this side has said its last: the end is that of what still comes
	began   time.Time
	heard   atomic.Int64 // when a byte last came, in nanoseconds since it began
	once    sync.Once
	ended   chan struct{}
	cause   error // why, once it has ended
}

func newLink(in io.Reader, out io.Writer, life Life) *link {
	return &link{
		in: in, out: out, life: life.withDefaults(), began: time.Now(), ended: make(chan struct{}),
		reader: make(chan struct{}, 1), turn: make(chan struct{}, 1), sealed: make(chan struct{}),
		explain: func(err error) error { return err }, release: func() {},
	}
}

// drain reads to the end, which ends the link, also where HTTP/2 has given up reading.
func (l *link) drain() { _, _ = io.Copy(io.Discard, struct{ io.Reader }{l}) }

// watch ends the link when the other end has been silent for too long.
func (l *link) watch() {
	ticker := time.NewTicker(l.life.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-l.ended:
			return
		case <-ticker.C:
		}
		if time.Since(l.began)-time.Duration(l.heard.Load()) > l.life.Silence {
			l.end(errSilent)
		}
	}
}

// end notes why the link is over; the first reason stands.
func (l *link) end(cause error) {
	l.once.Do(func() {
		l.cause = l.explain(cause)
		close(l.ended)
		l.release()
	})
}

func (l *link) over() bool {
	select {
	case <-l.ended:
		return true
	default:
		return false
	}
}

func (l *link) Read(p []byte) (int, error) {
	l.reader <- struct{}{}
	defer func() { <-l.reader }()
	if l.over() {
		return 0, errClosed // the streams are the caller's again
	}
	n, err := l.in.Read(p)
	if n > 0 {
		l.heard.Store(int64(time.Since(l.began)))
	}
	if err != nil {
		l.end(err)
	}
	return n, err
}

func (l *link) Write(p []byte) (int, error) {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-l.sealed:
		return 0, errClosed
	}
	deaf := time.AfterFunc(deafness*l.life.Silence, func() { l.end(errDeaf) })
	defer deaf.Stop()
	n, err := l.out.Write(p)
	if err != nil && !l.closing.Load() {
		l.end(fmt.Errorf("write to the other end: %w", err))
	}
	return n, err
}

// seal has nothing more written from now on: HTTP/2 writes in goroutines of its own, and the streams
// are the caller's again. A Write in hand ends first, or is left to a stream that takes nothing in.
func (l *link) seal() {
	patience := l.life.Silence
	if l.over() {
		patience = min(patience, sealPatience)
	}
	bound := time.NewTimer(patience)
	defer bound.Stop()
	select {
	case l.turn <- struct{}{}:
	case <-bound.C:
	}
	close(l.sealed)
}

// Close is HTTP/2's.
func (l *link) Close() error {
	if !l.closing.Load() {
		time.AfterFunc(l.farewell, func() { l.end(errGivenUp) })
	}
	return nil
}

func (l *link) LocalAddr() net.Addr  { return addr{"stream", "here"} }
func (l *link) RemoteAddr() net.Addr { return addr{"stream", "there"} }

// Deadlines are not for two streams: watch bounds a Read, and Write itself.
func (l *link) SetDeadline(time.Time) error      { return nil }
func (l *link) SetReadDeadline(time.Time) error  { return nil }
func (l *link) SetWriteDeadline(time.Time) error { return nil }

// addr is the address of one end of a connection.
type addr struct{ network, address string }

func (a addr) Network() string { return a.network }
func (a addr) String() string  { return a.address }

// oneLink is a listener that gives one link, and then waits for its end.
type oneLink struct {
	*link
	given atomic.Bool
}

func (l *oneLink) Accept() (net.Conn, error) {
	if l.given.CompareAndSwap(false, true) {
		return l.link, nil
	}
	<-l.ended
	return nil, net.ErrClosed
}

func (l *oneLink) Addr() net.Addr { return l.LocalAddr() }

// Close is the server's, which closes what it was given by itself.
func (l *oneLink) Close() error { return nil }

const (
	// farewell is how long the agent's end may take once it has announced it: net/http takes a
	// second or two. The operator's end of HTTP/2 closes before that, and would not know why.
	farewell = 2 * time.Second
	// endPatience is how long HTTP/2 may take to end the link after it has failed the streams.
	endPatience = farewell + time.Second
	// sealPatience is how long a Write in hand may take where nobody hears it any more.
	sealPatience = time.Second
)

// streamError is net/http's error of one stream, which has an As for types with these fields.
type streamError struct {
	StreamID, Code uint32
	Cause          error
}

func (streamError) Error() string { return "the stream was broken off" }

// behind is why the link ended where that is why a stream has failed with err, and else err.
func (l *link) behind(err error) error {
	if own := (streamError{}); (errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &own)) && !l.over() {
		return err // the stream's own: an end of the link would be known
	}
	bound := time.NewTimer(endPatience)
	defer bound.Stop()
	select {
	case <-l.ended:
		return l.cause
	case <-bound.C:
		return err
	}
}

// why tells why the link ended, once it has.
func (l *link) why() error {
	<-l.ended
	return l.cause
}
