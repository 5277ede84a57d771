package build

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path"
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
			if !file.Staged() && set.Name != bundle.SetAgent {
				leadsToStaged(t, set, file)
				continue
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

// leadsToStaged wants of what is in force that it is a link to, or a copy of, a file in a version's
// folder, at once or by a further link.
func leadsToStaged(t *testing.T, set bundle.FileSet, file bundle.HostFile) {
	t.Helper()
	to := file.Target + file.From
	at := slices.IndexFunc(set.Files, func(f bundle.HostFile) bool { return f.Path == to })
	switch {
	case at < 0:
		t.Errorf("%s leads to %q, which set %s does not have", file.Path, to, set.Name)
	case !set.Files[at].Staged():
		leadsToStaged(t, set, set.Files[at])
	case file.From != "" && (file.Digest != set.Files[at].Digest || file.Mode != set.Files[at].Mode || file.Layer != ""):
		t.Errorf("%s is not a copy of %s: %+v, %+v", file.Path, to, file, set.Files[at])
	}
}

// TestVersionsLieBesideEachOther wants of a bundle of another version that it puts nothing where
// this one has something, but for what leads to what is in force.
func TestVersionsLieBesideEachOther(t *testing.T) {
	b := tinyBuilder(t)
	before := tinyParts(t, b)
	other := tinyParts(t, b)
	program := tinyCompiled(t, component{name: "kubernetes", programs: []program{{name: "kube"}}})
	write(t, filepath.Join(program.directory, "bin", "kube"), "I am another kube\n")
	program.Programs[0].Digest, program.Programs[0].Size = sumOf("I am another kube\n"), int64(len("I am another kube\n"))
	layers, err := b.layersOf(context.Background(), program, "kubernetes")
	must(t, err)
	other.add(layers...)
	old, same, changed := makeSets(before.layers, before.root, before.versions), makeSets(before.layers, before.root, before.versions), makeSets(other.layers, other.root, other.versions)
	if diff := cmp.Diff(old, same); diff != "" {
		t.Errorf("the same parts give other sets: %s", diff)
	}
	var differ []string
	for _, folder := range bundle.Folders(changed) {
		if !slices.Contains(bundle.Folders(old), folder) {
			differ = append(differ, folder)
		}
	}
	if len(differ) != 1 || !strings.HasPrefix(differ[0], bundle.ComponentsFolder+"/kubernetes-v1.") {
		t.Errorf("another kube gives the folders %v", differ)
	}
	was := map[string]bundle.HostFile{}
	for _, file := range old[0].Files {
		was[file.Path] = file
	}
	for _, file := range changed[0].Files {
		if have, there := was[file.Path]; there && file.Staged() && have != file {
			t.Errorf("%s is overwritten", file.Path)
		}
	}
}

func TestHostFilesAndImagesShareTheKubernetesLayer(t *testing.T) {
	_, bill := tinyBundle(t)
	node, _ := bill.Set(bundle.SetNode)
	i := slices.IndexFunc(node.Files, func(f bundle.HostFile) bool { return f.Layer != "" && path.Base(f.Path) == "kube" })
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
	for _, want := range []string{"pkg:deb/debian/haproxy@2.6.12-1", "pkg:golang/k8s.io/kubernetes@v1.37.2"} {
		if !purls[want] {
			t.Errorf("no component is %s", want)
		}
	}
}
