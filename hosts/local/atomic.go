//go:build linux

package local

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/slipway-k8s/slipway/hosts"
	"golang.org/x/sys/unix"
)

// attributes are a file's mode (with setuid, setgid and sticky) and owner.
type attributes struct {
	mode     uint32
	uid, gid int
}

// placeError is an error that knows the path at which it happened.
type placeError struct {
	path string
	err  error
}

func (e *placeError) Error() string { return e.err.Error() }
func (e *placeError) Unwrap() error { return e.err }
func (e *placeError) where() string { return e.path }

// writeAtomically puts content at a path: written beside it, synced, renamed. Directories that
// are missing on the way are made with the mode parents; 0: it is an error that they are.
func writeAtomically(path string, content []byte, attr attributes, parents os.FileMode) error {
	return replaceFile(context.Background(), path, bytes.NewReader(content), attr, parents)
}

// replaceFile is writeAtomically for a stream that may end early with ctx.
func replaceFile(ctx context.Context, path string, content io.Reader, attr attributes, parents os.FileMode) error {
	temp := filepath.Base(temporary(path))
	return replace(path, temp, parents, func(dir *folder) error { return writeNew(ctx, dir, temp, content, attr) })
}

// temporary is the name under which a file is written before it is renamed: with a
// leading dot, so that nothing which watches the directory reads it half-written, and
// always the same, so that a file left by a crash is found again.
func temporary(path string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".slipway")
}

// replace has something made under a temporary name in a path's directory, and renames it
// to the path.
func replace(path, temp string, parents os.FileMode, makeTemp func(*folder) error) error {
	dir, err := walk{made: parents}.to(filepath.Dir(path))
	if err != nil {
		return &placeError{path, err}
	}
	defer dir.Close()
	if err := dir.Remove(temp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return &placeError{path, err}
	}
	err = makeTemp(dir)
	if err == nil {
		err = dir.Rename(temp, filepath.Base(path))
	}
	if err != nil {
		_ = dir.Remove(temp)
		return &placeError{path, err}
	}
	return dir.sync()
}

// writeNew writes a file that must not exist, and syncs it.
func writeNew(ctx context.Context, dir *folder, name string, content io.Reader, attr attributes) error {
	file, err := dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return dir.failed("open", name, err)
	}
	_, err = io.Copy(&syncingWriter{file: file}, hosts.ContextReader{Context: ctx, In: content})
	if err == nil {
		err = setAttributes(file, attr)
	}
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// syncEvery is how many bytes are written before they are synced: few enough for a slow disk to
// write them before the caller's timeout, which a large file at once may not be.
const syncEvery = 64 << 20

// syncingWriter syncs a file while it is written, so that the progress that is reported is that
// of the disk, and the last sync, which reports none, is short.
type syncingWriter struct {
	file interface {
		io.Writer
		Sync() error
	}
	unsynced int // bytes
}

func (w *syncingWriter) Write(p []byte) (int, error) {
	if w.unsynced >= syncEvery {
		if err := w.file.Sync(); err != nil {
			return 0, err
		}
		w.unsynced = 0
	}
	n, err := w.file.Write(p)
	w.unsynced += n
	return n, err
}

func setAttributes(file *os.File, attr attributes) error {
	if err := file.Chown(attr.uid, attr.gid); err != nil {
		return err
	}
	return unix.Fchmod(int(file.Fd()), attr.mode) // after chown, which clears setuid
}

// overwrite writes a file in place: only for bind-mounted ones, which cannot be renamed
// over.
func overwrite(path string, content []byte) error {
	dir, err := openFolder(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	file, err := dir.OpenFile(filepath.Base(path), os.O_WRONLY|os.O_TRUNC|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return dir.failed("open", filepath.Base(path), err)
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// rewrite changes a file's content and keeps its mode and owner: atomically, or in place
// where it is a mount of its own.
func rewrite(path string, content []byte) error {
	attr := attributes{mode: 0o644}
	if info, err := os.Stat(path); err == nil {
		attr = attributesOf(info)
	}
	err := writeAtomically(path, content, attr, 0)
	if errors.Is(err, syscall.EBUSY) || errors.Is(err, syscall.EXDEV) {
		return overwrite(path, content)
	}
	return err
}

// edit rewrites a file with what change makes of it, where the file is there and that differs.
func edit(path string, change func([]byte) []byte) error {
	before, err := readIfThere(path)
	if err != nil || before == nil {
		return err
	}
	after := change(before)
	if bytes.Equal(before, after) {
		return nil
	}
	return rewrite(path, after)
}

// removeFile removes what lies at a path: a file, a link itself, or an empty directory.
// It is no error where nothing is.
func removeFile(path string) error {
	dir, err := openFolder(filepath.Dir(path))
	if err == nil {
		defer dir.Close()
		err = dir.Remove(filepath.Base(path))
	}
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

func attributesOf(info os.FileInfo) attributes {
	stat := info.Sys().(*syscall.Stat_t)
	return attributes{mode: stat.Mode & 0o7777, uid: int(stat.Uid), gid: int(stat.Gid)}
}

// space is what root may still write, and the size, of the file system that holds a path
// or would hold it.
func space(path string) (free, size int64, err error) {
	disk, err := diskAt(path)
	return disk.Free, disk.Size, err
}

// diskAt is the file system that holds a path or would hold it, and what root may still write there.
func diskAt(path string) (hosts.Disk, error) {
	for {
		var stat unix.Statfs_t
		err := unix.Statfs(path, &stat)
		if err == nil {
			return hosts.Disk{
				Free: int64(stat.Bavail) * stat.Bsize, Size: int64(stat.Blocks) * stat.Bsize,
				Inodes: int64(stat.Files), InodesFree: int64(stat.Ffree),
			}, nil
		}
		if !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENOTDIR) || path == "/" {
			return hosts.Disk{}, err
		}
		path = filepath.Dir(path)
	}
}
