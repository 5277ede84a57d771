//go:build linux

package local

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/slipway-k8s/slipway/hosts"
)

// unpack puts the files of a set in place: each layer is read once, whatever number of
// files comes out of it, and not at all where they are all right already.
func (h *Host) unpack(ctx context.Context, a hosts.Unpack, report func(hosts.Progress)) (hosts.Outcome, error) {
	h.store.using.RLock()
	defer h.store.using.RUnlock()
	var wrong []hosts.UnpackFile
	var total int64
	for _, file := range a.Files {
		right, err := h.unpacked(ctx, file)
		if err != nil {
			return hosts.Outcome{}, fmt.Errorf("%s: %w", file.Path, err)
		}
		if !right {
			wrong = append(wrong, file)
			total += file.Size
		}
	}
	if len(wrong) == 0 {
		return unchanged, nil
	}
	layers, err := h.byLayer(wrong)
	if err != nil {
		return hosts.Outcome{}, err
	}
	note, err := h.takeOverSet(ctx, wrong)
	if err != nil {
		return hosts.Outcome{}, err
	}
	done := hosts.Progress{Total: total, Note: a.Set}
	var mu sync.Mutex
	counted := func(n int64) {
		mu.Lock()
		defer mu.Unlock()
		done.Done += n
		report(done)
	}
	return h.apply(ctx, change{
		action: a,
		detail: fmt.Sprintf("%d of %d files", len(wrong), len(a.Files)),
		note:   note,
		act: func(ctx context.Context) error {
			defer h.saveDigests(ctx)
			return h.unpackAll(ctx, wrong, layers, counted)
		},
	})
}

