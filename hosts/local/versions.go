//go:build linux

package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/slipway-k8s/slipway/hosts"
)

// keptFolder is where a version is kept: the contents in keptFiles, by their digests, and in keptIndex,
// which is written last, what lay where.
const (
	keptFolder = "kept"
	keptFiles  = "files"
	keptIndex  = "kept.json"
)

func (h *Host) kept(before string) string { return h.state(filepath.Join(keptFolder, before)) }

func (h *Host) keptContent(before, digest string) string {
	return filepath.Join(h.kept(before), keptFiles, strings.TrimPrefix(digest, "sha256:"))
}

// keepVersion saves what is in force. What a run that was cut has left is no version: it is removed.
func (h *Host) keepVersion(ctx context.Context, a hosts.KeepVersion, report func(hosts.Progress)) (hosts.Outcome, error) {
	if err := a.Check(); err != nil {
		return hosts.Outcome{}, err
	}
	defer h.paths.lock(h.kept(a.Before))()
	if have, err := h.readKept(a.Before); err != nil {
		return hosts.Outcome{}, &hosts.Error{
			Kind: hosts.KindBroken, Err: fmt.Errorf("read what was kept before: %w", err),
			Fix: "the disk may be damaged; to go on without a way back to what was in force: rm -r " + h.kept(a.Before),
		}
	} else if have != nil {
		return unchanged, nil
	}
	record, err := h.record.read()
	if err != nil {
		return hosts.Outcome{}, err
	}
	kept := hosts.Kept{Before: a.Before, Version: a.Version, At: h.now().UTC(), Paths: []hosts.KeptPath{}, Images: a.Images, Folders: a.Folders}
	for _, path := range a.Paths {
		lies, err := h.lookAtKept(ctx, path)
		if err != nil {
			return hosts.Outcome{}, fmt.Errorf("look at %s: %w", path, err)
		}
		if owned, ours := record.OwnedAt(path); ours && secretRef.MatchString(owned.Digest) {
			return hosts.Outcome{}, fmt.Errorf("%s was written as a secret, which is kept nowhere but in its own place", path)
		}
		kept.Paths = append(kept.Paths, lies)
	}
	return h.apply(ctx, change{
		action: a,
		detail: fmt.Sprintf("%d paths", len(kept.Paths)),
		act:    func(ctx context.Context) error { return h.writeKept(ctx, kept, report) },
	})
}

// lookAtKept describes what lies at a path that is to be kept.
func (h *Host) lookAtKept(ctx context.Context, path string) (hosts.KeptPath, error) {
	if _, err := h.absolute(path); err != nil {
		return hosts.KeptPath{}, err
	}
	file, err := h.lookAt(ctx, path, 0)
	if isAbsent(err) {
		return hosts.KeptPath{Path: path, Absent: true}, nil
	}
	if err != nil {
		return hosts.KeptPath{}, err
	}
	if file.Type != hosts.TypeFile && file.Type != hosts.TypeSymlink {
		return hosts.KeptPath{}, fmt.Errorf("it is a %s: only files and links are kept", file.Type)
	}
	return hosts.KeptPath{
		Path: path, Type: file.Type, Mode: file.Mode, UID: file.UID, GID: file.GID,
		Size: file.Size, Digest: file.Digest, Target: file.Target,
	}, nil
}

// writeKept writes the contents, then the index: only with it a version is kept.
func (h *Host) writeKept(ctx context.Context, kept hosts.Kept, report func(hosts.Progress)) (err error) {
	folder := h.kept(kept.Before)
	if err := removeAll(ctx, folder, func() {}); err != nil {
		return err
	}
	defer func() {
		if err != nil { // as on a full disk: what is left is of no use
			_ = removeAll(context.WithoutCancel(ctx), folder, func() {})
		}
	}()
	var done hosts.Progress
	for _, file := range kept.Paths {
		done.Total += file.Size
	}
	for _, file := range kept.Paths {
		if file.Type != hosts.TypeFile {
			continue
		}
		done.Note = file.Path
		counted := func(n int64) { done.Done += n; report(done) }
		if err := h.keepContent(ctx, kept.Before, file, counted); err != nil {
			return fmt.Errorf("keep %s: %w", file.Path, err)
		}
	}
	data, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	if err := writeAtomically(filepath.Join(folder, keptIndex), data, attributes{mode: 0o600}, modeState); err != nil {
		return err
	}
	for _, parent := range []string{filepath.Dir(folder), filepath.Dir(filepath.Dir(folder))} {
		if err := syncFolder(parent); err != nil { // else the folders may be gone after a power cut
			return err
		}
	}
	return nil
}

