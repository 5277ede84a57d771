package archive

import (
	"bytes"
	"context"
	"io"
	"testing"
)

// FuzzRead feeds the reader what it did not write: whatever comes, it may refuse it, but
// not panic, and what it takes for a bundle has to be readable to the end.
func FuzzRead(f *testing.F) {
	whole := readFile(f, newTiny(f).write(f))
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add(tarOf(f, map[string]string{"oci-layout": "{}"}))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, content []byte) {
		a, err := read(bytes.NewReader(content), int64(len(content)))
		if err != nil {
			return
		}
		_ = a.Verify(context.Background()) // may well fail
		_ = a.Signature()
		for _, blob := range a.bill.Blobs() {
			section, err := a.Blob(blob.Digest)
			if err != nil {
				t.Fatalf("blob %s was there when opened: %v", blob.Digest, err)
			}
			if n, err := io.Copy(io.Discard, section); err != nil || n != blob.Size {
				t.Fatalf("blob %s: %d of %d bytes, %v", blob.Digest, n, blob.Size, err)
			}
		}
		for _, set := range a.bill.Sets {
			for _, file := range set.Files {
				if opened, err := a.OpenFile(context.Background(), file); err == nil {
					_, _ = io.Copy(io.Discard, io.LimitReader(opened, 1<<20))
					_ = opened.Close()
				}
			}
		}
	})
}
