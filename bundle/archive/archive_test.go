package archive

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-k8s/slipway/bundle"
)

func TestWhatIsWrittenIsRead(t *testing.T) {
	made := newTiny(t)
	a := mustOpen(t, made.write(t))
	if diff := cmp.Diff(made.content.Bill, a.Bill()); diff != "" {
		t.Errorf("the bill changed (-written +read):\n%s", diff)
	}
	for digest, content := range made.blobs {
		if !a.Has(digest) {
			t.Errorf("Has(%s) = false", digest)
			continue
		}
		blob, err := a.Blob(digest)
		must(t, err)
		got, err := io.ReadAll(blob)
		must(t, err)
		if !bytes.Equal(got, content) {
			t.Errorf("blob %s has other bytes", digest)
		}
	}
	if _, err := a.Blob(digestOf([]byte("nothing"))); !errors.Is(err, ErrNoBlob) {
		t.Errorf("a blob that is not there: %v", err)
	}
	must(t, a.Verify(context.Background()))
}

func TestTheSameContentGivesTheSameBytes(t *testing.T) {
	first, second := newTiny(t).write(t), newTiny(t).write(t)
	if !bytes.Equal(readFile(t, first), readFile(t, second)) {
		t.Error("two writings of the same content differ")
	}
	if a, b := mustOpen(t, first), mustOpen(t, second); a.Digest() != b.Digest() {
		t.Errorf("digests %s and %s", a.Digest(), b.Digest())
	}
}

func TestAHostFileComesOutOfItsLayer(t *testing.T) {
	made := newTiny(t)
	a := mustOpen(t, made.write(t))
	file, err := a.OpenFile(context.Background(), made.kube)
	must(t, err)
	content, err := io.ReadAll(file)
	must(t, errors.Join(err, file.Close()))
	if string(content) != tinyFiles["usr/local/bin/kube"] {
		t.Errorf("content %q", content)
	}

	wrong := made.kube
	wrong.Digest = digestOf([]byte("another"))
	file, err = a.OpenFile(context.Background(), wrong)
	must(t, err)
	if _, err := io.ReadAll(file); !errors.Is(err, ErrCorrupt) {
		t.Errorf("content with another digest: %v", err)
	}
	must(t, file.Close())

	absent := made.kube
	absent.Entry = "usr/local/bin/none"
	if _, err := a.OpenFile(context.Background(), absent); err == nil || !strings.Contains(err.Error(), "no entry") {
		t.Errorf("an entry that is not there: %v", err)
	}
	if _, err := a.OpenFile(context.Background(), bundle.HostFile{Path: "/usr/bin/kubelet", Target: "/x"}); err == nil {
		t.Error("a link has no content, but was opened")
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := a.OpenFile(ended, made.kube); !errors.Is(err, context.Canceled) {
		t.Errorf("after cancellation: %v", err)
	}
}

func TestOneFlippedByteIsNamed(t *testing.T) {
	made := newTiny(t)
	path := made.write(t)
	whole := readFile(t, path)
	for digest, content := range made.blobs {
		for _, at := range []int{0, len(content) / 2, len(content) - 1} {
			broken := slices.Clone(whole)
			broken[bytes.Index(whole, content)+at] ^= 0x01
			must(t, os.WriteFile(path, broken, 0o644))
			a := mustOpen(t, path)
			var corrupt *CorruptError
			if err := a.Verify(context.Background()); !errors.As(err, &corrupt) || corrupt.Digest != digest {
				t.Errorf("byte %d of blob %s flipped: %v", at, digest, err)
			}
			if digest == made.kube.Layer && !slices.Contains(corrupt.Components, "kubernetes") {
				t.Errorf("the error does not name the component: %v", corrupt)
			}
		}
	}
}

func TestAFlippedByteBeforeTheBlobsIsSeenAtOnce(t *testing.T) {
	path := newTiny(t).write(t)
	whole := readFile(t, path)
	at := bytes.Index(whole, []byte(`"kubernetesVersion": "v1.36.3"`)) + len(`"kubernetesVersion": "v1`)
	whole[at] = '9'
	must(t, os.WriteFile(path, whole, 0o644))
	if _, err := Open(path); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a changed bill: %v", err)
	}
}

