package workflow

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// sudoer is the user for whom root works by sudo. The zero value is nobody: then files are
// whose the process is.
type sudoer struct {
	uid, gid int
	home     string // empty where it is not known
}

// callerOfSudo is who has called sudo, where this process is root by it.
func callerOfSudo() sudoer {
	uid, err := strconv.Atoi(os.Getenv("SUDO_UID"))
	if err != nil || uid <= 0 || os.Geteuid() != 0 {
		return sudoer{}
	}
	gid, err := strconv.Atoi(os.Getenv("SUDO_GID"))
	if err != nil {
		return sudoer{}
	}
	caller := sudoer{uid: uid, gid: gid}
	if known, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		caller.home = known.HomeDir
	}
	return caller
}

// keepOwner gives a new file that takes a path's place to whose the path was, where that is
// the caller; where there is none, to the caller if it is in their home.
func (s sudoer) keepOwner(path string) func(*os.File) error {
	uid, gid := s.uid, s.gid
	info, err := os.Lstat(path)
	if err == nil {
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			uid, gid = int(stat.Uid), int(stat.Gid)
		}
	}
	if s.uid == 0 || uid != s.uid || err != nil && !s.atHome(path) {
		return func(*os.File) error { return nil }
	}
	return func(file *os.File) error { return file.Chown(uid, gid) }
}

// makeFolder makes a folder and those above it, the caller's where they are in their home.
func (s sudoer) makeFolder(path string) error {
	var fresh []string
	for at := filepath.Clean(path); ; at = filepath.Dir(at) {
		if _, err := os.Lstat(at); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		fresh = append(fresh, at)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	for _, folder := range fresh {
		if s.uid == 0 || !s.atHome(folder) {
			continue
		}
		if err := os.Lchown(folder, s.uid, s.gid); err != nil {
			return err
		}
	}
	return nil
}

// atHome tells whether a path is below the caller's home.
func (s sudoer) atHome(path string) bool {
	if s.home == "" {
		return false
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return false
	}
	for _, home := range []string{s.home, followed(s.home)} {
		if strings.HasPrefix(absolute, filepath.Clean(home)+"/") {
			return true
		}
	}
	return false
}

// maxLinks is how many links the kernel follows.
const maxLinks = 40

// followed is the file that a path leads to, which need not be there yet: a link stays one.
func followed(path string) string {
	for range maxLinks {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			return real
		}
		to, err := os.Readlink(path)
		if err != nil {
			return path
		}
		if !filepath.IsAbs(to) {
			folder, err := filepath.EvalSymlinks(filepath.Dir(path))
			if err != nil {
				return path
			}
			to = filepath.Join(folder, to)
		}
		path = to
	}
	return path
}

// WritePrivate writes a file that only its owner may read, whole or not at all.
func WritePrivate(path string, data []byte) error {
	return writeOwned(path, data, func(*os.File) error { return nil })
}

// writeOwned is WritePrivate for a file that is given to its owner before it takes its place.
func writeOwned(path string, data []byte, give func(*os.File) error) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer os.Remove(file.Name())
	if _, err = file.Write(data); err == nil {
		err = errors.Join(give(file), file.Sync())
	}
	if closing := file.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
