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

// writeAtomically puts content at a path: written beside it, synced, renamed.
func writeAtomically(path string, content []byte, attr attributes) error {
	return replaceFile(context.Background(), path, bytes.NewReader(content), attr)
}

// temporary is the name under which a file is written before it is renamed: with a
// leading dot, so that nothing which watches the directory reads it half-written, and
// always the same, so that a file left by a crash is found again.
func temporary(path string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".slipway")
}

// replaceFile is writeAtomically for a stream that may end early with ctx.
func replaceFile(ctx context.Context, path string, content io.Reader, attr attributes) error {
	dir, err := openFolder(filepath.Dir(path))
	if err != nil {
		return &placeError{path, err}
	}
	defer dir.Close()
	name, temp := filepath.Base(path), filepath.Base(temporary(path))
	if err := dir.Remove(temp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return &placeError{path, err}
	}
	err = writeNew(ctx, dir, temp, content, attr)
	if err == nil {
		err = dir.Rename(temp, name)
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
	_, err = io.Copy(&syncingWriter{file: file}, contextReader{ctx, content})
	if err == nil {
		err = setAttributes(file, attr)
	}
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// syncEvery is how many bytes are written before they are synced. A slow disk has them
// down well within the patience of whoever asked; all of a large file at once it may not.
const syncEvery = 64 << 20

// syncingWriter syncs a file while it is written, so that what is told of a large one is
// true of the disk and its last sync is short: a sync tells nobody how far it is.
type syncingWriter struct {
	file interface {
		io.Writer
		Sync() error
	}
	loose int // bytes written since the last sync
}

func (w *syncingWriter) Write(p []byte) (int, error) {
	if w.loose >= syncEvery {
		if err := w.file.Sync(); err != nil {
			return 0, err
		}
		w.loose = 0
	}
	n, err := w.file.Write(p)
	w.loose += n
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
	err := writeAtomically(path, content, attr)
	if errors.Is(err, syscall.EBUSY) || errors.Is(err, syscall.EXDEV) {
		return overwrite(path, content)
	}
	return err
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

// contextReader ends with its context.
type contextReader struct {
	ctx    context.Context
	reader io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.reader.Read(p)
}

// space is what root may still write, and the size, of the file system that holds a path
// or would hold it.
func space(path string) (free, size int64, err error) {
	for {
		var stat unix.Statfs_t
		err = unix.Statfs(path, &stat)
		if err == nil {
			return int64(stat.Bavail) * stat.Bsize, int64(stat.Blocks) * stat.Bsize, nil
		}
		if !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENOTDIR) || path == "/" {
			return 0, 0, err
		}
		path = filepath.Dir(path)
	}
}
