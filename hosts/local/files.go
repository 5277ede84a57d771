//go:build linux

package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/slipway-k8s/slipway/hosts"
)

// writeFile puts content at a path, exactly as asked; a seed only where nothing is.
func (h *Host) writeFile(ctx context.Context, a hosts.WriteFile) (hosts.Outcome, error) {
	path, err := h.absolute(a.Path)
	if err != nil {
		return hosts.Outcome{}, err
	}
	defer h.paths.lock(path)()
	h.store.using.RLock()
	defer h.store.using.RUnlock()
	info, err := lstat(path)
	if err != nil {
		return hosts.Outcome{}, err
	}
	if info != nil && a.Seed {
		return unchanged, nil
	}
	want := attributes{mode: a.Mode, uid: a.UID, gid: a.GID}
	detail := "new"
	if info != nil {
		if detail, err = h.fileDifference(ctx, path, info, a, want); err != nil || detail == "" {
			return unchanged, err
		}
	}
	// Asked for before the first change: content that is not there changes nothing.
	content, err := h.contentOf(a)
	if err != nil {
		return hosts.Outcome{}, err
	}
	defer content.Close()
	owned := hosts.Owned{Path: a.Path, Type: hosts.TypeFile, Digest: a.Content}
	if a.Seed {
		owned.Digest = ""
	}
	note, err := h.takeOver(ctx, a.Path, info, owned)
	if err != nil {
		return hosts.Outcome{}, err
	}
	return h.apply(ctx, change{
		action: a, detail: detail, note: note,
		act: func(ctx context.Context) error { return replaceFile(ctx, path, content, want, modeParents) },
	})
}

// contentOf opens what is to be written: it was uploaded, or the host has kept it.
func (h *Host) contentOf(a hosts.WriteFile) (io.ReadCloser, error) {
	if a.Kept != "" {
		return h.openKept(a.Kept, a.Content)
	}
	return h.store.open(a.Content)
}

// fileDifference says what of a file is not as asked; "" where all is.
func (h *Host) fileDifference(ctx context.Context, path string, info os.FileInfo, a hosts.WriteFile, want attributes) (string, error) {
	if info.IsDir() {
		return "", errors.New("a directory is in its place")
	}
	if !info.Mode().IsRegular() {
		return "was a " + string(typeOf(info)), nil
	}
	digest, err := h.store.digest(a.Content)
	if err != nil {
		return "", err
	}
	if a.Size > 0 && info.Size() != a.Size {
		return "content differed", nil
	}
	have, err := h.digests.of(ctx, path)
	if err != nil {
		return "", err
	}
	if have != digest {
		return "content differed", nil
	}
	return attributeDifference(attributesOf(info), want), nil
}

// attributeDifference says what of mode and owner is not as wanted.
func attributeDifference(have, want attributes) string {
	if have == want {
		return ""
	}
	return fmt.Sprintf("was %04o %d:%d", have.mode, have.uid, have.gid)
}

// takeOver is what the record must say before a path is changed: that it and the parents
// to be made are Slipway's, and what was there if it was not.
func (h *Host) takeOver(ctx context.Context, path string, info os.FileInfo, owned hosts.Owned) (func(*hosts.Record), error) {
	record, err := h.record.read()
	if err != nil {
		return nil, err
	}
	parents, err := h.missingParents(path)
	if err != nil {
		return nil, err
	}
	notes := []func(*hosts.Record){own(parents...)}
	_, ours := record.OwnedAt(path)
	if !ours {
		note, err := h.overrides(ctx, path, info)
		if err != nil {
			return nil, err
		}
		notes = append(notes, note) // before the file's: a reset goes backwards
	}
	if info != nil && !ours {
		if _, known := record.PriorOf(fileSetting(path)); !known {
			prior, err := h.backUp(ctx, path, info)
			if err != nil {
				return nil, fmt.Errorf("keep what was there: %w", err)
			}
			notes = append(notes, remember(prior))
		}
	}
	if info == nil || owned.Type != hosts.TypeDirectory {
		notes = append(notes, own(owned))
	}
	return both(notes...), nil
}

// missingParents lists the directories that have to be made for a path.
func (h *Host) missingParents(path string) ([]hosts.Owned, error) {
	var missing []hosts.Owned
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		info, err := lstatFollowing(h.at(dir))
		if err != nil {
			return nil, err
		}
		if info != nil {
			if !info.IsDir() {
				return nil, fmt.Errorf("%s is not a directory", dir)
			}
			return missing, nil
		}
		missing = append([]hosts.Owned{{Path: dir, Type: hosts.TypeDirectory}}, missing...)
		if dir == "/" {
			return missing, nil
		}
	}
}