// TestACutBundleIsTruncated cuts everywhere: no cut may pass for a bundle, but that of
// the zeros at the end, which hold nothing.
func TestACutBundleIsTruncated(t *testing.T) {
	path := newTiny(t).write(t)
	whole := readFile(t, path)
	content := len(bytes.TrimRight(whole, "\x00"))
	for cut := 0; cut < len(whole); cut += 61 {
		_, err := read(bytes.NewReader(whole[:cut]), int64(cut))
		switch {
		case cut >= content:
		case err == nil:
			t.Errorf("cut at %d of %d: opened", cut, len(whole))
		case !errors.Is(err, ErrTruncated) && !errors.Is(err, ErrNotBundle):
			t.Errorf("cut at %d of %d: %v", cut, len(whole), err)
		case cut > 8192 && !errors.Is(err, ErrTruncated):
			t.Errorf("cut at %d of %d is not called truncated: %v", cut, len(whole), err)
		}
	}
}

func TestWhatIsNoBundleIsRefusedByName(t *testing.T) {
	tests := []struct {
		name string
		make func(t *testing.T, path string)
		want error
		says string
	}{
		{"nothing there", func(*testing.T, string) {}, fs.ErrNotExist, ""},
		{"an empty file", func(t *testing.T, path string) { must(t, os.WriteFile(path, nil, 0o644)) }, ErrNotBundle, ""},
		{"a folder", func(t *testing.T, path string) { must(t, os.Mkdir(path, 0o755)) }, ErrNotBundle, "directory"},
		{"no tar", func(t *testing.T, path string) {
			must(t, os.WriteFile(path, bytes.Repeat([]byte("not a tar "), 1000), 0o644))
		}, ErrNotBundle, ""},
		{"another tar", func(t *testing.T, path string) {
			must(t, os.WriteFile(path, tarOf(t, map[string]string{"hello": "world"}), 0o644))
		}, ErrNotBundle, "oci-layout"},
		{"an image without a bill", func(t *testing.T, path string) {
			must(t, os.WriteFile(path, tarOf(t, map[string]string{"oci-layout": "{}", "index.json": `{"manifests":[]}`}), 0o644))
		}, ErrNotBundle, "bill of materials"},
		{"a later format", func(t *testing.T, path string) {
			must(t, os.WriteFile(path, tarOf(t, map[string]string{"oci-layout": "{}", "index.json": `{"manifests":[{"artifactType":"application/vnd.slipway.bundle.v7"}]}`}), 0o644))
		}, ErrFormatVersion, "v7"},
		{"a later bill", func(t *testing.T, path string) {
			made := newTiny(t)
			made.content.Bill.APIVersion = "slipway.dev/bundle/v9"
			_, err := Write(path, made.content, nil)
			must(t, err)
		}, ErrFormatVersion, "v9"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "bundle.tar")
			test.make(t, path)
			_, err := Open(path)
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), path) {
				t.Errorf("Open: %v, want %v with %q and the path", err, test.want, test.says)
			}
		})
	}
}

func TestAFailedWriteLeavesWhatWasThere(t *testing.T) {
	made := newTiny(t)
	folder := t.TempDir()
	path := filepath.Join(folder, "bundle.tar")
	must(t, os.WriteFile(path, []byte("the old one"), 0o644))
	open := made.content.Open
	made.content.Open = func(digest string) (io.ReadCloser, error) {
		if digest == made.kube.Layer {
			return nil, errors.New("the disk is gone")
		}
		return open(digest)
	}
	if _, err := Write(path, made.content, nil); err == nil || !strings.Contains(err.Error(), "the disk is gone") {
		t.Errorf("Write: %v", err)
	}
	if got := readFile(t, path); string(got) != "the old one" {
		t.Errorf("the old bundle is now %q", got)
	}
	left, err := os.ReadDir(folder)
	must(t, err)
	if len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

func TestABlobOfAnotherSizeStopsTheWriting(t *testing.T) {
	for name, other := range map[string][]byte{"shorter": []byte("x"), "longer": bytes.Repeat([]byte("x"), 4096)} {
		made := newTiny(t)
		made.blobs[made.kube.Layer] = other
		if _, err := Write(filepath.Join(t.TempDir(), "b.tar"), made.content, nil); err == nil {
			t.Errorf("a %s blob was written", name)
		}
	}
}
