//go:build linux

package local

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"syscall"

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
	if err := h.relabel(ctx, c.action, relabelledBefore); err != nil {
		return err
	}
	err := c.act(ctx)
	// Also where it failed: the next run finds right what is in place, and leaves it alone.
	if labelErr := h.relabel(ctx, c.action, relabelledBy); labelErr != nil {
		err = errors.Join(err, labelErr)
	}
	if err != nil {
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

// failure wraps an error as the Host interface promises: with what was done and, where a
// caller can decide something by it, the kind.
func failure(op string, err error) *hosts.Error {
	var known *hosts.Error
	if errors.As(err, &known) {
		wrapped := *known
		wrapped.Err = err
		if err == error(known) {
			wrapped.Err = known.Err
		}
		wrapped.Op = op
		return &wrapped
	}
	kind := hosts.KindBroken
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		kind = hosts.KindDiskFull
	}
	return &hosts.Error{Kind: kind, Op: op, Err: err}
}

// explain is failure for an action; of a full disk it says how much is free.
func (h *Host) explain(action hosts.Action, err error) error {
	e := failure(hosts.Describe(action).Deed, err)
	if e.Kind == hosts.KindDiskFull && e.Fix == "" {
		e.Fix = h.freeSpaceHint(e.Err)
	}
	return e
}

// freeSpaceHint says how much is free where the error happened.
func (h *Host) freeSpaceHint(err error) string {
	path := h.at(h.stateDir)
	var at interface{ where() string }
	if errors.As(err, &at) {
		path = at.where()
	}
	free, size, statErr := space(path)
	if statErr != nil {
		return "free some space and run the same command again"
	}
	return fmt.Sprintf("%d MiB of %d MiB are free below %s: free some space there and run the same command again",
		free>>20, size>>20, filepath.Dir(path))
}