// taken takes a path of the host for one writer, and tells where it is and what is there; nil
// for nothing.
func (h *Host) taken(path string) (at string, info fs.FileInfo, unlock func(), err error) {
	if at, err = h.absolute(path); err != nil {
		return "", nil, nil, err
	}
	unlock = h.paths.lock(at)
	if info, err = lstat(at); err != nil {
		unlock()
		return "", nil, nil, err
	}
	return at, info, unlock, nil
}

// makeDirectory makes a directory, or gives one its mode and owner.
func (h *Host) makeDirectory(ctx context.Context, a hosts.MakeDirectory) (hosts.Outcome, error) {
	path, info, unlock, err := h.taken(a.Path)
	if err != nil {
		return hosts.Outcome{}, err
	}
	defer unlock()
	want := attributes{mode: a.Mode, uid: a.UID, gid: a.GID}
	detail := "new"
	if info != nil {
		if info.Mode()&fs.ModeSymlink != 0 {
			info, err = os.Stat(path) // a link to a directory serves as one
			if err != nil {
				return hosts.Outcome{}, err
			}
		}
		if !info.IsDir() {
			return hosts.Outcome{}, fmt.Errorf("a %s is in its place", typeOf(info))
		}
		if detail = attributeDifference(attributesOf(info), want); detail == "" {
			return unchanged, nil
		}
	}
	note, err := h.takeOver(ctx, a.Path, info, hosts.Owned{Path: a.Path, Type: hosts.TypeDirectory})
	if err != nil {
		return hosts.Outcome{}, err
	}
	return h.apply(ctx, change{
		action: a, detail: detail, note: note,
		act: func(context.Context) error { return correctDirectory(path, want) },
	})
}

func correctDirectory(path string, want attributes) error {
	dir, err := makeFolder(path, modeParents)
	if err != nil {
		return &placeError{path, err}
	}
	defer dir.Close()
	itself, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer itself.Close()
	if err := setAttributes(itself, want); err != nil {
		return err
	}
	if err := itself.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	parent, err := openFolder(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer parent.Close()
	return parent.sync()
}

// makeSymlink makes a symbolic link, replacing what is there unless it is a directory.
func (h *Host) makeSymlink(ctx context.Context, a hosts.MakeSymlink) (hosts.Outcome, error) {
	path, info, unlock, err := h.taken(a.Path)
	if err != nil {
		return hosts.Outcome{}, err
	}
	defer unlock()
	detail := "new"
	if info != nil {
		if a.Seed {
			return unchanged, nil
		}
		if info.IsDir() {
			return hosts.Outcome{}, errors.New("a directory is in its place")
		}
		detail = "was a " + string(typeOf(info))
		if target, err := os.Readlink(path); err == nil {
			if target == a.Target {
				return unchanged, nil
			}
			detail = "pointed to " + target
		}
	}
	note, err := h.takeOver(ctx, a.Path, info, hosts.Owned{Path: a.Path, Type: hosts.TypeSymlink, Target: a.Target})
	if err != nil {
		return hosts.Outcome{}, err
	}
	return h.apply(ctx, change{
		action: a, detail: detail, note: note,
		act: func(context.Context) error { return replaceLink(path, a.Target) },
	})
}

// replaceLink makes a link beside the path and renames it.
func replaceLink(path, target string) error {
	temp := filepath.Base(temporary(path))
	return replace(path, temp, modeParents, func(dir *folder) error { return dir.Symlink(target, temp) })
}

// absolute is where a path lies; only clean absolute ones are taken.
func (h *Host) absolute(path string) (string, error) {
	if !filepath.IsAbs(path) || filepath.Clean(path) != path || path == "/" {
		return "", fmt.Errorf("path %q is not a clean absolute path below /", path)
	}
	return h.at(path), nil
}

// readIfThere is os.ReadFile that answers nil where nothing is.
func readIfThere(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if isAbsent(err) {
		return nil, nil
	}
	return data, err
}

// isAbsent tells whether an error says that nothing lies at a path.
func isAbsent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// exists tells whether something lies at a path, links followed.
func (h *Host) exists(path string) bool {
	_, err := os.Stat(h.at(path))
	return err == nil
}

// lstat is os.Lstat that answers nil where nothing is.
func lstat(path string) (os.FileInfo, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return info, err
}

// lstatFollowing is lstat of what a path leads to.
func lstatFollowing(path string) (os.FileInfo, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return info, err
}

func typeOf(info os.FileInfo) hosts.FileType {
	switch {
	case info.Mode().IsRegular():
		return hosts.TypeFile
	case info.IsDir():
		return hosts.TypeDirectory
	case info.Mode()&fs.ModeSymlink != 0:
		return hosts.TypeSymlink
	default:
		return hosts.TypeOther
	}
}
