package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/bundle/archive"
)

// tinyBuilder builds with everything real but the compilers and apt: what these would
// give is a few bytes each. It compresses in Go, so that the bytes are the same anywhere.
func tinyBuilder(t *testing.T) *builder {
	t.Helper()
	return &builder{
		set: pinnedSet{components: "../components"}, cache: cache{root: t.TempDir()},
		platform:   bundle.Platform{OS: "linux", Arch: "amd64"},
		compressor: compressor{level: levelFast}, tell: func(Progress) {},
	}
}

// tinyParts are parts of fake programs: each says its name.
func tinyParts(t *testing.T, b *builder) *parts {
	t.Helper()
	ctx := context.Background()
	p := &parts{compiled: map[string]compiled{}, versions: map[string]string{}, layers: map[string]layer{}}
	for _, c := range components {
		if c.peer {
			continue
		}
		resolved, err := c.resolve(b.set)
		must(t, err)
		made := tinyCompiled(t, resolved)
		p.addCompiled(c.name, resolved.version, made)
		layers, err := b.layersOf(ctx, made, c.name)
		must(t, err)
		p.add(layers...)
	}
	p.root = tinyRoot(t)
	layers, err := b.rootLayers(ctx, p.root)
	must(t, err)
	p.add(layers...)
	base, err := b.pack(ctx, layerBase, baseFiles())
	must(t, err)
	p.add(base)
	own := tinyCompiled(t, component{name: componentSlipway, programs: []program{{name: agentProgram}}})
	p.addCompiled(componentSlipway, "v0.1.0", own)
	packed, err := b.agentLayer(ctx, own)
	must(t, err)
	p.add(packed)
	return p
}

func tinyCompiled(t *testing.T, c component) compiled {
	t.Helper()
	made := compiled{directory: t.TempDir()}
	for _, program := range c.programs {
		content := "I am " + program.name + "\n"
		write(t, filepath.Join(made.directory, "bin", program.name), content)
		made.Programs = append(made.Programs, builtFile{Name: program.name, Digest: sumOf(content), Size: int64(len(content))})
		made.Size += int64(len(content))
	}
	if c.module != "" {
		made.Modules = []module{{Path: c.module, Version: c.version, Sum: "h1:tiny", License: "Apache-2.0"}}
		write(t, filepath.Join(made.directory, "licences", c.module+"@"+c.version, "LICENSE"), "Apache License Version 2.0\n")
	}
	if c.cgo {
		made.Libraries = []debPackage{{Name: "libc6-dev", Version: "2.36", License: debLicences["libc6-dev"]}}
	}
	return made
}

func tinyRoot(t *testing.T) debRoot {
	t.Helper()
	root := debRoot{
		directory: t.TempDir(), Parts: map[string][]debFile{}, Shared: []string{"usr/lib/libc.so.6"},
		Packages: []debPackage{
			{Name: "haproxy", Version: "2.6.12-1", SHA256: "aa", License: debLicences["haproxy"], Size: 8},
			{Name: "libc6", Version: "2.36-9", SHA256: "bb", Size: 6},
			{Name: "nftables", Version: "1.0.6-2", SHA256: "cc", Size: 4},
		},
	}
	add := func(part, path, owner, content string) {
		write(t, filepath.Join(root.directory, "files", path), content)
		root.Parts[part] = append(root.Parts[part], debFile{Path: path, Owner: owner, Mode: 0o755, Digest: sumOf(content), Size: int64(len(content))})
	}
	add(layerNetTools, "usr/lib/libc.so.6", "libc6", "libc6\n")
	add(layerNetTools, "usr/sbin/nft", "nftables", "nft\n")
	add(layerLoadBalancer, "usr/sbin/haproxy", "haproxy", "haproxy\n")
	write(t, filepath.Join(root.directory, "licences", "haproxy", "copyright"), "GPL\n")
	return root
}

// tinyBundle writes a whole bundle of fake programs and gives its path and bill.
func tinyBundle(t *testing.T) (string, bundle.Bill) {
	t.Helper()
	b := tinyBuilder(t)
	content, err := b.assemble(context.Background(), tinyParts(t, b), Options{SlipwayVersion: "v0.1.0", Components: "../components"})
	must(t, err)
	path := filepath.Join(t.TempDir(), "bundle.tar")
	_, err = archive.Write(path, content, nil)
	must(t, err)
	return path, content.Bill
}

func write(t *testing.T, path, content string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(content), 0o755))
}

func sumOf(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "sha256:" + hex.EncodeToString(sum[:])
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
