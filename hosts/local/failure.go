//go:build linux

package local

import (
	"errors"
	"fmt"
	"path/filepath"
	"syscall"

	"github.com/slipway-k8s/slipway/hosts"
)

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
