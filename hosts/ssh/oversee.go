package ssh

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

const (
	// filePatience is how long SFTP may take to open, and for what carries no content.
	filePatience = 30 * time.Second
	// sendPatience is how long what is sent may stand still: a disk may be busy syncing.
	sendPatience = 2 * time.Minute
	// sendLeast is how much must go within sendPatience to count as moving: who takes a byte
	// now and then would keep a connection, and others' turn to send, for days.
	sendLeast = 512 << 10
	// slowDisk is what a disk writes in a second at the least.
	slowDisk = 5 << 20
	// cancelPatience is how long what was cancelled may take to end in good order.
	cancelPatience = time.Second
	// closePatience is how long a host may take to let go of what was put there: nobody
	// waits for its sake longer than that.
	closePatience = 5 * time.Second
)

// oversight bounds work that knows no deadlines of its own, as SFTP does: once it has stood
// still for the patience, or a moment after ctx is done, it cuts, which frees whoever waits.
// end must be called with the work's error, and gives a better one where it was given up.
type oversight struct {
	ctx  context.Context
	cut  func()
	over chan struct{}

	mu       sync.Mutex
	patience time.Duration
	giveUp   *time.Timer
	sent     int64 // bytes
	counted  int64 // of them, when the patience began anew
	ended    bool
	stuck    bool
}

// oversee begins to bound work over the connection, which it closes where it gives up.
func (c *connection) oversee(ctx context.Context, patience time.Duration) *oversight {
	return oversee(ctx, patience, func() { _ = c.Close() })
}

func oversee(ctx context.Context, patience time.Duration, cut func()) *oversight {
	o := &oversight{ctx: ctx, cut: cut, over: make(chan struct{}), patience: patience}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.giveUp = time.AfterFunc(patience, o.standsStill)
	go o.heed()
	return o
}

// standsStill is called when the patience is over.
func (o *oversight) standsStill() {
	o.mu.Lock()
	stuck := !o.ended
	o.stuck = stuck
	o.mu.Unlock()
	if stuck {
		o.cut()
	}
}

// heed cuts where the work does not end soon after ctx.
func (o *oversight) heed() {
	select {
	case <-o.over:
		return
	case <-o.ctx.Done():
	}
	grace := time.NewTimer(cancelPatience)
	defer grace.Stop()
	select {
	case <-o.over:
	case <-grace.C:
		o.cut()
	}
}

// moved notes that n bytes more were taken.
func (o *oversight) moved(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sent += int64(n)
	if o.ended || o.sent-o.counted < sendLeast {
		return
	}
	o.counted = o.sent
	o.giveUp.Reset(o.patience)
}

// allSent notes that all was sent. What the host does with it then, as to sync it to its
// disk, takes the longer the more it is, and tells nothing meanwhile.
func (o *oversight) allSent() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		return
	}
	o.patience += time.Duration(o.sent/slowDisk) * time.Second
	o.sent, o.counted = 0, 0
	o.giveUp.Reset(o.patience)
}

// end ends the oversight of work that ended with err.
func (o *oversight) end(op string, err error) error {
	close(o.over)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
	o.giveUp.Stop()
	switch {
	case err == nil:
		return nil
	case o.ctx.Err() != nil:
		return fmt.Errorf("%s: %w", op, o.ctx.Err())
	case o.stuck:
		return &hosts.Error{
			Kind: hosts.KindStuck, Op: op, Err: fmt.Errorf("nothing moved, or next to nothing, for %s", o.patience),
			Fix: "see what the host waits for: a disk or a network file system that does not answer (dmesg | tail; df)",
		}
	}
	return err
}

// within is oversee for work that is short.
func (c *connection) within(ctx context.Context, patience time.Duration, op string, work func() error) error {
	overseen := c.oversee(ctx, patience)
	return overseen.end(op, work())
}
