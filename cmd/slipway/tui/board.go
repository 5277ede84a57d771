package tui

import (
	"bytes"
	"context"
	"os"
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
	file    string
	data    []byte // what was in the file when it was opened
	stop    context.CancelFunc
}

// open watches a cluster until the board is closed.
func (b *board) open(s *shared, file string) {
	ctx, cancel := context.WithCancel(s.ctx)
	notes := &notifier{send: s.send}
	b.stop, b.file = cancel, file
	b.data, _ = os.ReadFile(file) // before the session does: what comes between is seen as a change
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

// stale tells whether it shows another file than there is now, or nothing any more. A file that cannot be read just
// now, since somebody writes it, is no other.
func (b *board) stale() bool {
	b.mu.Lock()
	ended := b.ended
	b.mu.Unlock()
	now, err := os.ReadFile(b.file)
	return ended || err == nil && !bytes.Equal(now, b.data)
}

// refresh looks at once.
func (b *board) refresh() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.session != nil {
		b.session.Refresh()
	}
}

// close ends the watch; it does not wait for hosts that do not answer. It may be called again.
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
