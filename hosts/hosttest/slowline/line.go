// Package slowline makes streams as slow, distant and lossy as lines are that tests cannot have: netem is not
// in every kernel. It goes by the clock of time, so that tests may bring their own.
package slowline

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// Line is one direction of a line. Several streams may share it, as hosts behind one uplink do.
type Line struct {
	// Delay is how long a byte is on its way, however little there is.
	Delay time.Duration
	// Rate is how many bytes the line carries in a second; 0: any number.
	Rate int64
	// Loss is the share of packets that are lost. A stream over TCP loses nothing by it: what comes behind
	// stands still until the packet has come once more, a round trip later.
	Loss float64
	// Queue is how many packets of one stream wait for their turn before its writer has to; if 0, the 4 MiB's
	// worth that kernels let a connection's buffers grow to.
	Queue int

	mu     sync.Mutex
	free   time.Time // when the line has carried all that waits
	chance *rand.Rand
	moved  int64
}

const (
	packet       = 1448 // bytes of TCP in a packet of 1500
	usualQueue   = 4 << 20 / packet
	mostInAPiece = 16 * packet
)

// Moved is how many bytes the line has taken.
func (l *Line) Moved() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.moved
}

// schedule gives when a piece has come, if it is given to the line now.
func (l *Line) schedule(size int) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.chance == nil {
		l.chance = rand.New(rand.NewPCG(1, 1)) // the same losses each time
	}
	now := time.Now()
	if l.free.Before(now) {
		l.free = now
	}
	if l.Rate > 0 {
		l.free = l.free.Add(time.Duration(float64(size) / float64(l.Rate) * float64(time.Second)))
	}
	l.moved += int64(size)
	comes := l.free.Add(l.Delay)
	for range (size + packet - 1) / packet {
		if l.Loss > 0 && l.chance.Float64() < l.Loss {
			comes = comes.Add(2 * l.Delay)
		}
	}
	return comes
}

type piece struct {
	data  []byte
	comes time.Time
}

// Copy carries a stream until its end or an error, and is then done. What is on its way when the source ends
// still arrives.
func (l *Line) Copy(to io.Writer, from io.Reader) error {
	queue := l.Queue
	if queue <= 0 {
		queue = usualQueue
	}
	pieces := make(chan piece, queue)
	failed := make(chan error, 1)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		var last time.Time
		for one := range pieces {
			if one.comes.Before(last) {
				one.comes = last // nothing overtakes
			}
			last = one.comes
			time.Sleep(time.Until(one.comes))
			if _, err := to.Write(one.data); err != nil {
				failed <- err
				return
			}
		}
		failed <- nil
	}()
	err := l.take(from, pieces, gone)
	close(pieces)
	return errors.Join(err, <-failed)
}

// take gives the line what comes, until the end, or until nobody takes it at the other end.
func (l *Line) take(from io.Reader, pieces chan<- piece, gone <-chan struct{}) error {
	buffer := make([]byte, mostInAPiece)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			one := piece{append([]byte(nil), buffer[:n]...), l.schedule(n)}
			select {
			case pieces <- one:
			case <-gone:
				return nil
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// Between is a connection to whoever has far, over a line in each direction.
func Between(far net.Conn, out, back *Line) net.Conn {
	near, end := net.Pipe()
	go func() {
		_ = out.Copy(far, end)
		_ = far.Close()
		_ = end.Close()
	}()
	go func() {
		_ = back.Copy(end, far)
		_ = end.Close()
		_ = far.Close()
	}()
	return near
}
