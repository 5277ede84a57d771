package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// TestAnotherToolAcceptsTheLayout holds the bundle against an OCI implementation that is
// not ours: it has to find every image in the index by its name and find nothing wrong
// with its manifest, config and layers, and to find the bill as an artifact beside them.
func TestAnotherToolAcceptsTheLayout(t *testing.T) {
	made := newTiny(t)
	folder := t.TempDir()
	unpack(t, made.write(t), folder)
	root, err := layout.ImageIndexFromPath(folder)
	must(t, err)
	manifest, err := root.IndexManifest()
	must(t, err)
	images := map[string]v1.Image{}
	for _, descriptor := range manifest.Manifests {
		image, err := root.Image(descriptor.Digest)
		must(t, err)
		images[descriptor.Annotations["org.opencontainers.image.ref.name"]] = image
	}
	for _, want := range made.content.Bill.Images {
		image, found := images[want.Reference("registry.k8s.io")]
		if !found {
			t.Fatalf("the index has no %s", want.Name)
		}
		if err := validate.Image(image, validate.Fast); err != nil {
			t.Errorf("%s: %v", want.Name, err)
		}
		checkLayers(t, want.Name, image, len(want.Layers))
	}
	own, found := images[""]
	if !found {
		t.Fatal("the index has no manifest of the bundle itself")
	}
	bill, err := own.RawConfigFile()
	must(t, err)
	if !bytes.Contains(bill, []byte(`"kubernetesVersion": "v1.36.3"`)) {
		t.Errorf("the config of the bundle's manifest is %s", bill)
	}
}

// checkLayers has the other tool unpack every layer. Its validate cannot: that knows no
// compression but gzip, while the rest of it knows zstd.
func checkLayers(t *testing.T, name string, image v1.Image, want int) {
	t.Helper()
	layers, err := image.Layers()
	must(t, err)
	if len(layers) != want {
		t.Errorf("%s has %d layers, want %d", name, len(layers), want)
	}
	for _, layer := range layers {
		content, err := layer.Uncompressed()
		must(t, err)
		found, _, err := v1.SHA256(content)
		must(t, errors.Join(err, content.Close()))
		if promised, err := layer.DiffID(); err != nil || promised != found {
			t.Errorf("%s: a layer unpacks to %s, its config says %s: %v", name, found, promised, err)
		}
	}
}

// unpack unpacks a bundle as tar would.
func unpack(t *testing.T, path, folder string) {
	t.Helper()
	reader := tar.NewReader(bytes.NewReader(readFile(t, path)))
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		must(t, err)
		content, err := io.ReadAll(reader)
		must(t, err)
		to := filepath.Join(folder, header.Name)
		must(t, os.MkdirAll(filepath.Dir(to), 0o755))
		must(t, os.WriteFile(to, content, 0o644))
	}
}
