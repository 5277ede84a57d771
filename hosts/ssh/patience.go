package ssh

import (
	"context"
	"errors"
	"sync"
	"time"
)

// patience is a context that ends after a time in which only the host's own share counts: not what is waited
// for the operator, for another host's turn or for a jump host.
type patience struct {
	context.Context
	cancel context.CancelCauseFunc

	mutex  sync.Mutex
	left   time.Duration
	since  time.Time
	timer  *time.Timer
	paused int
	added  time.Duration // to what there was in the beginning
}

func newPatience(ctx context.Context, left time.Duration) *patience {
	p := &patience{left: left, since: time.Now()}
	p.Context, p.cancel = context.WithCancelCause(ctx)
	p.timer = time.AfterFunc(left, p.over)
	return p
}

func (p *patience) over() { p.cancel(context.DeadlineExceeded) }

// pause stops the clock until resume is called.
func (p *patience) pause() (resume func()) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.paused++; p.paused == 1 {
		p.timer.Stop()
		p.left -= time.Since(p.since)
	}
	return sync.OnceFunc(func() {
		p.mutex.Lock()
		defer p.mutex.Unlock()
		if p.paused--; p.paused == 0 {
			p.since = time.Now()
			p.timer = time.AfterFunc(max(p.left, 0), p.over)
		}
	})
}

// atLeast has this much time be left from now on.
func (p *patience) atLeast(left time.Duration) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	still := p.left
	if p.paused == 0 {
		still -= time.Since(p.since)
	}
	if still >= left || p.Context.Err() != nil {
		return
	}
	p.added += left - still
	p.left += left - still
	if p.paused == 0 && p.timer.Stop() {
		p.timer = time.AfterFunc(left, p.over)
	}
}

// end ends the context, and tells what is left of the time.
func (p *patience) end() time.Duration {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.timer.Stop()
	p.cancel(context.Canceled)
	if p.paused == 0 {
		p.left -= time.Since(p.since)
		p.paused++ // for good
	}
	return p.left
}

// Err is context.DeadlineExceeded once the time is over.
func (p *patience) Err() error {
	if p.Context.Err() == nil {
		return nil
	}
	if cause := context.Cause(p.Context); errors.Is(cause, context.DeadlineExceeded) {
		return context.DeadlineExceeded
	}
	return p.Context.Err()
}
