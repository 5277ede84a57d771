package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

var (
	errSilent = errors.New("no sign of life")
	errDeaf   = errors.New("the other end takes in nothing more")
	errClosed = errors.New("the session is closed")
)

// session is what both ends are made of: it reads frames and hands them on, writes those
// that are queued, pings, and notices when the other end is gone.
type session struct {
	in     *frameReader
	life   Life
	handle func(frame) error
	// explain may put why the session ended into better words.
	explain func(error) error
	closing atomic.Bool // an end of the stream is expected

	queue   chan []byte
	flushed chan struct{} // closed once the queue's last frame has been written
	written chan struct{} // closed to let the writer finish its queue and stop
	finish  sync.Once

	ended  chan struct{} // closed when nothing more will be read
	mute   chan struct{} // closed when nothing more can be written
	mutex  sync.Mutex
	ending bool  // somebody is about to say why
	cause  error // why it ended
	muted  bool

	heard   atomic.Int64 // when a byte last came, in nanoseconds since start
	start   time.Time
	streams streams
}

func newSession(in io.Reader, maxFrame int, life Life) *session {
	s := &session{
		life:    life.withDefaults(),
		queue:   make(chan []byte, queueLength),
		flushed: make(chan struct{}),
		written: make(chan struct{}),
		ended:   make(chan struct{}),
		mute:    make(chan struct{}),
		start:   time.Now(),
	}
	s.in = newFrameReader(&heardReader{in: in, session: s}, maxFrame)
	s.streams.session = s
	return s
}

// heardReader notes when the other end was last heard: also in the middle of a frame.
type heardReader struct {
	in      io.Reader
	session *session
}

func (r *heardReader) Read(p []byte) (int, error) {
	n, err := r.in.Read(p)
	if n > 0 {
		r.session.heard.Store(int64(time.Since(r.session.start)))
	}
	return n, err
}

// read hands frames to handle until the stream or the session ends.
func (s *session) read() {
	defer s.in.giveBack()
	for {
		f, err := s.in.read()
		if err == nil {
			err = s.dispatch(f)
		}
		if err != nil {
			s.end(err)
			return
		}
		select {
		case <-s.ended:
			return
		default:
		}
	}
}

func (s *session) dispatch(f frame) error {
	switch f.Kind {
	case kindPing:
		return nil
	case kindBye:
		body, err := decodeBody[byeBody](f)
		if err != nil {
			return err
		}
		return decodeError(body.Error)
	case kindData, kindWindow, kindEOF, kindClose:
		return s.streams.handle(f)
	default:
		return s.handle(f)
	}
}

// end notes why the session is over; the first reason stands.
func (s *session) end(cause error) {
	s.mutex.Lock()
	first := !s.ending
	s.ending = true
	s.mutex.Unlock()
	if !first {
		return
	}
	if s.explain != nil && !s.closing.Load() {
		cause = s.explain(cause)
	}
	s.mutex.Lock()
	s.cause = cause
	s.mutex.Unlock()
	var breach *protocolError
	if errors.As(cause, &breach) {
		if f, err := encodeBody(kindBye, 0, byeBody{Error: encodeError(cause)}); err == nil {
			s.try(f) // before ended, after which the last frame goes out
		}
	}
	s.streams.end(cause)
	if errors.Is(cause, errSilent) {
		s.silence()
	}
	close(s.ended)
}

// silence stops all writing: what is queued is dropped.
func (s *session) silence() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if !s.muted {
		s.muted = true
		close(s.mute)
	}
}

// why tells why the session ended, once it has.
func (s *session) why() error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.cause
}

// send queues a frame; it waits while the queue is full.
func (s *session) send(ctx context.Context, f frame) error {
	line, err := encodeFrame(f)
	if err != nil {
		return err
	}
	select {
	case <-s.mute:
		return errClosed
	default:
	}
	select {
	case s.queue <- line:
		return nil
	case <-s.mute:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// try queues a frame if there is room and forgets it if not: for pings and progress,
// which nobody may wait for.
func (s *session) try(f frame) {
	line, err := encodeFrame(f)
	if err != nil {
		return
	}
	select {
	case <-s.mute:
	case s.queue <- line:
	default:
	}
}

// write writes what is queued until finishWriting is called and the queue is empty.
func (s *session) write(out io.Writer) {
	defer close(s.flushed)
	for {
		select {
		case line := <-s.queue:
			if !s.writeLine(out, line) {
				return
			}
		case <-s.mute:
			return
		case <-s.written:
			s.drain(out)
			return
		}
	}
}

func (s *session) drain(out io.Writer) {
	for {
		select {
		case line := <-s.queue:
			if !s.writeLine(out, line) {
				return
			}
		default:
			return
		}
	}
}

// deafness times the allowed silence is how long the other end may take to take one frame
// in: the longest are megabytes, and lines are slow.
const deafness = 4

func (s *session) writeLine(out io.Writer, line []byte) bool {
	giveUp := time.AfterFunc(deafness*s.life.Silence, func() {
		s.end(errDeaf)
		s.silence()
	})
	defer giveUp.Stop()
	if _, err := out.Write(line); err != nil {
		s.end(fmt.Errorf("write to the other end: %w", err))
		s.silence()
		return false
	}
	return true
}

// finishWriting lets what is queued out, for as long as the other end can be thought to
// read; nothing is written after it.
func (s *session) finishWriting() {
	s.finish.Do(func() { close(s.written) })
	timeout := time.NewTimer(s.life.Silence)
	defer timeout.Stop()
	select {
	case <-s.flushed:
	case <-s.mute:
	case <-timeout.C:
	}
	s.silence()
}

// beat pings, and ends the session when the other end is silent for too long. It runs
// until stop is closed.
func (s *session) beat(stop <-chan struct{}) {
	ticker := time.NewTicker(s.life.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
		}
		s.try(frame{Kind: kindPing})
		silent := time.Since(s.start) - time.Duration(s.heard.Load())
		if silent > s.life.Silence {
			s.end(errSilent)
		}
	}
}
