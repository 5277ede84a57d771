//go:build linux

package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/moby/sys/mountinfo"

	"github.com/slipway-k8s/slipway/hosts"
)

// removePath removes a file, a link, a directory that is empty, or one with all below it.
func (h *Host) removePath(ctx context.Context, a hosts.RemovePath, report func(hosts.Progress)) (hosts.Outcome, error) {
	path, info, unlock, err := h.taken(a.Path)
	if err != nil {
		return hosts.Outcome{}, err
	}
	defer unlock()
	if info == nil {
		return unchanged, nil
	}
	if info.Mode()&fs.ModeSymlink != 0 && (a.Recursive || a.IfEmpty) {
		record, err := h.record.read()
		if err != nil {
			return hosts.Outcome{}, err
		}
		if owned, ours := record.OwnedAt(a.Path); !ours || owned.Type != hosts.TypeSymlink {
			return h.emptyLinked(ctx, a, path, report)
		}
	}
	if err := h.refuseChanged(ctx, a, path, info); err != nil {
		return hosts.Outcome{}, err
	}
	remove, err := h.remover(a, path, info, counting(report))
	if remove == nil || err != nil {
		return unchanged, err
	}
	return h.apply(ctx, change{
		action: a,
		detail: string(typeOf(info)),
		act: func(ctx context.Context) error {
			dir, err := openFolder(filepath.Dir(path))
			if err != nil {
				return err
			}
			defer dir.Close()
			if err := remove(ctx, dir, filepath.Base(path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			if err := dir.Remove(filepath.Base(temporary(path))); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			if err := dir.sync(); err != nil || !isUnitFile(a.Path) {
				return err
			}
			return h.readUnits(ctx)
		},
		settle: both(disown(a.Path, info.IsDir()), func(r *hosts.Record) {
			if isUnitFile(a.Path) {
				r.ForgetUnit(filepath.Base(a.Path))
			}
		}),
	})
}

// refuseChanged fails where a file is no longer what the action names.
func (h *Host) refuseChanged(ctx context.Context, a hosts.RemovePath, path string, info os.FileInfo) error {
	if a.Digest == "" {
		return nil
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("it is now a %s", typeOf(info))
	}
	if have, err := h.digests.of(ctx, path); err != nil || have == a.Digest {
		return err
	}
	return errors.New("it was changed meanwhile")
}

// remover is how to remove what lies at a path; nil where it is to stay.
func (h *Host) remover(a hosts.RemovePath, path string, info os.FileInfo, gone func()) (func(context.Context, *folder, string) error, error) {
	switch {
	case info.IsDir() && a.Recursive:
		if isEmptyMountPoint(path) {
			return nil, nil
		}
		return func(ctx context.Context, dir *folder, name string) error {
			return removeTree(ctx, dir, name, gone)
		}, h.refuseMounts(a.Path)
	case info.IsDir():
		entries, err := os.ReadDir(path)
		if err != nil || len(entries) > 0 && a.IfEmpty {
			return nil, err
		}
		if len(entries) > 0 {
			return nil, fmt.Errorf("it is a directory that holds %s", listed(entries))
		}
	}
	return func(_ context.Context, dir *folder, name string) error { return dir.Remove(name) }, nil
}

// emptyLinked is removePath where somebody has made a link to a directory elsewhere, for example
// from /var/lib/etcd to a disk of its own: the directory is emptied, it and the link stay.
func (h *Host) emptyLinked(ctx context.Context, a hosts.RemovePath, path string, report func(hosts.Progress)) (hosts.Outcome, error) {
	target, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !a.Recursive {
		return unchanged, nil
	}
	if err != nil {
		return hosts.Outcome{}, err
	}
	info, err := os.Stat(target)
	if err != nil {
		return hosts.Outcome{}, err
	}
	if !info.IsDir() {
		return hosts.Outcome{}, fmt.Errorf("it is a link to %s, which is no directory", target)
	}
	parent, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return hosts.Outcome{}, err
	}
	if strings.HasPrefix(parent+"/", strings.TrimSuffix(target, "/")+"/") {
		return hosts.Outcome{}, fmt.Errorf("it is a link to %s, which holds the link itself", target)
	}
	entries, err := os.ReadDir(target)
	if err != nil || len(entries) == 0 {
		return unchanged, err
	}
	if err := h.refuseMounts(a.Path); err != nil {
		return hosts.Outcome{}, err
	}
	return h.apply(ctx, change{
		action: a,
		detail: "all in " + target + "; the link to it stays",
		act: func(ctx context.Context) error {
			dir, err := openFolder(path)
			if err != nil {
				return err
			}
			defer dir.Close()
			if opened, err := dir.Stat("."); err != nil || !os.SameFile(info, opened) {
				return fmt.Errorf("%s: %w", target, errors.Join(errSwapped, err))
			}
			if err := emptyTree(ctx, dir, counting(report)); err != nil {
				return err
			}
			return dir.sync()
		},
		settle: disown(a.Path, true),
	})
}

// isEmptyMountPoint tells whether a directory holds nothing and cannot go, because a file
// system is mounted there.
func isEmptyMountPoint(path string) bool {
	entries, err := os.ReadDir(path)
	if err != nil || len(entries) > 0 {
		return false
	}
	mounted, err := mountinfo.Mounted(path)
	return err == nil && mounted
}

// refuseMounts fails where something is mounted below a path: what is in there may be
// anything.
func (h *Host) refuseMounts(path string) error {
	below, err := h.mountsBelow(path)
	if err != nil {
		return err
	}
	if len(below) == 0 {
		return nil
	}
	return fmt.Errorf("%s is mounted there and would be emptied: unmount it first", strings.Join(below, ", "))
}

// listed names the first few entries of a directory.
func listed(entries []os.DirEntry) string {
	const few = 3
	var names []string
	for i, entry := range entries {
		if i == few {
			names = append(names, fmt.Sprintf("and %d more", len(entries)-few))
			break
		}
		names = append(names, entry.Name())
	}
	return strings.Join(names, ", ")
}
