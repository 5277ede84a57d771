//go:build linux

package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// modeParents is the mode of the directories that are made on the way to a path, modeState of
// those in Slipway's own.
const (
	modeParents = 0o755
	modeState   = 0o700
)

// folder is a directory that is held open.
type folder struct {
	*os.Root
	path string // where it was when it was opened, for errors
}

// A walk opens a path one name at a time and keeps each directory on the way open. What is done
// in the directory that it ends in is done there, whatever the path leads to by then: somebody
// who replaces a directory with a link while root works cannot lead root elsewhere.
type walk struct {
	made    os.FileMode // what is missing is made with this mode; 0: it is an error
	noLinks bool        // no link is followed, whoever made it
}

// openFolder opens a directory; links on the way are followed where only root can have
// made them.
func openFolder(path string) (*folder, error) { return walk{}.to(path) }

// makeFolder opens a directory, and makes it and its parents where they are not there yet:
// with exactly this mode, whatever the umask is. Those that are there stay as they are.
func makeFolder(path string, mode os.FileMode) (*folder, error) { return walk{made: mode}.to(path) }

// makeParents makes the directory that a path lies in.
func makeParents(path string, mode os.FileMode) error {
	parent, err := makeFolder(filepath.Dir(path), mode)
	if err != nil {
		return &placeError{path, err}
	}
	return parent.Close()
}

// linksFollowed bounds how many links one path may lead through, as the kernel does.
const linksFollowed = 40

// to opens the directory at an absolute path.
func (w walk) to(path string) (*folder, error) {
	root, err := os.OpenRoot("/")
	if err != nil {
		return nil, err
	}
	way := []*folder{{root, "/"}}
	back := func(to int) {
		for _, left := range way[to:] {
			left.Close()
		}
		way = way[:to]
	}
	defer func() { back(0) }()
	links := 0
	for names := split(path); len(names) > 0; {
		name := names[0]
		names = names[1:]
		if name == ".." { // in a link's target
			back(max(1, len(way)-1))
			continue
		}
		next, target, err := w.step(way[len(way)-1], name)
		if err != nil {
			return nil, err
		}
		if next != nil {
			way = append(way, next)
			continue
		}
		if links++; links > linksFollowed {
			return nil, &fs.PathError{Op: "open", Path: path, Err: syscall.ELOOP}
		}
		if filepath.IsAbs(target) {
			back(1)
		}
		names = append(split(target), names...)
	}
	last := way[len(way)-1]
	way = way[:len(way)-1]
	return last, nil
}

// split gives the names of a path, from the first to the last.
func split(path string) []string {
	return strings.FieldsFunc(filepath.Clean(path), func(r rune) bool { return r == '/' })
}

// step opens the directory of that name, or tells what the link of that name leads to.
func (w walk) step(here *folder, name string) (next *folder, target string, err error) {
	info, err := here.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) && w.made != 0 {
		next, err = here.make(name, w.made)
		return next, "", err
	}
	if err != nil {
		return nil, "", here.failed("open", name, err)
	}
	if info.Mode()&fs.ModeSymlink == 0 {
		next, err = here.open(name, info)
		return next, "", err
	}
	if err := w.mayFollow(here, name, info); err != nil {
		return nil, "", err
	}
	target, err = here.Readlink(name)
	return nil, target, err
}

// errSwapped is the error of a name that is no longer what was seen there.
var errSwapped = errors.New("it was replaced by something else meanwhile")

// open opens a directory that was seen in this one: that one, and nothing else of its name.
func (f *folder) open(name string, seen os.FileInfo) (*folder, error) {
	if !seen.IsDir() {
		return nil, f.failed("open", name, syscall.ENOTDIR)
	}
	root, err := f.OpenRoot(name)
	if err != nil {
		return nil, f.failed("open", name, err)
	}
	opened, err := root.Stat(".")
	if err == nil && !os.SameFile(seen, opened) {
		err = errSwapped
	}
	if err != nil {
		root.Close()
		return nil, f.failed("open", name, err)
	}
	return &folder{root, f.at(name)}, nil
}

// make makes a directory in this one and opens it; one that somebody made meanwhile stays
// as it is.
func (f *folder) make(name string, mode os.FileMode) (*folder, error) {
	err := f.Mkdir(name, mode.Perm())
	made := err == nil
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, f.failed("mkdir", name, err)
	}
	info, err := f.Lstat(name)
	if err != nil {
		return nil, f.failed("open", name, err)
	}
	next, err := f.open(name, info)
	if err != nil || !made {
		return next, err
	}
	if err := next.Chmod(".", mode); err != nil { // mkdir heeds the umask
		next.Close()
		return nil, f.failed("chmod", name, err)
	}
	return next, nil
}

// at is where a name of this directory lies.
func (f *folder) at(name string) string { return filepath.Join(f.path, name) }

// failed names the whole path, which os.Root does not know.
func (f *folder) failed(op, name string, err error) error {
	var known *fs.PathError
	if errors.As(err, &known) {
		err = known.Err
	}
	return &fs.PathError{Op: op, Path: f.at(name), Err: err}
}

// mayFollow refuses a link on the way unless root, or the user of this process, made it and
// nobody else could have put it there.
func (w walk) mayFollow(here *folder, name string, link os.FileInfo) error {
	if w.noLinks {
		return here.failed("open", name, errSwapped)
	}
	info, err := here.Stat(".")
	if err != nil {
		return err
	}
	parent, owner := attributesOf(info), attributesOf(link).uid
	listed, shared := "", parent.shared()
	if parent.mode&(0o020|syscall.S_ISVTX) == 0o020 && here.hasList() {
		listed, shared = " with an access control list", true
	}
	if trusted(owner) && trusted(parent.uid) && !shared {
		return nil
	}
	return fmt.Errorf("%s is a link of user %d's in a folder (%04o) of user %d's and group %d's%s: root does not follow a link that other users can replace; put a directory there, or let root own both the link and its folder (chown -h root) and take write access from others (chmod go-w)",
		here.at(name), owner, parent.mode, parent.uid, parent.gid, listed)
}

// hasList tells whether a directory has an access control list: the group bits of its mode are
// then the most that anybody in the list may do.
func (f *folder) hasList() bool {
	dir, err := f.Open(".")
	if err != nil {
		return true
	}
	defer dir.Close()
	size, err := unix.Fgetxattr(int(dir.Fd()), "system.posix_acl_access", nil)
	return err == nil && size > 0
}

// shared tells whether others than its owner may replace what lies in a directory: all, or
// a group that is not root's. In a sticky one they may not.
func (a attributes) shared() bool {
	switch {
	case a.mode&syscall.S_ISVTX != 0:
		return false
	case a.mode&0o002 != 0:
		return true
	}
	return a.mode&0o020 != 0 && a.gid != 0
}

func trusted(uid int) bool { return uid == 0 || uid == os.Geteuid() }

// sync makes durable what was made, renamed and removed in the directory.
func (f *folder) sync() error {
	dir, err := f.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) {
		return fmt.Errorf("sync directory %s: %w", f.path, err)
	}
	return nil
}
