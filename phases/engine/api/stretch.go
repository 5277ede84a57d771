package api

import (
	"context"
	"sync"
	"time"
)

// A try that is bounded as suits hosts nearby would never end well where each word takes a second to the
// host and back: there a connection alone takes three round trips, its first answer a fourth, and one that is in
// use while content is sent to the host waits behind that. How far a host is shows in how long it takes to dial
// there: so much longer tries have.
const (
	// roundTrips is how many a try may need.
	roundTrips = 10
	// mostStretch bounds what they add.
	mostStretch = 30 * time.Second
)

// stretched is a context that ends by its deadline, which moves on when the way turns out to be long.
type stretched struct {
	context.Context
	done chan struct{}

	mu  sync.Mutex
	err error
}

// withinReach bounds a try by so long, and for each round trip longer that dialing has taken.
func withinReach(ctx context.Context, bound time.Duration, trip func() time.Duration) (context.Context, context.CancelFunc) {
	s := &stretched{Context: ctx, done: make(chan struct{})}
	began := time.Now()
	var late *time.Timer
	s.mu.Lock() // a short bound may be over before the timer has its name
	late = time.AfterFunc(bound, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if left := bound + min(mostStretch, roundTrips*trip()) - time.Since(began); left > 0 && s.err == nil {
			late.Reset(left)
			return
		}
		s.end(context.DeadlineExceeded)
	})
	s.mu.Unlock()
	ended := func(err error) {
		late.Stop()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.end(err)
	}
	forget := context.AfterFunc(ctx, func() { ended(ctx.Err()) })
	return s, func() { forget(); ended(context.Canceled) }
}

// end notes why it is over; the caller holds the lock.
func (s *stretched) end(err error) {
	if s.err == nil {
		s.err = err
		close(s.done)
	}
}

// Deadline is not known: it moves.
func (s *stretched) Deadline() (time.Time, bool) { return time.Time{}, false }

func (s *stretched) Done() <-chan struct{} { return s.done }

func (s *stretched) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}
