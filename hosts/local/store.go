//go:build linux

package local

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/slipway-k8s/slipway/hosts"
)

// store is the host's content-addressed store: blobs as files, secrets in memory.
type store struct {
	dir string // blobs lie in dir/sha256, backups in dir/backup

	// using is locked for reading while blobs are read, for writing while they are removed.
	using *sync.RWMutex

	mu      *sync.Mutex
	secrets map[string]secret // by Ref
}

// secret is content that is never written to the store, only to its own path.
type secret struct {
	content []byte
	sha256  string
}

var (
	contentRef = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	secretRef  = regexp.MustCompile(`^secret:[0-9a-f]{16,128}$`)
	hexDigest  = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

func newStore(dir string) store {
	return store{dir: dir, using: new(sync.RWMutex), mu: new(sync.Mutex), secrets: map[string]secret{}}
}

func (s *store) blobPath(ref string) string {
	return filepath.Join(s.dir, "sha256", strings.TrimPrefix(ref, "sha256:"))
}

// has tells whether a blob is there.
func (s *store) has(ref string) bool {
	if secretRef.MatchString(ref) {
		s.mu.Lock()
		defer s.mu.Unlock()
		_, ok := s.secrets[ref]
		return ok
	}
	if !contentRef.MatchString(ref) {
		return false
	}
	info, err := os.Lstat(s.blobPath(ref))
	return err == nil && info.Mode().IsRegular()
}

// open reads a blob.
func (s *store) open(ref string) (io.ReadCloser, error) {
	if secretRef.MatchString(ref) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if known, ok := s.secrets[ref]; ok {
			return io.NopCloser(bytes.NewReader(known.content)), nil
		}
		return nil, fmt.Errorf("secret content %s was not uploaded over this connection", ref)
	}
	if !contentRef.MatchString(ref) {
		return nil, fmt.Errorf("content %q is neither sha256:<hex> nor secret:<hex>", ref)
	}
	file, err := os.Open(s.blobPath(ref))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("content %s is not in the host's store: it must be uploaded first", ref)
	}
	return file, err
}

