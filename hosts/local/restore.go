//go:build linux

package local

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
)

// restore puts one setting of the record back to what it was.
func (h *Host) restore(ctx context.Context, a hosts.Restore) (hosts.Outcome, error) {
	record, err := h.record.read()
	if err != nil {
		return hosts.Outcome{}, err
	}
	prior, ok := record.PriorOf(a.Setting)
	if !ok {
		return unchanged, nil // put back already, or never changed
	}
	kind, name, _ := strings.Cut(a.Setting, "/")
	back, ok := h.restorers()[kind]
	if !ok {
		return hosts.Outcome{}, fmt.Errorf("this version of Slipway knows no setting %q", a.Setting)
	}
	todo := change{
		action: a,
		detail: "to " + prior.Value,
		act:    func(ctx context.Context) error { return back(ctx, name, prior) },
		settle: func(r *hosts.Record) { r.ForgetPrior(a.Setting) },
	}
	if prior.Absent {
		todo.detail = "to nothing"
	}
	switch kind {
	case "file":
		todo.settle = both(todo.settle, disown(name, false))
		todo.finish = func() error { return h.dropBackup(name) }
	case "unit":
		todo.settle = both(todo.settle, func(r *hosts.Record) { r.ForgetUnit(name) }) // it is not Slipway's any more
	case "sysctl", "module", "hostname", "timezone":
		if why := h.changedSince(record, kind, name, prior); why != "" {
			todo.detail = "left alone: " + why
			todo.act = func(context.Context) error { return nil }
		}
	}
	return h.apply(ctx, todo)
}

// restorers are how each kind of setting is put back.
func (h *Host) restorers() map[string]func(ctx context.Context, name string, prior hosts.Prior) error {
	return map[string]func(context.Context, string, hosts.Prior) error{
		"sysctl":   h.restoreSysctl,
		"swap":     h.restoreSwap,
		"hostname": h.restoreHostname,
		"hosts":    func(_ context.Context, address string, _ hosts.Prior) error { return h.removeHostsEntry(address) },
		"module":   h.restoreModule,
		"unit":     h.restoreUnit,
		"file":     h.restoreFile,
		"firewall": h.restoreFirewall,
		"selinux":  h.restorePolicy,
		"timezone": h.restoreTimeZone,
		"ntp":      h.restoreNTP,
	}
}

func (h *Host) restoreSysctl(_ context.Context, key string, prior hosts.Prior) error {
	if have, err := h.readSysctl(key); err == nil && have == prior.Value {
		return nil
	}
	err := h.writeSysctl(key, prior.Value)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the module that brought it is gone, and it with it
	}
	return err
}

func (h *Host) restoreSwap(ctx context.Context, name string, prior hosts.Prior) error {
	if name == "fstab" {
		err := edit(h.at(fstabFile), enableFstabSwaps)
		if err != nil {
			return err
		}
		return h.readUnits(ctx)
	}
	var priority int
	if _, err := fmt.Sscanf(prior.Value, "on, priority %d", &priority); err != nil {
		return fmt.Errorf("the record's value %q is not understood: %w", prior.Value, err)
	}
	err := swapon(h.at(name), priority)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the device is gone
	}
	return err
}

func (h *Host) restoreHostname(_ context.Context, _ string, prior hosts.Prior) error {
	return h.nameHost(priorNames(prior))
}

// restoreModule takes a module out again; one in use stays until the next boot.
func (h *Host) restoreModule(_ context.Context, name string, _ hosts.Prior) error {
	if !h.exists("/proc/modules") {
		return nil // this kernel has no loadable modules
	}
	return unloadModule(name)
}

