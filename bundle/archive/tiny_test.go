package archive

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/slipway-k8s/slipway/bundle"
)

// tiny is a whole bundle of a few kilobytes: two images that share a layer, and a set
// that shares it with them.
type tiny struct {
	content Content
	blobs   map[string][]byte
	kube    bundle.HostFile
}

var tinyFiles = map[string]string{
	"usr/local/bin/kube": "#!kube " + "all of Kubernetes",
	"etc/motd":           "hello",
}

func newTiny(t testing.TB) *tiny {
	t.Helper()
	made := &tiny{blobs: map[string][]byte{}}
	kube := made.layer(t, "usr/local/bin/kube")
	motd := made.layer(t, "etc/motd")
	made.kube = bundle.HostFile{
		Path: "/opt/slipway/bin/kube", Component: "kubernetes", Layer: kube.Digest, Entry: "usr/local/bin/kube",
		Digest: digestOf([]byte(tinyFiles["usr/local/bin/kube"])), Size: int64(len(tinyFiles["usr/local/bin/kube"])), Mode: 0o755,
	}
	made.content.Bill = bundle.Bill{
		APIVersion: bundle.APIVersion, SlipwayVersion: "v0", KubernetesVersion: "v1.36.3", Source: "source",
		Platform:   bundle.Platform{OS: "linux", Arch: "amd64"},
		Components: []bundle.Component{{Name: "kubernetes", Version: "v1.36.3", Origin: "k8s.io/kubernetes"}},
		Images:     []bundle.Image{made.image(t, "kube-apiserver", kube), made.image(t, "kube-proxy", kube, motd)},
		Sets: []bundle.FileSet{{Name: bundle.SetNode, Layers: []bundle.Blob{kube}, Files: []bundle.HostFile{
			made.kube, {Path: "/usr/bin/kubelet", Component: "kubernetes", Target: "/opt/slipway/bin/kube"},
		}}},
		Documents: []bundle.Document{{Name: bundle.DocumentSBOM, Blob: made.add("application/vnd.cyclonedx+json", []byte(`{"bomFormat":"CycloneDX"}`))}},
	}
	made.content.Open = func(digest string) (io.ReadCloser, error) {
		content, found := made.blobs[digest]
		if !found {
			return nil, fmt.Errorf("no blob %s", digest)
		}
		return io.NopCloser(bytes.NewReader(content)), nil
	}
	return made
}

func (m *tiny) add(mediaType string, content []byte) bundle.Blob {
	blob := bundle.Blob{MediaType: mediaType, Digest: digestOf(content), Size: int64(len(content))}
	m.blobs[blob.Digest] = content
	return blob
}

func (m *tiny) layer(t testing.TB, name string) bundle.Blob {
	t.Helper()
	var plain, packed bytes.Buffer
	writer := tar.NewWriter(&plain)
	must(t, writer.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o755, Size: int64(len(tinyFiles[name])), ModTime: time.Unix(0, 0)}))
	_, err := writer.Write([]byte(tinyFiles[name]))
	must(t, err)
	must(t, writer.Close())
	encoder, err := zstd.NewWriter(&packed)
	must(t, err)
	_, err = encoder.Write(plain.Bytes())
	must(t, err)
	must(t, encoder.Close())
	blob := m.add(ocispec.MediaTypeImageLayerZstd, packed.Bytes())
	blob.DiffID = digestOf(plain.Bytes())
	return blob
}

func (m *tiny) image(t testing.TB, name string, layers ...bundle.Blob) bundle.Image {
	t.Helper()
	config := ocispec.Image{Platform: ocispec.Platform{OS: "linux", Architecture: "amd64"}, RootFS: ocispec.RootFS{Type: "layers"}}
	manifest := ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest}
	for _, layer := range layers {
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, digest.Digest(layer.DiffID))
		manifest.Layers = append(manifest.Layers, descriptorOf(layer))
	}
	image := bundle.Image{Name: name, Tag: "v1.36.3", Layers: layers}
	image.Config = m.add(ocispec.MediaTypeImageConfig, marshal(t, config))
	manifest.Config = descriptorOf(image.Config)
	image.Manifest = m.add(ocispec.MediaTypeImageManifest, marshal(t, manifest))
	return image
}

// write writes the bundle and gives its path.
func (m *tiny) write(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bundle.tar")
	_, err := Write(path, m.content, nil)
	must(t, err)
	return path
}

func marshal(t testing.TB, value any) []byte {
	t.Helper()
	content, err := json.Marshal(value)
	must(t, err)
	return content
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	must(t, err)
	return content
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// mustOpen opens a bundle for the length of the test.
func mustOpen(t testing.TB, path string, options ...Option) *Archive {
	t.Helper()
	a, err := Open(path, options...)
	must(t, err)
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}
