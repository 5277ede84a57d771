// Package images reads the user's own images out of the files that docker, podman, buildx,
// skopeo and crane write, into what a host is asked to load.
//
// It reads what `docker save` writes (docker-archive) and OCI image layouts, both as a tar,
// plain or compressed by gzip or zstd, and layouts as a folder too. A name becomes the one
// under which the runtime looks for it: app:1 is docker.io/library/app:1.
package images

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/distribution/reference"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/hosts"
)

// Image is what there is of an image for one platform.
type Image struct {
	Load hosts.LoadImage
	// Platform is the zero value where the image does not say what it is for.
	Platform bundle.Platform
}

// Set is the images of some files, and their blobs. What is compressed, or lies in a tar in
// any order, is written once to a private folder.
type Set struct {
	ctx    context.Context // Read's, and of use to it alone
	folder string
	images []Image
	blobs  map[string]hosts.Blob
}

// Read reads the images of these files. as, where it is not empty, is what to call the one
// image that is in them, whatever its name there; without a tag it takes the image's.
// When ctx ends, it gives up with ctx's error, and leaves nothing behind.
func Read(ctx context.Context, paths []string, as string) (*Set, error) {
	folder, err := os.MkdirTemp("", "slipway-images-*")
	if err != nil {
		return nil, fmt.Errorf("make a folder for images: %w", err)
	}
	set := &Set{ctx: ctx, folder: folder, blobs: map[string]hosts.Blob{}}
	var found []found
	for _, path := range paths {
		more, err := set.read(path)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("read images from %s: %w", path, err), set.Close())
		}
		for _, one := range more {
			found = joined(found, one) // a file may be given twice, and an image be in two
		}
	}
	if err := set.name(found, as); err != nil {
		return nil, errors.Join(err, set.Close())
	}
	return set, nil
}

// Images are the images, those of one name beside each other, the one that the most
// processors of its platform run first.
func (s *Set) Images() []Image { return s.images }

// Blob is the blob of this digest.
func (s *Set) Blob(digest string) (hosts.Blob, bool) {
	blob, ok := s.blobs[digest]
	return blob, ok
}

// Close removes what was written.
func (s *Set) Close() error { return os.RemoveAll(s.folder) }

// found is an image of a file, before it has its full name.
type found struct {
	path  string
	names []string // as the file has them
	tag   string   // where the file has a tag alone
	// variants are the image for each of its platforms.
	variants []Image
}

// name gives the images their full names.
func (s *Set) name(all []found, as string) error {
	if as != "" {
		if len(all) != 1 {
			return fmt.Errorf("name the image %s: there are %d images, and the name is for one: give one file with one image", as, len(all))
		}
		named, err := reference.ParseNormalizedNamed(as)
		if err != nil {
			return fmt.Errorf("name the image %s: %w", as, err)
		}
		if all[0].tag = all[0].anyTag(); reference.IsNameOnly(named) && all[0].tag != "" {
			as += ":" + all[0].tag
		}
		all[0].names = []string{as}
	}
	from := map[string]string{}
	for _, image := range all {
		if len(image.names) == 0 {
			return fmt.Errorf("read images from %s: an image in it has no name%s: save it by name and tag, or give the name by --name", image.path, tagAlone(image.tag))
		}
		var full []string
		for _, name := range image.names {
			reference, err := hosts.ImageName(name)
			if err != nil {
				return fmt.Errorf("read images from %s: %w", image.path, err)
			}
			if !slices.Contains(full, reference) {
				full = append(full, reference)
			}
		}
		for _, reference := range full {
			if other, taken := from[reference]; taken {
				return fmt.Errorf("read images from %s: another image, from %s, has the name %s too", image.path, other, reference)
			}
			from[reference] = image.path
			for _, variant := range image.variants {
				variant.Load.Reference = reference
				s.images = append(s.images, variant)
			}
		}
	}
	return nil
}

// anyTag is the tag that the image has in its file; empty where it has none.
func (f found) anyTag() string {
	for _, name := range f.names {
		if named, err := reference.ParseNormalizedNamed(name); err == nil {
			if tagged, ok := named.(reference.Tagged); ok {
				return tagged.Tag()
			}
		}
	}
	return f.tag
}

func tagAlone(tag string) string {
	if tag == "" {
		return ""
	}
	return fmt.Sprintf(", only the tag %q", tag)
}

// writeStream writes a stream to a new file of this user only.
func writeStream(path string, content io.Reader) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	return errors.Join(err, file.Close())
}