// keepContent copies the content of a file, as it was seen.
func (h *Host) keepContent(ctx context.Context, before string, file hosts.KeptPath, counted func(int64)) error {
	to := h.keptContent(before, file.Digest)
	if info, err := lstat(to); err != nil || info != nil {
		return err // two files have it
	}
	// It may be a link by now, or a pipe, whose opening would never end.
	source, err := os.OpenFile(h.at(file.Path), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer source.Close()
	return replaceFile(ctx, to, verified(source, file.Size, file.Digest, counted), attributes{mode: 0o600}, modeState)
}

// verified reads content that must have a size and a digest.
func verified(content io.Reader, size int64, digest string, counted func(int64)) io.Reader {
	return &verifyingReader{reader: content, counted: counted, size: size, want: strings.TrimPrefix(digest, "sha256:")}
}

func syncFolder(path string) error {
	folder, err := openFolder(path)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.sync()
}

// readKept reads what is kept; nil where nothing is, or not the whole of it.
func (h *Host) readKept(before string) (*hosts.Kept, error) {
	if err := hosts.CheckBefore(before); err != nil {
		return nil, err
	}
	data, err := readIfThere(filepath.Join(h.kept(before), keptIndex))
	if err != nil || data == nil {
		return nil, err
	}
	var kept hosts.Kept
	if err := json.Unmarshal(data, &kept); err != nil {
		return nil, err
	}
	if err := kept.Check(before); err != nil {
		return nil, err
	}
	for _, file := range kept.Paths {
		if file.Type != hosts.TypeFile {
			continue
		}
		info, err := lstat(h.keptContent(before, file.Digest))
		if err != nil {
			return nil, err
		}
		if info == nil || !info.Mode().IsRegular() || info.Size() != file.Size {
			return nil, fmt.Errorf("the content of %s is not there", file.Path)
		}
	}
	return &kept, nil
}

// openKept reads content that is kept; it is verified while it is read.
func (h *Host) openKept(before, digest string) (io.ReadCloser, error) {
	if err := hosts.CheckBefore(before); err != nil {
		return nil, err
	}
	if !contentRef.MatchString(digest) {
		return nil, fmt.Errorf("content %q is not sha256:<hex>", digest)
	}
	file, err := os.OpenFile(h.keptContent(before, digest), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("content %s is not kept of what was in force before %s", digest, before)
	}
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{verified(file, info.Size(), digest, func(int64) {}), file}, nil
}

// forgetVersion removes the index first: what is left after a crash is no version.
func (h *Host) forgetVersion(ctx context.Context, a hosts.ForgetVersion) (hosts.Outcome, error) {
	if err := hosts.CheckBefore(a.Before); err != nil {
		return hosts.Outcome{}, err
	}
	folder := h.kept(a.Before)
	defer h.paths.lock(folder)()
	if info, err := lstat(folder); err != nil || info == nil {
		return unchanged, err
	}
	return h.apply(ctx, change{
		action: a,
		detail: "what was kept",
		act: func(ctx context.Context) error {
			if err := removeFile(filepath.Join(folder, keptIndex)); err != nil {
				return err
			}
			if err := removeAll(ctx, folder, func() {}); err != nil {
				return err
			}
			return syncFolder(filepath.Dir(folder))
		},
	})
}

// observeKept lists what is kept, in the order of time. What cannot be gone back to is told apart.
func (h *Host) observeKept(ctx context.Context, _ hosts.Query, facts *hosts.Facts) error {
	folder := h.state(keptFolder)
	lookingAt(ctx, folder)
	entries, err := os.ReadDir(folder)
	if isAbsent(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		before := entry.Name()
		lookingAt(ctx, filepath.Join(folder, before))
		kept, err := h.readKept(before)
		switch {
		case kept != nil:
			facts.Kept = append(facts.Kept, *kept)
			continue
		case err == nil:
			err = errors.New("it was cut before all was there")
		}
		if facts.KeptBroken == nil {
			facts.KeptBroken = map[string]string{}
		}
		facts.KeptBroken[before] = err.Error()
	}
	slices.SortStableFunc(facts.Kept, func(a, b hosts.Kept) int { return a.At.Compare(b.At) })
	return nil
}
