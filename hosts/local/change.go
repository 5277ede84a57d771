//go:build linux

package local

import (
	"context"
	"sync"

	"github.com/slipway-k8s/slipway/hosts"
)

// change is what an action has found to do.
type change struct {
	action hosts.Action
	detail string
	// note writes into the record what Slipway is about to own, or what a setting was;
	// it is synced before act runs. nil: the record says enough.
	note func(*hosts.Record)
	act  func(ctx context.Context) error
	// settle drops from the record what act has made untrue.
	settle func(*hosts.Record)
	// finish removes what is needed only until settle has changed the record: after a crash in
	// between, something of no use is left. May be nil.
	finish func() error
}

var unchanged = hosts.Outcome{Result: hosts.Unchanged}

// apply carries out a change, unless another operator has the lease. The journal notes begin and
// end, the record is synced first.
func (h *Host) apply(ctx context.Context, c change) (hosts.Outcome, error) {
	release, err := h.lease.enter()
	if err != nil {
		return hosts.Outcome{}, err
	}
	defer release()
	if err := ctx.Err(); err != nil {
		return hosts.Outcome{}, err
	}
	entry, err := h.journal.begin(c.action, c.detail)
	if err != nil {
		return hosts.Outcome{}, err
	}
	err = h.carryOut(ctx, c)
	if endErr := h.journal.end(entry, err); err == nil {
		err = endErr
	}
	if err != nil {
		return hosts.Outcome{}, err
	}
	return hosts.Outcome{Result: hosts.Changed, Detail: c.detail}, nil
}

func (h *Host) carryOut(ctx context.Context, c change) error {
	if c.note != nil {
		if err := h.record.update(c.note); err != nil {
			return err
		}
	}
	if err := c.act(ctx); err != nil {
		return err
	}
	if c.settle != nil {
		if err := h.record.update(c.settle); err != nil {
			return err
		}
	}
	if c.finish != nil {
		return c.finish()
	}
	return nil
}

// keyedLocks are mutexes by name.
type keyedLocks struct{ locks sync.Map }

// lock takes the mutex of a name and returns what gives it back.
func (k *keyedLocks) lock(name string) (unlock func()) {
	value, _ := k.locks.LoadOrStore(name, new(sync.Mutex))
	mu := value.(*sync.Mutex)
	mu.Lock()
	return mu.Unlock
}
