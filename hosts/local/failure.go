//go:build linux

package local

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/slipway-k8s/slipway/hosts"
)

// failure wraps an error as the Host interface promises: with the deed and, where a
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

// explain is failure for an action; a full disk is told with what is free.
func (h *Host) explain(action hosts.Action, err error) error {
	e := failure(describe(action), err)
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

// describe says an action's deed and object, for errors and journals.
func describe(action hosts.Action) string {
	switch a := action.(type) {
	case hosts.WriteFile:
		return "write " + a.Path
	case hosts.MakeDirectory:
		return "make directory " + a.Path
	case hosts.MakeSymlink:
		return "link " + a.Path
	case hosts.RemovePath:
		return "remove " + a.Path
	case hosts.Unpack:
		return "unpack " + a.Set
	case hosts.SetUnit:
		return "set unit " + a.Name
	case hosts.StopUnits:
		return "stop " + strings.Join(a.Names, ", ")
	case hosts.LoadImage:
		return "load image " + a.Reference
	case hosts.SetSysctl:
		return "set " + a.Key
	case hosts.LoadModule:
		return "load kernel module " + a.Name
	case hosts.DisableSwap:
		return "turn swap off"
	case hosts.SetHostname:
		return "set the host name to " + a.Name
	case hosts.AddHostsEntry:
		return "add " + a.Address + " to /etc/hosts"
	case hosts.TakeLease:
		return "take the lease"
	case hosts.ReleaseLease:
		return "give the lease back"
	case hosts.Claim:
		return "claim the host for cluster " + a.Cluster.Name
	case hosts.StopPods:
		if len(a.Only) > 0 {
			return "stop Pods " + strings.Join(a.Only, ", ")
		}
		return "stop all Pods"
	case hosts.Unmount:
		return "unmount all below " + a.Below
	case hosts.RemoveNetwork:
		return "remove network leftovers"
	case hosts.Restore:
		return "restore " + a.Setting
	case hosts.TidyStore:
		return "tidy the store"
	case hosts.Forget:
		return "forget the host"
	default:
		return action.Kind()
	}
}
