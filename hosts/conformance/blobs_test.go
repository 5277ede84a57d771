package conformance

import (
	"bytes"
	"io"
	"sync"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
)

func (t *trial) refusesBadContent() {
	for name, size := range map[string]int{"small": 100, "large": 1 << 20} {
		blob := hosttest.Content(bytes.Repeat([]byte("a"), size))
		blob.Open = func() (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(bytes.Repeat([]byte("b"), size))), nil
		}
		if err := t.host.Upload(t.ctx, []hosts.Blob{blob}, nil); err == nil {
			t.Fatalf("%s content of another digest was taken", name)
		}
		t.fails(t.host, t.write("file", blob, 0o600))
		t.wantNothing("file")
	}
}

func (t *trial) uploadsOnce() {
	small, large := []byte("small"), bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	opens := 0
	var mutex sync.Mutex
	counted := func(blob hosts.Blob) hosts.Blob {
		open := blob.Open
		blob.Open = func() (io.ReadCloser, error) {
			mutex.Lock()
			defer mutex.Unlock()
			opens++
			return open()
		}
		return blob
	}
	blobs := []hosts.Blob{counted(hosttest.Content(small)), counted(hosttest.Content(large)), counted(hosttest.Content(small))}
	var last hosts.Progress
	err := t.host.Upload(t.ctx, blobs, func(p hosts.Progress) {
		if p.Done > p.Total {
			t.Errorf("progress of %d of %d bytes", p.Done, p.Total)
		}
		last = p
	})
	if err != nil {
		t.Fatal(err)
	}
	if last.Done != last.Total || last.Total < int64(len(small)+len(large)) {
		t.Errorf("the last progress is %d of %d", last.Done, last.Total)
	}
	opened := opens
	if err := t.host.Upload(t.ctx, blobs, nil); err != nil {
		t.Fatal(err)
	}
	if opens != opened {
		t.Errorf("what the host had was read again")
	}
	t.do(t.write("large", blobs[1], 0o600), hosts.Changed)
	t.wantFile("large", string(large), 0o600)
}
