package ssh_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/agent"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
)

// randomBytes are the same in every run.
func randomBytes(n int) []byte {
	source := rand.NewChaCha8([32]byte{7})
	content := make([]byte, n)
	_, _ = source.Read(content)
	return content
}

// countedBlob counts the bytes that are read of it.
func countedBlob(content []byte) (hosts.Blob, *int64) {
	var mutex sync.Mutex
	read := new(int64)
	blob := hosttest.Content(content)
	blob.Open = func() (io.ReadCloser, error) {
		return &countedFile{Reader: bytes.NewReader(content), mutex: &mutex, read: read}, nil
	}
	return blob, read
}

type countedFile struct {
	*bytes.Reader
	mutex *sync.Mutex
	read  *int64
}

func (f *countedFile) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	f.mutex.Lock()
	defer f.mutex.Unlock()
	*f.read += int64(n)
	return n, err
}

// WriteTo is hidden: it would not be counted.
func (f *countedFile) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, struct{ io.Reader }{f})
}

func (f *countedFile) Close() error { return nil }

func TestAnUploadThatWasCutOffGoesOn(t *testing.T) {
	const size = 24 << 20
	server := newServer(t)
	o := options(server)
	if err := used(t, o).Close(); err != nil { // the agent is there
		t.Fatal(err)
	}
	blob, read := countedBlob(randomBytes(size))
	server.SetHooks(hosttest.Hooks{Conn: cutAfter(size * 3 / 4)})
	err := connect(t, o).Upload(t.Context(), []hosts.Blob{blob}, nil)
	wantError(t, err, hosts.KindCut, "run the same command again")

	server.SetHooks(hosttest.Hooks{})
	*read = 0
	var last hosts.Progress
	host := connect(t, o)
	if err := host.Upload(t.Context(), []hosts.Blob{blob}, func(p hosts.Progress) { last = p }); err != nil {
		t.Fatal(err)
	}
	if *read == 0 || *read > size/2 {
		t.Errorf("%d of %d bytes were sent again", *read, size)
	}
	if last.Done != size || last.Total != size {
		t.Errorf("the last progress is %+v", last)
	}
	if _, err := host.Do(t.Context(), hosts.WriteFile{Path: "/x", Mode: 0o600, Content: blob.Ref}, nil); err != nil {
		t.Error(err)
	}
}

func TestABadPartialFileIsSentAnew(t *testing.T) {
	content := randomBytes(8 << 20)
	for name, partial := range map[string][]byte{
		"other bytes":       bytes.Repeat([]byte("bad "), 1<<20),
		"of the whole size": make([]byte, len(content)),
		"too long":          make([]byte, len(content)+1),
	} {
		t.Run(name, func(t *testing.T) {
			server := newServer(t)
			host := connect(t, options(server))
			blob := hosttest.Content(content)
			inbox := filepath.Join(server.Directory(), "inbox")
			if err := os.MkdirAll(inbox, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(inbox, agent.InboxName(blob.SHA256)), partial, 0o600); err != nil {
				t.Fatal(err)
			}
			var last hosts.Progress
			if err := host.Upload(t.Context(), []hosts.Blob{blob}, func(p hosts.Progress) { last = p }); err != nil {
				t.Fatal(err)
			}
			if last.Done != blob.Size || last.Total != blob.Size {
				t.Errorf("the last progress is %+v", last)
			}
			if left, err := os.ReadDir(inbox); err != nil || len(left) != 0 {
				t.Errorf("in the inbox is left %v, %v", left, err)
			}
		})
	}
}

func TestAFullDiskIsTold(t *testing.T) {
	server := newServer(t)
	if err := connect(t, options(server)).Close(); err != nil {
		t.Fatal(err)
	}
	server.SetHooks(fullDisk(3 << 20))
	host := connect(t, options(server))
	// The first would fit, but not both: one is refused before, or fails in the middle.
	blobs := []hosts.Blob{hosttest.Content(randomBytes(2 << 20)), hosttest.Content(randomBytes(2<<20 + 1))}
	err := host.Upload(t.Context(), blobs, nil)
	wantError(t, err, hosts.KindDiskFull, "MiB are free there", "free some space below "+filepath.Join(server.Directory(), "inbox"))
	if _, err := host.Observe(t.Context(), hosts.Query{}); err != nil {
		t.Errorf("the connection is gone, too: %v", err)
	}
}

func TestAnUploadCanBeCancelled(t *testing.T) {
	server := newServer(t)
	host := connect(t, options(server))
	ctx, cancel := context.WithCancel(t.Context())
	blob := hosttest.Content(randomBytes(32 << 20))
	err := host.Upload(ctx, []hosts.Blob{blob}, func(p hosts.Progress) {
		if p.Done > 1<<20 {
			cancel()
		}
	})
	cancel()
	if err == nil {
		t.Fatal("it went through")
	}
	if err := host.Upload(t.Context(), []hosts.Blob{blob}, nil); err != nil {
		t.Errorf("the next one: %v", err)
	}
}

func TestUploadsOfTheSameAtOnce(t *testing.T) {
	server := newServer(t)
	host := connect(t, options(server))
	blob, read := countedBlob(randomBytes(4 << 20))
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			if err := host.Upload(t.Context(), []hosts.Blob{blob}, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if *read != blob.Size {
		t.Errorf("%d bytes were sent of a blob of %d", *read, blob.Size)
	}
}

// TestABlobThatFailsLeavesTheConnection to all that goes on over it: another blob, which
// takes longer to end than what is cancelled may, ends when it can.
func TestABlobThatFailsLeavesTheConnection(t *testing.T) {
	host := connect(t, options(newServer(t)))
	short, slow := hosttest.Content(randomBytes(1<<20)), hosttest.Content(randomBytes(1<<20+1))
	begun := make(chan struct{})
	short.Open = func() (io.ReadCloser, error) {
		<-begun
		return nil, errors.New("its file is gone")
	}
	slow.Open = func() (io.ReadCloser, error) {
		close(begun)
		<-time.After(1500 * time.Millisecond) // the disk here is slower than the second of grace
		return io.NopCloser(bytes.NewReader(nil)), nil
	}
	err := host.Upload(t.Context(), []hosts.Blob{short, slow}, nil)
	wantError(t, err, hosts.KindBroken, "its file is gone")
	if _, err := host.Observe(t.Context(), hosts.Query{}); err != nil {
		t.Errorf("the connection is gone, too: %v", err)
	}
}
