package tui

import (
	"context"
	"sync"

	"github.com/slipway-k8s/slipway/workflow"
)

// board is what a cluster is like now, kept up by a session that watches it. What comes is kept here; the screens
// that show it draw it when they have the time to.
type board struct {
	mu      sync.Mutex
	picture *workflow.Picture
	session *workflow.Session
	err     error
	ended   bool
	stop    context.CancelFunc
}

// open watches a cluster until the board is closed.
func (b *board) open(s *shared, file string) {
	ctx, cancel := context.WithCancel(s.ctx)
	notes := &notifier{send: s.send}
	b.stop = cancel
	s.work.Go(func() {
		err := b.watch(ctx, s, file, notes)
		b.mu.Lock()
		b.err, b.ended = err, true
		b.mu.Unlock()
		notes.notify()
	})
}

func (b *board) watch(ctx context.Context, s *shared, file string, notes *notifier) error {
	session, err := s.options.Open(file, "", newJob(s.options, func() {}))
	if err != nil {
		return err
	}
	defer session.Close()
	b.mu.Lock()
	b.session = session
	b.mu.Unlock()
	return session.Watch(ctx, func(p workflow.Picture) {
		b.mu.Lock()
		b.picture = &p
		b.mu.Unlock()
		notes.notify()
	})
}

// close ends the watch; it does not wait for hosts that do not answer.
func (b *board) close() {
	if b.stop != nil {
		b.stop()
	}
}

// now is what was seen last; nil: nothing yet.
func (b *board) now() (*workflow.Picture, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.picture, b.err
}
