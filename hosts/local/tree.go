//go:build linux

package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/slipway-k8s/slipway/hosts"
)

const (
	// namesAtOnce is how many names of a directory are read before they are worked on.
	namesAtOnce = 1024
	// levelsAtOnce is how many levels of a tree are held open at the same time. What lies
	// deeper is first moved up: else a deep enough tree needs more files than a process gets.
	levelsAtOnce = 100
)

// A removal removes a tree, each thing by its name in a directory that is held open, on
// the file system that it begins on.
type removal struct {
	top   *folder
	mount int
	moved int    // how many directories were moved up
	gone  func() // is told of each thing that is removed
}

// counting reports how many files are removed: a tree of millions takes long.
func counting(report func(hosts.Progress)) (gone func()) {
	const some = 10_000 // files between two notes
	var p hosts.Progress
	return func() {
		if p.Done++; p.Done%some == 0 {
			p.Note = fmt.Sprintf("%d files are gone", p.Done)
		}
		report(p)
	}
}

// removeTree is os.RemoveAll of a name in a directory that does not go on where something
// is mounted and heeds ctx. A link is removed and not followed. A directory that is itself a
// mount point is emptied and stays.
func removeTree(ctx context.Context, parent *folder, name string, gone func()) error {
	info, err := parent.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.IsDir() {
		dir, err := parent.open(name, info)
		if err != nil {
			return err
		}
		err = emptyTree(ctx, dir, gone)
		dir.Close()
		if err != nil {
			return err
		}
	}
	err = parent.Remove(name)
	if errors.Is(err, syscall.EBUSY) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// removeAll is removeTree of a path.
func removeAll(ctx context.Context, path string, gone func()) error {
	parent, err := openFolder(filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer parent.Close()
	return removeTree(ctx, parent, filepath.Base(path), gone)
}

// emptyTree removes all that is in a directory.
func emptyTree(ctx context.Context, dir *folder, gone func()) error {
	mount, err := mountOf(dir)
	if err != nil {
		return err
	}
	r := &removal{top: dir, mount: mount, gone: gone}
	for again := true; again; { // once more for what was moved up
		moved := r.moved
		if err := r.empty(ctx, dir, nil); err != nil {
			return err
		}
		again = r.moved > moved
	}
	return nil
}

// empty removes all that is in a directory of the tree; below is how it is reached from
// the top.
func (r *removal) empty(ctx context.Context, dir *folder, below []string) error {
	for {
		entries, err := readSome(dir)
		if err != nil || len(entries) == 0 {
			return err
		}
		for _, entry := range entries {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := r.remove(ctx, dir, entry.Name(), below); err != nil {
				return err
			}
		}
		if len(entries) < namesAtOnce {
			return nil
		}
	}
}

// remove removes one name of a directory of the tree, whatever it is by now.
func (r *removal) remove(ctx context.Context, dir *folder, name string, below []string) error {
	info, err := dir.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return dir.failed("remove", name, err)
	}
	if info.IsDir() {
		gone, err := r.removeInside(ctx, dir, name, info, below)
		if err != nil || gone {
			return err
		}
	}
	if err := dir.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return dir.failed("remove", name, err)
	}
	r.gone()
	return nil
}

// removeInside empties a directory of the tree. gone tells that it lies elsewhere now.
func (r *removal) removeInside(ctx context.Context, dir *folder, name string, info os.FileInfo, below []string) (gone bool, err error) {
	inner, err := dir.open(name, info)
	if err != nil {
		return false, err
	}
	defer inner.Close()
	mount, err := mountOf(inner)
	if err != nil {
		return false, err
	}
	if mount != r.mount {
		return false, fmt.Errorf("%s is another file system: unmount it first", inner.path)
	}
	below = append(below, name)
	if len(below) < levelsAtOnce {
		return false, r.empty(ctx, inner, below)
	}
	return true, r.moveUp(ctx, filepath.Join(below...))
}

// moveUp moves a directory of the tree to its top, under a name that nothing has there.
func (r *removal) moveUp(ctx context.Context, below string) error {
	for {
		r.moved++
		err := r.top.Rename(below, ".slipway-"+strconv.Itoa(r.moved))
		taken := errors.Is(err, fs.ErrExist) || errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, syscall.ENOTDIR)
		if !taken || ctx.Err() != nil {
			return err
		}
	}
}

// readSome reads the first names of a directory.
func readSome(dir *folder) ([]os.DirEntry, error) {
	file, err := dir.Open(".")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	entries, err := file.ReadDir(namesAtOnce)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return entries, err
}

// mountOf is the kernel's number of the mount that a directory lies on: bind mounts, which
// share their device with where they come from, have numbers of their own.
func mountOf(dir *folder) (int, error) {
	file, err := dir.Open(".")
	if err != nil {
		return 0, err
	}
	defer file.Close()
	info, err := os.ReadFile("/proc/self/fdinfo/" + strconv.Itoa(int(file.Fd())))
	if err != nil {
		return 0, fmt.Errorf("tell the mount of %s: %w", dir.path, err)
	}
	for line := range bytes.Lines(info) {
		if number, ok := bytes.CutPrefix(line, []byte("mnt_id:")); ok {
			return strconv.Atoi(string(bytes.TrimSpace(number)))
		}
	}
	return 0, fmt.Errorf("tell the mount of %s: the kernel does not say", dir.path)
}