// restoreUnit brings a unit back to where it was; one that was not there and is gone with
// its file is only forgotten by systemd.
func (h *Host) restoreUnit(ctx context.Context, name string, prior hosts.Prior) error {
	if err := h.dropInputs(name); err != nil {
		return err
	}
	state, err := h.systemd.Unit(ctx, name)
	if err != nil {
		return err
	}
	enabled, active, _ := strings.Cut(prior.Value, " ")
	if state.Load == "masked" && enabled != "masked" {
		if err := h.systemd.Change(ctx, UnitUnmask, name); err != nil {
			return err
		}
		if state, err = h.systemd.Unit(ctx, name); err != nil {
			return err
		}
	}
	if state.Load == "not-found" {
		if err := h.systemd.Reload(ctx); err != nil {
			return err
		}
		if state, err = h.systemd.Unit(ctx, name); err != nil || state.Load == "not-found" {
			return err
		}
	}
	want := hosts.SetUnit{Name: name, Enabled: enabled == "enabled", Active: active == "active"}
	return h.workUnit(ctx, want, h.unitWork(want, state))
}

// restoreFile keeps the backup: it is removed when the record no longer names it.
func (h *Host) restoreFile(ctx context.Context, path string, prior hosts.Prior) error {
	defer h.paths.lock(h.at(path))()
	return h.putBack(ctx, path, prior.Value)
}

func (h *Host) dropBackup(path string) error {
	if err := removeFile(h.backupPath(path)); err != nil {
		return fmt.Errorf("remove the backup of %s: %w", path, err)
	}
	return nil
}

// fileSetting is what the record calls the file that was at a path.
func fileSetting(path string) string { return "file/" + path }

// backUp keeps what lies at a path that is not Slipway's, and says how to put it back:
// "file 0644 0:0", with its bytes in the store; "symlink TARGET"; "directory 0755 0:0".
func (h *Host) backUp(ctx context.Context, path string, info os.FileInfo) (hosts.Prior, error) {
	attr := attributesOf(info)
	value := fmt.Sprintf("%s %04o %d:%d", typeOf(info), attr.mode, attr.uid, attr.gid)
	switch typeOf(info) {
	case hosts.TypeFile:
		source, err := os.Open(h.at(path))
		if err != nil {
			return hosts.Prior{}, err
		}
		defer source.Close()
		if err := replaceFile(ctx, h.backupPath(path), source, attributes{mode: 0o600}, modeState); err != nil {
			return hosts.Prior{}, err
		}
	case hosts.TypeSymlink:
		target, err := os.Readlink(h.at(path))
		if err != nil {
			return hosts.Prior{}, err
		}
		value = "symlink " + target
	case hosts.TypeDirectory:
	default:
		return hosts.Prior{}, fmt.Errorf("%s is neither a file, a link nor a directory", path)
	}
	return hosts.Prior{Setting: fileSetting(path), Value: value}, nil
}

// backupPath is where the bytes of the file that was at a path are kept.
func (h *Host) backupPath(path string) string {
	name := sha256.Sum256([]byte(path))
	return filepath.Join(h.store.dir, "backup", hex.EncodeToString(name[:]))
}

// putBack puts what was at a path back.
func (h *Host) putBack(ctx context.Context, path, value string) error {
	kind, rest, _ := strings.Cut(value, " ")
	if kind == string(hosts.TypeSymlink) {
		return replaceLink(h.at(path), rest)
	}
	var attr attributes
	if _, err := fmt.Sscanf(rest, "%o %d:%d", &attr.mode, &attr.uid, &attr.gid); err != nil {
		return fmt.Errorf("the record's value %q is not understood: %w", value, err)
	}
	switch hosts.FileType(kind) {
	case hosts.TypeDirectory:
		return correctDirectory(h.at(path), attr)
	case hosts.TypeFile:
		kept, err := os.Open(h.backupPath(path))
		if err != nil {
			return fmt.Errorf("read the file that was kept: %w", err)
		}
		defer kept.Close()
		return replaceFile(ctx, h.at(path), kept, attr, modeParents)
	default:
		return fmt.Errorf("the record's value %q is not understood", value)
	}
}
