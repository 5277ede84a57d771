package build

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/bundle/archive"
)

// debianOrigin begins the origin of what comes out of Debian's packages.
const debianOrigin = "debian:"

// assembly puts the parts together and remembers where each blob's bytes are.
type assembly struct {
	inMemory map[string][]byte
	onDisk   map[string]string
}

// assemble makes the images, the sets, the documents and the bill.
func (b *builder) assemble(ctx context.Context, p *parts, options Options) (archive.Content, error) {
	a := assembly{inMemory: map[string][]byte{}, onDisk: map[string]string{}}
	bill := bundle.Bill{
		APIVersion:        bundle.APIVersion,
		SlipwayVersion:    options.SlipwayVersion,
		KubernetesVersion: p.versions["kubernetes"],
		Platform:          b.platform,
		Source:            "source",
		Components:        p.components(options),
		Sets:              makeSets(p.layers, p.root, p.versions),
	}
	for _, recipe := range imageRecipes {
		made, err := recipe.makeImage(b.platform, p.versions[recipe.component], p.layers)
		if err != nil {
			return archive.Content{}, err
		}
		a.inMemory[made.image.Config.Digest] = made.config
		a.inMemory[made.image.Manifest.Digest] = made.manifest
		bill.Images = append(bill.Images, made.image)
	}
	licences, err := b.packLicences(ctx, p)
	if err != nil {
		return archive.Content{}, err
	}
	content, blob, err := encodeBlob(makeSBOM(bill, p.modules()), mediaTypeSBOM)
	if err != nil {
		return archive.Content{}, fmt.Errorf("make the SBOM: %w", err)
	}
	a.inMemory[blob.Digest] = content
	bill.Documents = []bundle.Document{
		{Name: bundle.DocumentSBOM, Blob: blob},
		{Name: bundle.DocumentLicences, Blob: licences.blob},
	}
	p.add(licences)
	for _, l := range p.layers {
		a.onDisk[l.blob.Digest] = l.path
	}
	return archive.Content{Bill: bill, Open: a.open}, nil
}

func (a assembly) open(digest string) (io.ReadCloser, error) {
	if content, found := a.inMemory[digest]; found {
		return io.NopCloser(bytes.NewReader(content)), nil
	}
	path, found := a.onDisk[digest]
	if !found {
		return nil, fmt.Errorf("nothing with the digest %s was made", digest)
	}
	return os.Open(path)
}

// components lists what is inside, in the order of the tables.
func (p *parts) components(options Options) []bundle.Component {
	var list []bundle.Component
	own := bundle.Component{
		Name: componentSlipway, Version: options.SlipwayVersion, Origin: "github.com/slipway-k8s/slipway", License: "Apache-2.0",
		Size: p.compiled[componentSlipway].Size,
	}
	list = append(list, own)
	libraries := map[string]debPackage{}
	for _, c := range components {
		made, built := p.compiled[c.name]
		if !built {
			continue
		}
		part := bundle.Component{Name: c.name, Version: p.versions[c.name], Origin: c.origin(), License: c.license, Size: made.Size, Features: c.can(options.Components)}
		for _, m := range made.Modules {
			if m.Path == c.module {
				part.Sum = m.Sum
			}
		}
		list = append(list, part)
		for _, library := range made.Libraries {
			libraries[library.Name] = library
		}
	}
	for _, name := range sortedKeys(libraries) {
		list = append(list, debComponent(libraries[name]))
	}
	for _, deb := range p.root.Packages {
		list = append(list, debComponent(deb))
	}
	return list
}

func debComponent(deb debPackage) bundle.Component {
	part := bundle.Component{Name: deb.Name, Version: deb.Version, Origin: debianOrigin + deb.Name, License: deb.License, Size: deb.Size}
	if deb.SHA256 != "" {
		part.Sum = "sha256:" + deb.SHA256
	}
	return part
}

// modules tells which Go modules are in each component.
func (p *parts) modules() map[string][]module {
	modules := map[string][]module{}
	for name, made := range p.compiled {
		modules[name] = made.Modules
	}
	return modules
}

// packLicences makes one layer of all licence texts, a folder for each component.
func (b *builder) packLicences(ctx context.Context, p *parts) (layer, error) {
	var files []layerFile
	for _, name := range sortedKeys(p.compiled) {
		more, err := textsBelow(filepath.Join(p.compiled[name].directory, "licences"), "licences/"+name)
		if err != nil {
			return layer{}, fmt.Errorf("gather the licences of %s: %w", name, err)
		}
		files = append(files, more...)
	}
	more, err := textsBelow(filepath.Join(p.root.directory, "licences"), "licences/debian")
	if err != nil {
		return layer{}, fmt.Errorf("gather the licences of Debian's packages: %w", err)
	}
	return b.pack(ctx, layerLicences, append(files, more...))
}

// textsBelow makes entries of every file below a folder, which need not exist.
func textsBelow(folder, prefix string) ([]layerFile, error) {
	var files []layerFile
	if _, err := os.Stat(folder); err != nil {
		return nil, nil
	}
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		below, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		file, err := fromFile(prefix+"/"+filepath.ToSlash(below), path, "", 0o644)
		files = append(files, file)
		return err
	})
	return files, err
}
