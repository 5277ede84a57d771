package build

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/bundle/archive"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestTheBillIsGolden shows, as a diff of one file, every change to what a bundle holds
// and where it goes.
func TestTheBillIsGolden(t *testing.T) {
	_, bill := tinyBundle(t)
	got, err := json.MarshalIndent(bill, "", "  ")
	must(t, err)
	got = append(got, '\n')
	golden := filepath.Join("testdata", "bill.json")
	if *update {
		must(t, os.MkdirAll("testdata", 0o755))
		must(t, os.WriteFile(golden, got, 0o644))
	}
	want, err := os.ReadFile(golden)
	must(t, err)
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("the bill changed (-golden +made); if it should, run with -update:\n%s", diff)
	}
}

func TestTheSameInputsGiveTheSameBundle(t *testing.T) {
	first, _ := tinyBundle(t)
	second, _ := tinyBundle(t)
	a, err := os.ReadFile(first)
	must(t, err)
	b, err := os.ReadFile(second)
	must(t, err)
	if !bytes.Equal(a, b) {
		t.Error("two builds of the same inputs differ")
	}
}

func TestEveryFileOfEverySetIsInItsLayer(t *testing.T) {
	path, bill := tinyBundle(t)
	a, err := archive.Open(path)
	must(t, err)
	defer a.Close() //nolint:errcheck // only read from
	must(t, a.Verify(context.Background()))
	for _, set := range bill.Sets {
		seen := map[string]bool{}
		for _, file := range set.Files {
			if seen[file.Path] {
				t.Errorf("set %s has %s twice", set.Name, file.Path)
			}
			seen[file.Path] = true
			if _, found := bill.Component(file.Component); !found {
				t.Errorf("%s is of the component %q, which the bill does not have", file.Path, file.Component)
			}
			if file.Target != "" {
				continue
			}
			if !slices.ContainsFunc(set.Layers, func(b bundle.Blob) bool { return b.Digest == file.Layer }) {
				t.Errorf("%s lies in a layer that set %s does not name", file.Path, set.Name)
			}
			content, err := a.OpenFile(context.Background(), file)
			must(t, err)
			n, err := io.Copy(io.Discard, content)
			if err := errors.Join(err, content.Close()); err != nil || n != file.Size {
				t.Errorf("%s: %d of %d bytes, %v", file.Path, n, file.Size, err)
			}
		}
	}
}

func TestHostFilesAndImagesShareTheKubernetesLayer(t *testing.T) {
	_, bill := tinyBundle(t)
	node, _ := bill.Set(bundle.SetNode)
	i := slices.IndexFunc(node.Files, func(f bundle.HostFile) bool { return f.Path == "/opt/slipway/bin/kube" })
	if i < 0 {
		t.Fatal("the node set has no kube")
	}
	for _, name := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy"} {
		image, found := bill.Image(name)
		if !found || !slices.ContainsFunc(image.Layers, func(b bundle.Blob) bool { return b.Digest == node.Files[i].Layer }) {
			t.Errorf("image %s does not have the host's kube layer", name)
		}
	}
}

// TestAnotherToolAcceptsTheImages holds every image against an OCI implementation that
// is not ours, and looks for its entrypoint in what that unpacks.
func TestAnotherToolAcceptsTheImages(t *testing.T) {
	path, bill := tinyBundle(t)
	folder := t.TempDir()
	must(t, unpackTar(path, folder))
	index, err := layout.ImageIndexFromPath(folder)
	must(t, err)
	for _, want := range bill.Images {
		hash, err := v1.NewHash(want.Manifest.Digest)
		must(t, err)
		image, err := index.Image(hash)
		must(t, err)
		if err := validate.Image(image, validate.Fast); err != nil {
			t.Errorf("%s: %v", want.Name, err)
		}
		config, err := image.ConfigFile()
		must(t, err)
		if config.OS != "linux" || config.Architecture != "amd64" || len(config.Config.Entrypoint) != 1 {
			t.Errorf("%s is for %s/%s and starts %v", want.Name, config.OS, config.Architecture, config.Config.Entrypoint)
		}
		entries, err := entriesOf(image)
		must(t, err)
		if name := strings.TrimPrefix(config.Config.Entrypoint[0], "/"); !entries[name] {
			t.Errorf("%s starts /%s, which is in none of its layers", want.Name, name)
		}
	}
}

func TestCoreDNSMayBindItsPort(t *testing.T) {
	made := compiled{Programs: []builtFile{{Name: "coredns"}}}
	for _, r := range recipes {
		if r.layer != layerCoreDNS {
			continue
		}
		value := r.files(made)[0].Xattrs["security.capability"]
		const netBindServiceBit = 1 << 10 // CAP_NET_BIND_SERVICE is number 10
		if len(value) != 20 || value[0] != 1 || value[3] != 2 || int(value[4])|int(value[5])<<8 != netBindServiceBit {
			t.Errorf("the capability is % x", value)
		}
	}
}

func TestTheSBOMNamesComponentsAndModules(t *testing.T) {
	path, bill := tinyBundle(t)
	a, err := archive.Open(path)
	must(t, err)
	defer a.Close() //nolint:errcheck // only read from
	var document bundle.Document
	for _, d := range bill.Documents {
		if d.Name == bundle.DocumentSBOM {
			document = d
		}
	}
	content, err := a.Blob(document.Digest)
	must(t, err)
	var read struct {
		BOMFormat, SpecVersion string
		Components             []struct {
			Name, Version, PURL string
			Components          []struct{ PURL string }
		}
	}
	must(t, json.NewDecoder(content).Decode(&read))
	if read.BOMFormat != "CycloneDX" || len(read.Components) != len(bill.Components) {
		t.Fatalf("%s with %d components, want CycloneDX with %d", read.BOMFormat, len(read.Components), len(bill.Components))
	}
	purls := map[string]bool{}
	for _, c := range read.Components {
		purls[c.PURL] = true
		for _, m := range c.Components {
			purls[m.PURL] = true
		}
	}
	for _, want := range []string{"pkg:deb/debian/haproxy@2.6.12-1", "pkg:golang/k8s.io/kubernetes@v1.36.3"} {
		if !purls[want] {
			t.Errorf("no component is %s", want)
		}
	}
}
