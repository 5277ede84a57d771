package images

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/hosts"
)

// readDocker reads what `docker save` writes: manifest.json names the images.
func (s *Set) readDocker(origin, plain string) ([]found, error) {
	opener := func() (io.ReadCloser, error) { return open(s.ctx, plain) }
	manifest, err := tarball.LoadManifest(opener)
	if err != nil {
		return nil, err
	}
	if len(manifest) == 0 {
		return nil, errors.New("its manifest.json names no image")
	}
	var all []found
	for _, descriptor := range manifest {
		image := found{path: origin, names: descriptor.RepoTags}
		if len(image.names) == 0 && len(manifest) > 1 { // --name could not say which one it names
			return nil, fmt.Errorf("one of its %d images has no name: save each by name and tag, or that one alone, and give its name by --name", len(manifest))
		}
		var tag *name.Tag // names the image to the library where it is not the only one
		if len(manifest) > 1 {
			parsed, err := name.NewTag(image.names[0])
			if err != nil {
				return nil, err
			}
			tag = &parsed
		}
		content, err := tarball.Image(opener, tag)
		if err != nil {
			return nil, err
		}
		variant, err := s.add(content, s.copyLayer)
		if err != nil {
			return nil, err
		}
		image.variants = []Image{variant}
		all = append(all, image)
	}
	return all, nil
}

// copyLayer writes a layer to the folder: the tar holds it in any place, and perhaps not
// compressed as its digest has it.
func (s *Set) copyLayer(descriptor v1.Descriptor, layer v1.Layer) (hosts.Blob, error) {
	path := filepath.Join(s.folder, descriptor.Digest.Hex)
	content, err := layer.Compressed()
	if err != nil {
		return hosts.Blob{}, err
	}
	defer content.Close()
	if err := writeStream(path, content); err != nil {
		return hosts.Blob{}, err
	}
	return fileBlob(path, descriptor), nil
}

// add makes of one image what a host loads, and keeps its blobs; blob gives a layer's.
func (s *Set) add(image v1.Image, blob func(v1.Descriptor, v1.Layer) (hosts.Blob, error)) (Image, error) {
	manifest, err := image.Manifest()
	if err != nil {
		return Image{}, err
	}
	made, err := s.addManifest(image, manifest)
	if err != nil {
		return Image{}, err
	}
	layers, err := image.Layers()
	if err != nil {
		return Image{}, err
	}
	for i, layer := range layers {
		ref := manifest.Layers[i].Digest.String()
		if _, there := s.blobs[ref]; !there {
			if s.blobs[ref], err = blob(manifest.Layers[i], layer); err != nil {
				delete(s.blobs, ref)
				return Image{}, err
			}
		}
		made.Load.Blobs = append(made.Load.Blobs, imageBlob(manifest.Layers[i]))
	}
	return made, nil
}

// addManifest is add for all but the layers: the manifest and the image's settings.
func (s *Set) addManifest(image v1.Image, manifest *v1.Manifest) (Image, error) {
	raw, err := image.RawManifest()
	if err != nil {
		return Image{}, err
	}
	digest, err := image.Digest()
	if err != nil {
		return Image{}, err
	}
	mediaType, err := image.MediaType()
	if err != nil {
		return Image{}, err
	}
	config, err := image.RawConfigFile()
	if err != nil {
		return Image{}, err
	}
	settings, err := image.ConfigFile()
	if err != nil {
		return Image{}, err
	}
	s.blobs[digest.String()] = hosts.ContentBlob(raw)
	s.blobs[manifest.Config.Digest.String()] = hosts.ContentBlob(config)
	made := Image{
		Load: hosts.LoadImage{
			Manifest: hosts.ImageBlob{MediaType: string(mediaType), Digest: digest.String(), Size: int64(len(raw))},
			Blobs:    []hosts.ImageBlob{imageBlob(manifest.Config)},
		},
	}
	if settings.OS != "" && settings.Architecture != "" {
		made.Platform = bundle.Platform{OS: settings.OS, Arch: settings.Architecture}
	}
	return made, nil
}
