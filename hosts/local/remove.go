//go:build linux

package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/slipway-k8s/slipway/hosts"
)

// removePath removes a file, a link, a directory that is empty, or one with all below it.
func (h *Host) removePath(ctx context.Context, a hosts.RemovePath) (hosts.Outcome, error) {
	path, err := h.absolute(a.Path)
	if err != nil {
		return hosts.Outcome{}, err
	}
	defer h.paths.lock(path)()
	info, err := lstat(path)
	if err != nil {
		return hosts.Outcome{}, err
	}
	if info == nil {
		return unchanged, nil
	}
	if info.Mode()&fs.ModeSymlink != 0 && (a.Recursive || a.IfEmpty) {
		record, err := h.record.read()
		if err != nil {
			return hosts.Outcome{}, err
		}
		if owned, ours := ownedAt(record, a.Path); !ours || owned.Type != hosts.TypeSymlink {
			return h.emptyLinked(ctx, a, path)
		}
	}
	remove := func(context.Context) error { return os.Remove(path) }
	switch {
	case info.IsDir() && a.Recursive:
		if isEmptyMountPoint(path) {
			return unchanged, nil
		}
		if err := h.refuseMounts(a.Path); err != nil {
			return hosts.Outcome{}, err
		}
		remove = func(ctx context.Context) error { return removeTree(ctx, path) }
	case info.IsDir():
		entries, err := os.ReadDir(path)
		if err != nil {
			return hosts.Outcome{}, err
		}
		if len(entries) > 0 && a.IfEmpty {
			return unchanged, nil
		}
		if len(entries) > 0 {
			return hosts.Outcome{}, fmt.Errorf("it is a directory that holds %s", listed(entries))
		}
	}
	return h.apply(ctx, change{
		action: a,
		detail: string(typeOf(info)),
		act: func(ctx context.Context) error {
			if err := remove(ctx); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			if err := os.Remove(temporary(path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			return syncDirectory(filepath.Dir(path))
		},
		settle: disown(a.Path, info.IsDir()),
	})
}

// emptyLinked is removePath where somebody's link leads to a directory elsewhere, as
// /var/lib/etcd does to a disk of its own: what the cluster put there goes, the link and
// the directory stay.
func (h *Host) emptyLinked(ctx context.Context, a hosts.RemovePath, path string) (hosts.Outcome, error) {
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
			if err := emptyTree(ctx, target, info.Sys().(*syscall.Stat_t).Dev); err != nil {
				return err
			}
			return syncDirectory(target)
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
	mounts, err := readMounts()
	if err != nil {
		return false
	}
	return slices.Contains(mounts, path)
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

// removeTree is os.RemoveAll that stays on one file system and heeds ctx. A directory
// that is itself a mount point is emptied and stays.
func removeTree(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	device := info.Sys().(*syscall.Stat_t).Dev
	if err := emptyTree(ctx, path, device); err != nil {
		return err
	}
	err = os.Remove(path)
	if errors.Is(err, syscall.EBUSY) {
		return nil
	}
	return err
}

func emptyTree(ctx context.Context, dir string, device uint64) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		path := filepath.Join(dir, entry.Name())
		if entry.IsDir() {
			info, err := os.Lstat(path)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return err
			}
			if info.Sys().(*syscall.Stat_t).Dev != device {
				return fmt.Errorf("%s is another file system: unmount it first", path)
			}
			if err := emptyTree(ctx, path, device); err != nil {
				return err
			}
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
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
