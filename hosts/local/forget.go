//go:build linux

package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
)

// forget removes Slipway's own directories, once the rest of what the record names is gone.
func (h *Host) forget(ctx context.Context, a hosts.Forget, report func(hosts.Progress)) (hosts.Outcome, error) {
	record, err := h.record.read()
	if err != nil {
		return hosts.Outcome{}, err
	}
	left, err := h.stillThere(ctx, record)
	if err != nil {
		return hosts.Outcome{}, err
	}
	if len(left) > 0 {
		return hosts.Outcome{}, &hosts.Error{
			Kind: hosts.KindBroken,
			Err:  fmt.Errorf("the record still names what is there: %s", strings.Join(left, ", ")),
			Fix:  "remove these and run the same command again",
		}
	}
	stateDir, err := lstat(h.at(h.stateDir))
	if err != nil {
		return hosts.Outcome{}, err
	}
	if stateDir == nil {
		return unchanged, nil
	}
	h.store.using.Lock()
	defer h.store.using.Unlock()
	return h.apply(ctx, change{
		action: a,
		detail: "store, agent, record and journal",
		act: func(ctx context.Context) error {
			h.digests.drop()
			if record != nil && len(record.Units) > 0 {
				if err := h.readUnits(ctx); err != nil {
					return err
				}
			}
			return h.removeOwnDirectories(ctx, counting(report))
		},
	})
}

// removeOwnDirectories removes the record last: until then a reset can be repeated.
func (h *Host) removeOwnDirectories(ctx context.Context, gone func()) error {
	entries, err := os.ReadDir(h.at(h.stateDir))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.Name() == filepath.Base(h.record.path) {
			continue
		}
		if err := removeAll(ctx, h.state(entry.Name()), gone); err != nil {
			return err
		}
	}
	if err := removeAll(ctx, h.at(h.runDir), gone); err != nil {
		return err
	}
	parent, err := openFolder(filepath.Dir(h.at(h.stateDir)))
	if err != nil {
		return err
	}
	defer parent.Close()
	return errors.Join(removeTree(ctx, parent, filepath.Base(h.stateDir), gone), parent.sync())
}

// stillThere lists what the record names and the host has.
func (h *Host) stillThere(ctx context.Context, record *hosts.Record) ([]string, error) {
	if record == nil {
		return nil, nil
	}
	var left []string
	for _, owned := range record.Paths {
		if h.isOwnDirectory(owned.Path) {
			continue
		}
		info, err := lstat(h.at(owned.Path))
		if err != nil {
			return nil, err
		}
		if info != nil && !h.holdsOthers(owned, info) {
			left = append(left, owned.Path)
		}
	}
	for _, name := range record.Units {
		state, err := h.unitIfAny(ctx, name)
		if err != nil {
			return nil, err
		}
		if state.Active == "active" || state.Active == "activating" || state.Enabled == "enabled" {
			left = append(left, name)
		}
	}
	images, err := h.images(ctx, record.Images)
	if err != nil {
		return nil, err
	}
	for reference := range images {
		left = append(left, "image "+reference)
	}
	for _, prior := range record.Priors {
		left = append(left, "what "+prior.Setting+" was")
	}
	return left, nil
}

// holdsOthers tells whether a directory that Slipway made has something in it: what of that
// is Slipway's is named by itself, the rest is somebody else's, and the directory with it.
func (h *Host) holdsOthers(owned hosts.Owned, info os.FileInfo) bool {
	if owned.Type == hosts.TypeSymlink && typeOf(info) != hosts.TypeSymlink {
		return true // somebody put a thing of their own in its place
	}
	if owned.Type == hosts.TypeDirectory && typeOf(info) == hosts.TypeSymlink {
		return true // somebody moved it away and left a link
	}
	if owned.Type != hosts.TypeDirectory || !info.IsDir() {
		return false
	}
	entries, err := os.ReadDir(h.at(owned.Path))
	return err == nil && len(entries) > 0
}

// isOwnDirectory tells whether a path is Slipway's state or run directory, or in it.
func (h *Host) isOwnDirectory(path string) bool {
	for _, dir := range []string{h.stateDir, h.runDir} {
		if path == dir || strings.HasPrefix(path, dir+"/") {
			return true
		}
	}
	return false
}
