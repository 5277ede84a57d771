package ssh

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

const (
	// filePatience is how long SFTP may take to open, and for what carries no content.
	filePatience = 30 * time.Second
	// sendPatience is how long what is sent may stand still: a disk may be busy syncing.
	sendPatience = 2 * time.Minute
	// cancelPatience is how long what was cancelled may take to end in good order.
	cancelPatience = time.Second
	// closePatience is how long a host may take to let go of what was put there: nobody
	// waits for its sake longer than that.
	closePatience = 5 * time.Second
)

// oversee bounds what knows no deadlines of its own, as SFTP does: once it has stood still
// for patience, or a moment after ctx is done, the connection is closed, which frees
// whoever waits for it. moved tells that it does not stand still; end must be called with
// its error, and gives a better one where it was given up.
func (c *connection) oversee(ctx context.Context, patience time.Duration) (moved func(), end func(op string, err error) error) {
	var stuck atomic.Bool
	giveUp := time.AfterFunc(patience, func() {
		stuck.Store(true)
		_ = c.Close()
	})
	over := make(chan struct{})
	go func() {
		select {
		case <-over:
			return
		case <-ctx.Done():
		}
		grace := time.NewTimer(cancelPatience)
		defer grace.Stop()
		select {
		case <-over:
		case <-grace.C:
			_ = c.Close()
		}
	}()
	end = func(op string, err error) error {
		close(over)
		giveUp.Stop()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("%s: %w", op, ctx.Err())
		case stuck.Load():
			return &hosts.Error{
				Kind: hosts.KindStuck, Op: op, Err: fmt.Errorf("nothing moved for %s", patience),
				Fix: "see what the host waits for: a disk or a network file system that does not answer (dmesg | tail; df)",
			}
		}
		return err
	}
	return func() { giveUp.Reset(patience) }, end
}

// within is oversee for work that is short.
func (c *connection) within(ctx context.Context, patience time.Duration, op string, work func() error) error {
	_, end := c.oversee(ctx, patience)
	return end(op, work())
}