// digest is the SHA-256, as sha256:<hex>, of the content that a ref names.
func (s *store) digest(ref string) (string, error) {
	if contentRef.MatchString(ref) {
		return ref, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.secrets[ref]; ok {
		return "sha256:" + known.sha256, nil
	}
	if !secretRef.MatchString(ref) {
		return "", fmt.Errorf("content %q is neither sha256:<hex> nor secret:<hex>", ref)
	}
	return "", fmt.Errorf("secret content %s was not uploaded over this connection", ref)
}

// Has lists those of the refs that are in the host's store.
func (h *Host) Has(_ context.Context, refs []string) ([]string, error) {
	if err := h.enter(); err != nil {
		return nil, failure("look into the store", err)
	}
	defer h.calls.Done()
	var present []string
	for _, ref := range refs {
		if h.store.has(ref) {
			present = append(present, ref)
		}
	}
	return present, nil
}

// Upload brings blobs into the store, each verified while it is copied.
func (h *Host) Upload(ctx context.Context, blobs []hosts.Blob, progress func(hosts.Progress)) error {
	if err := h.enter(); err != nil {
		return failure("upload", err)
	}
	defer h.calls.Done()
	h.store.using.RLock()
	defer h.store.using.RUnlock()
	report, done := guardProgress(progress)
	defer done()
	var missing []hosts.Blob
	p := hosts.Progress{}
	for _, blob := range blobs {
		if err := checkBlob(blob); err != nil {
			return failure("upload", err)
		}
		asked := slices.ContainsFunc(missing, func(b hosts.Blob) bool { return b.Ref == blob.Ref })
		if !asked && !h.store.has(blob.Ref) {
			missing = append(missing, blob)
			p.Total += blob.Size
		}
	}
	if err := h.roomFor(missing); err != nil {
		return err
	}
	for _, blob := range missing {
		p.Note = blob.Ref
		counted := func(n int64) { p.Done += n; report(p) }
		if err := h.store.put(ctx, blob, counted); err != nil {
			return failure("upload "+blob.Ref, err)
		}
	}
	return nil
}

func checkBlob(blob hosts.Blob) error {
	switch {
	case !hexDigest.MatchString(blob.SHA256):
		return fmt.Errorf("blob %q has no SHA-256", blob.Ref)
	case blob.Secret && secretRef.MatchString(blob.Ref):
		return nil
	case !blob.Secret && blob.Ref == "sha256:"+blob.SHA256:
		return nil
	default:
		return fmt.Errorf("blob %q is not called by its content", blob.Ref)
	}
}

// roomFor refuses early what cannot fit.
func (h *Host) roomFor(blobs []hosts.Blob) error {
	var need int64
	for _, blob := range blobs {
		if !blob.Secret {
			need += blob.Size
		}
	}
	free, _, err := space(h.store.dir)
	if err != nil || need <= free {
		return nil // where the room cannot be told, writing will tell
	}
	return &hosts.Error{
		Kind: hosts.KindDiskFull,
		Op:   "upload",
		Err:  fmt.Errorf("%d MiB are needed and %d MiB are free below %s", (need>>20)+1, free>>20, h.stateDir),
		Fix:  fmt.Sprintf("free %d MiB there and run the same command again", (need-free)>>20+1),
	}
}

// put copies one blob in and verifies it.
func (s *store) put(ctx context.Context, blob hosts.Blob, counted func(int64)) error {
	source, err := blob.Open()
	if err != nil {
		return err
	}
	defer source.Close()
	reader := &verifyingReader{reader: hosts.ContextReader{Context: ctx, In: source}, counted: counted, size: blob.Size, want: blob.SHA256}
	if blob.Secret {
		content, err := io.ReadAll(reader)
		if err != nil {
			return err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.secrets[blob.Ref] = secret{content: content, sha256: blob.SHA256}
		return nil
	}
	temp := ".incoming-" + rand.Text() // of its own: two may upload the same
	return replace(s.blobPath(blob.Ref), temp, modeState, func(dir *folder) error {
		return writeNew(context.Background(), dir, temp, reader, attributes{mode: 0o600})
	})
}

// verifyingReader fails at the end of content that is not what it should be.
type verifyingReader struct {
	reader  io.Reader
	counted func(int64)
	size    int64
	want    string
	read    int64
	hash    hash.Hash
}

func (v *verifyingReader) Read(p []byte) (int, error) {
	if v.hash == nil {
		v.hash = sha256.New()
	}
	n, err := v.reader.Read(p)
	if n > 0 {
		_, _ = v.hash.Write(p[:n]) // a hash never fails
		v.read += int64(n)
		v.counted(int64(n))
	}
	if err == io.EOF {
		if v.read != v.size {
			return n, fmt.Errorf("it has %d bytes and should have %d", v.read, v.size)
		}
		if got := hex.EncodeToString(v.hash.Sum(nil)); got != v.want {
			return n, errors.New("its content is not what its digest says: it was damaged, or changed meanwhile")
		}
	}
	return n, err
}

// tidyStore removes blobs, and what uploads and proofs of snapshots that were cut off have left; backups stay.
func (h *Host) tidyStore(ctx context.Context, a hosts.TidyStore, report func(hosts.Progress)) (hosts.Outcome, error) {
	proof := h.state(proofFolder)
	defer h.paths.lock(proof)()
	h.store.using.Lock()
	defer h.store.using.Unlock()
	dir := filepath.Join(h.store.dir, "sha256")
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return hosts.Outcome{}, err
	}
	restored, err := lstat(proof)
	if err != nil || len(entries) == 0 && restored == nil {
		return unchanged, err
	}
	return h.apply(ctx, change{
		action: a,
		detail: fmt.Sprintf("%d blobs", len(entries)),
		act: func(ctx context.Context) error {
			if err := removeAll(ctx, proof, counting(report)); err != nil || len(entries) == 0 {
				return err
			}
			blobs, err := openFolder(dir)
			if err != nil {
				return err
			}
			defer blobs.Close()
			return emptyTree(ctx, blobs, counting(report))
		},
	})
}
