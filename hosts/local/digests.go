//go:build linux

package local

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

const (
	// cacheFrom is the size from which a digest is worth keeping.
	cacheFrom = 256 << 10
	// settleTime is how old a change must be for its digest to be kept: a file that changes
	// again within the resolution of its time stamps would look the same.
	settleTime = 2 * time.Second
)

// digestCache keeps the digests of large files between observations, so that looking at
// a host does not read hundreds of megabytes. An entry holds only while size, times and
// inode are what they were.
type digestCache struct {
	path string
	now  func() time.Time

	saving  sync.Mutex // held by the one that saves
	mu      sync.Mutex
	entries map[string]cachedDigest
	dirty   bool
}

// cachedDigest is a digest and the state of the file that had it.
type cachedDigest struct {
	Digest  string `json:"digest"`
	Size    int64  `json:"size"`
	Inode   uint64 `json:"inode"`
	Device  uint64 `json:"device"`
	Mtime   int64  `json:"mtime"`
	Ctime   int64  `json:"ctime"`
	settled bool
}

// of is the SHA-256 of a file, as sha256:<hex>.
func (c *digestCache) of(ctx context.Context, path string) (string, error) {
	// The caller saw a file. It may be a link by now, or a pipe, whose opening would never end.
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	if info.Size() < cacheFrom {
		return sum(ctx, file)
	}
	state := c.stateOf(info)
	if known, ok := c.lookup(path); ok && known.matches(state) {
		return known.Digest, nil
	}
	digest, err := sum(ctx, file)
	if err != nil {
		return "", fmt.Errorf("hash %s: %w", path, err)
	}
	c.keep(path, state, digest)
	return digest, nil
}

// learn keeps a digest that was computed while the file was written.
func (c *digestCache) learn(path, digest string) {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() < cacheFrom {
		return
	}
	state := c.stateOf(info)
	state.settled = true // nobody else writes a file that was just renamed into place
	c.keep(path, state, digest)
}

func (c *digestCache) stateOf(info os.FileInfo) cachedDigest {
	stat := info.Sys().(*syscall.Stat_t)
	changed := time.Unix(stat.Ctim.Unix())
	return cachedDigest{
		Size: info.Size(), Inode: stat.Ino, Device: stat.Dev,
		Mtime: stat.Mtim.Nano(), Ctime: stat.Ctim.Nano(),
		settled: c.now().Sub(changed) > settleTime,
	}
}

func (d cachedDigest) matches(state cachedDigest) bool {
	return d.Size == state.Size && d.Inode == state.Inode && d.Device == state.Device &&
		d.Mtime == state.Mtime && d.Ctime == state.Ctime
}

func (c *digestCache) lookup(path string) (cachedDigest, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.load()
	known, ok := c.entries[path]
	return known, ok
}

func (c *digestCache) keep(path string, state cachedDigest, digest string) {
	if !state.settled {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.load()
	state.Digest = digest
	c.entries[path] = state
	c.dirty = true
}

// load reads the cache once; one that cannot be read is an empty one.
func (c *digestCache) load() {
	if c.entries != nil {
		return
	}
	c.entries = map[string]cachedDigest{}
	if data, err := os.ReadFile(c.path); err == nil {
		if err := json.Unmarshal(data, &c.entries); err != nil {
			c.entries = map[string]cachedDigest{}
		}
	}
}

// save writes what was learnt, on a host that has Slipway's directory already. The cache
// is no promise: where it cannot be written, the next look takes longer.
func (c *digestCache) save() {
	if !c.saving.TryLock() {
		return // another save runs, and may be stuck
	}
	defer c.saving.Unlock()
	paths := c.unsaved()
	if paths == nil {
		return
	}
	if _, err := os.Stat(filepath.Dir(c.path)); err != nil {
		return
	}
	var gone []string // looked at without the lock: who looks at the host needs that
	for _, path := range paths {
		if _, err := os.Lstat(path); err != nil {
			gone = append(gone, path)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.dirty { // all was dropped meanwhile
		return
	}
	for _, path := range gone {
		delete(c.entries, path)
	}
	data, err := json.Marshal(c.entries)
	if err != nil {
		return
	}
	if writeAtomically(c.path, data, attributes{mode: 0o600}, 0) == nil {
		c.dirty = false
	}
}

// unsaved are the paths of all entries, where some were not saved yet.
func (c *digestCache) unsaved() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.dirty {
		return nil
	}
	return slices.Collect(maps.Keys(c.entries))
}

// drop forgets everything, with the file.
func (c *digestCache) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries, c.dirty = map[string]cachedDigest{}, false
}

// sum hashes a stream.
func sum(ctx context.Context, reader io.Reader) (string, error) {
	hash := sha256.New()
	if _, err := io.Copy(hash, watchedReader{hosts.ContextReader{Context: ctx, In: reader}}); err != nil {
		return "", err
	}
	return "sha256:" + hex.EncodeToString(hash.Sum(nil)), nil
}

// watchedReader notes how much was read.
type watchedReader struct{ hosts.ContextReader }

func (r watchedReader) Read(p []byte) (int, error) {
	n, err := r.ContextReader.Read(p)
	haveRead(r.Context, n)
	return n, err
}