// unpackAll writes the files, layers side by side, then the copies of them and the links to them.
func (h *Host) unpackAll(ctx context.Context, wrong []hosts.UnpackFile, layers []string, counted func(int64)) error {
	group, inGroup := errgroup.WithContext(ctx)
	group.SetLimit(runtime.NumCPU())
	for _, layer := range layers {
		group.Go(func() error {
			err := caught(func() error { return h.unpackLayer(inGroup, layer, wrong, counted) })()
			if err != nil {
				return fmt.Errorf("layer %s: %w", layer, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, file := range wrong {
		if file.From != "" {
			if err := h.copyFile(ctx, file, counted); err != nil {
				return fmt.Errorf("copy %s to %s: %w", file.From, file.Path, err)
			}
		}
	}
	for _, file := range wrong {
		if file.Target != "" {
			if err := replaceLink(h.at(file.Path), file.Target); err != nil {
				return fmt.Errorf("link %s: %w", file.Path, err)
			}
		}
	}
	return nil
}

// unpacked tells whether a file of a set is in place as it should be.
func (h *Host) unpacked(ctx context.Context, file hosts.UnpackFile) (bool, error) {
	at, err := h.absolute(file.Path)
	if err != nil {
		return false, err
	}
	info, err := lstat(at)
	if err != nil || info == nil {
		return false, err
	}
	if info.IsDir() {
		return false, errors.New("a directory is in its place")
	}
	if file.Target != "" {
		target, err := os.Readlink(at)
		return err == nil && target == file.Target, nil
	}
	if !info.Mode().IsRegular() || info.Size() != file.Size || attributesOf(info) != (attributes{mode: file.Mode}) {
		return false, nil
	}
	digest, err := h.digests.of(ctx, at)
	return digest == file.Digest, err
}

// byLayer lists the layers that hold the files, each once, and that they can be read.
func (h *Host) byLayer(files []hosts.UnpackFile) ([]string, error) {
	var layers []string
	for _, file := range files {
		if file.Target != "" || file.From != "" || slices.Contains(layers, file.Layer) {
			continue
		}
		if !h.store.has(file.Layer) {
			return nil, fmt.Errorf("layer %s, for %s, is not in the host's store: it must be uploaded first",
				file.Layer, file.Path)
		}
		layers = append(layers, file.Layer)
	}
	return layers, nil
}

func (h *Host) takeOverSet(ctx context.Context, files []hosts.UnpackFile) (func(*hosts.Record), error) {
	var notes []func(*hosts.Record)
	for _, file := range files {
		info, err := lstat(h.at(file.Path))
		if err != nil {
			return nil, err
		}
		owned := hosts.Owned{Path: file.Path, Type: hosts.TypeFile, Digest: file.Digest}
		if file.Target != "" {
			owned = hosts.Owned{Path: file.Path, Type: hosts.TypeSymlink, Target: file.Target}
		}
		note, err := h.takeOver(ctx, file.Path, info, owned)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file.Path, err)
		}
		notes = append(notes, note)
	}
	return both(notes...), nil
}

// unpackLayer reads one layer from front to end and writes those of its entries that are
// asked for; it stops after the last of them.
func (h *Host) unpackLayer(ctx context.Context, layer string, files []hosts.UnpackFile, counted func(int64)) error {
	wanted := map[string][]hosts.UnpackFile{}
	for _, file := range files {
		if file.Target == "" && file.Layer == layer {
			wanted[entryName(file.Entry)] = append(wanted[entryName(file.Entry)], file)
		}
	}
	blob, err := h.store.open(layer)
	if err != nil {
		return err
	}
	defer blob.Close()
	decoder, err := zstd.NewReader(hosts.ContextReader{Context: ctx, In: blob})
	if err != nil {
		return err
	}
	defer decoder.Close()
	archive := tar.NewReader(decoder)
	for len(wanted) > 0 {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("it has no %s", anyKey(wanted))
		}
		if err != nil {
			return err
		}
		name := entryName(header.Name)
		places, ok := wanted[name]
		if !ok {
			continue
		}
		if header.Typeflag != tar.TypeReg {
			return fmt.Errorf("its entry %s is not a file", name)
		}
		if err := h.unpackEntry(ctx, archive, places, counted); err != nil {
			return err
		}
		delete(wanted, name)
	}
	return nil
}

// unpackEntry writes one entry to its place, and copies it from there to any others.
func (h *Host) unpackEntry(ctx context.Context, entry io.Reader, places []hosts.UnpackFile, counted func(int64)) error {
	first := places[0]
	if err := h.unpackFile(ctx, entry, first, counted); err != nil {
		return fmt.Errorf("write %s: %w", first.Path, err)
	}
	for _, place := range places[1:] {
		place.From = first.Path
		if err := h.copyFile(ctx, place, counted); err != nil {
			return fmt.Errorf("write %s: %w", place.Path, err)
		}
	}
	return nil
}

// copyFile writes a file that lies on the host at another path already; it is verified like any other.
func (h *Host) copyFile(ctx context.Context, file hosts.UnpackFile, counted func(int64)) error {
	from, err := h.absolute(file.From)
	if err != nil {
		return err
	}
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	return h.unpackFile(ctx, source, file, counted)
}

func (h *Host) unpackFile(ctx context.Context, content io.Reader, file hosts.UnpackFile, counted func(int64)) error {
	at := h.at(file.Path)
	defer h.paths.lock(at)()
	verified := &verifyingReader{
		reader: content, counted: counted, size: file.Size, want: strings.TrimPrefix(file.Digest, "sha256:"),
	}
	// The file is replaced, not written to: a process that runs it keeps the old one.
	if err := replaceFile(ctx, at, verified, attributes{mode: file.Mode}, modeParents); err != nil {
		return err
	}
	h.digests.learn(at, file.Digest)
	return nil
}

// entryName is a tar entry's path without leading ./ or /.
func entryName(name string) string {
	return strings.TrimPrefix(path.Clean("/"+name), "/")
}

func anyKey[V any](m map[string]V) string {
	for key := range m {
		return key
	}
	return ""
}

const (
	// writesEvery is how often it is looked at what containerd has written.
	writesEvery = 10 * time.Second
	// writesLeast is how much it has to be each time to count as progress: containerd always
	// writes a little.
	writesLeast = 1 << 20
)

type unpackingKey struct{}

// tellingUnpacked is a context whose Load reports how many bytes were written while a layer is
// unpacked: containerd itself reports nothing before the layer's end.
func tellingUnpacked(ctx context.Context, wrote func(bytes int64)) context.Context {
	return context.WithValue(ctx, unpackingKey{}, wrote)
}

// whileUnpacking tells what is written until it is stopped. written is a count that goes up.
func whileUnpacking(ctx context.Context, written func() (int64, error)) (stop func() error) {
	wrote, asked := ctx.Value(unpackingKey{}).(func(int64))
	first, err := written()
	if !asked || err != nil {
		return func() error { return nil }
	}
	ctx, cancel := context.WithCancel(ctx)
	var watcher errgroup.Group
	watcher.Go(caught(func() error {
		ticker := time.NewTicker(writesEvery)
		defer ticker.Stop()
		for last := first; ; {
			select {
			case <-ctx.Done():
				return nil
			case <-ticker.C:
			}
			now, err := written()
			if err != nil {
				return nil // it is progress alone that is not told
			}
			if now-last >= writesLeast {
				wrote(now - first)
			}
			last = now
		}
	}))
	return func() error {
		cancel()
		return watcher.Wait()
	}
}

// written is how many bytes the process that listens at the socket has had written to disks.
func (d *daemon) written() (int64, error) {
	conn, err := net.Dial("unix", d.socket)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0, err
	}
	var peer *unix.Ucred
	asked := raw.Control(func(fd uintptr) { peer, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err := errors.Join(asked, err); err != nil {
		return 0, err
	}
	return writtenBy(int(peer.Pid))
}

// writtenBy is how many bytes a process has had written to disks.
func writtenBy(pid int) (int64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(data) {
		if count, ok := bytes.CutPrefix(line, []byte("write_bytes: ")); ok {
			return strconv.ParseInt(string(bytes.TrimSpace(count)), 10, 64)
		}
	}
	return 0, errors.New("the kernel does not count what a process writes")
}
