//go:build linux

package local

import (
	"bytes"
	"io"
	"testing"
)

// loosened counts what lies in a file and was not synced.
type loosened struct{ loose, most, all int }

func (f *loosened) Write(p []byte) (int, error) {
	f.loose += len(p)
	f.most, f.all = max(f.most, f.loose), f.all+len(p)
	return len(p), nil
}

func (f *loosened) Sync() error {
	f.loose = 0
	return nil
}

// TestALargeFileIsSyncedWhileItIsWritten: else its last sync takes minutes on a slow disk,
// in which nothing is told.
func TestALargeFileIsSyncedWhileItIsWritten(t *testing.T) {
	const size = 5*syncEvery + 7
	file := &loosened{}
	if _, err := io.Copy(&syncingWriter{file: file}, io.LimitReader(zeros{}, size)); err != nil {
		t.Fatal(err)
	}
	if file.all != size || file.most > syncEvery+(1<<20) {
		t.Errorf("%d bytes were written, and up to %d at once not synced", file.all, file.most)
	}
	small := &loosened{}
	if _, err := io.Copy(&syncingWriter{file: small}, bytes.NewReader(make([]byte, 1<<20))); err != nil || small.loose != 1<<20 {
		t.Errorf("a small file is synced before its end: %d bytes are loose, %v", small.loose, err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }
