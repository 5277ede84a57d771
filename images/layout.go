package images

import (
	"archive/tar"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/slipway-k8s/slipway/hosts"
)

// Where the name of an image stands in a layout's index: containerd's and buildx's
// annotation is always the whole name, OCI's may be a tag alone.
const annotationImageName = "io.containerd.image.name"

// maxDepth bounds how deep indexes may lie in each other.
const maxDepth = 4

// layoutEntry is what of a layout's tar is unpacked, and nothing else.
var layoutEntry = regexp.MustCompile(`^(index\.json|oci-layout|blobs/sha256/[0-9a-f]{64})$`)

// unpackLayout puts a layout that lies in a tar into a folder.
func (s *Set) unpackLayout(plain string) (string, error) {
	folder, err := os.MkdirTemp(s.folder, "layout-*")
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Join(folder, "blobs", "sha256"), 0o700); err != nil {
		return "", err
	}
	err = eachEntry(s.ctx, plain, func(entry string, header *tar.Header, content io.Reader) error {
		if header.Typeflag != tar.TypeReg || !layoutEntry.MatchString(entry) {
			return nil
		}
		err := writeStream(filepath.Join(folder, filepath.FromSlash(entry)), content)
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%s is in the tar twice", entry)
		}
		return err
	})
	return folder, err
}

// readLayout reads an OCI image layout: index.json names the images.
func (s *Set) readLayout(origin, folder string) ([]found, error) {
	index, err := layout.ImageIndexFromPath(folder)
	if err != nil {
		return nil, err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, fmt.Errorf("read index.json: %w", err)
	}
	reader := layoutReader{set: s, folder: folder}
	var all []found
	for _, descriptor := range manifest.Manifests {
		variants, err := reader.variants(index, descriptor, 0)
		if err != nil {
			return nil, err
		}
		if len(variants) == 0 {
			continue // a signature, an attestation or another artifact, but no image
		}
		one := found{path: origin}
		one.names, one.tag = namesOf(descriptor.Annotations)
		for _, variant := range variants {
			one.variants = append(one.variants, variant.Image)
		}
		all = merged(all, one)
	}
	if len(all) == 0 {
		return nil, errors.New("the OCI image layout holds no image")
	}
	return all, nil
}

// merged adds an image; what has the name of another is that one for one more platform, and
// what has the same content is that one by one more name.
func merged(all []found, one found) []found {
	for i := range all {
		if sameContent(all[i], one) {
			break
		}
		if len(one.names) > 0 && slices.Equal(all[i].names, one.names) {
			all[i].variants = append(all[i].variants, one.variants...)
			return all
		}
	}
	return joined(all, one)
}

// joined adds an image; what has the same content as another is that one by its names too.
func joined(all []found, one found) []found {
	for i := range all {
		if sameContent(all[i], one) {
			all[i].names = append(all[i].names, one.names...)
			all[i].tag = cmp.Or(all[i].tag, one.tag)
			return all
		}
	}
	return append(all, one)
}

func sameContent(a, b found) bool { return slices.Equal(digests(a.variants), digests(b.variants)) }

func digests(images []Image) []string {
	var found []string
	for _, image := range images {
		found = append(found, image.Load.Manifest.Digest)
	}
	return found
}

// namesOf are an image's names in a layout's index; where there is only a tag, that.
func namesOf(annotations map[string]string) (names []string, tag string) {
	if name := annotations[annotationImageName]; name != "" {
		return []string{name}, ""
	}
	name := annotations[ocispec.AnnotationRefName]
	if strings.ContainsAny(name, "/:@") {
		return []string{name}, ""
	}
	return nil, name
}

type layoutReader struct {
	set    *Set
	folder string
}

// variant is an image for a platform and a processor's variant of it.
type variant struct {
	Image
	processor string // v7, v8, v3 …; empty: any of the architecture
}

// variants are the images that a descriptor of an index leads to. An index may name more
// platforms than were saved with it: what is not there at all is left out, as long as
// anything is.
func (r layoutReader) variants(index v1.ImageIndex, descriptor v1.Descriptor, depth int) ([]variant, error) {
	if depth == maxDepth {
		return nil, fmt.Errorf("indexes lie more than %d deep in each other", maxDepth)
	}
	if err := r.check(descriptor); err != nil {
		return nil, err
	}
	switch {
	case descriptor.MediaType.IsImage():
		return r.image(index, descriptor)
	case !descriptor.MediaType.IsIndex():
		return nil, nil
	}
	inner, err := index.ImageIndex(descriptor.Digest)
	if err != nil {
		return nil, err
	}
	manifest, err := inner.IndexManifest()
	if err != nil {
		return nil, fmt.Errorf("read the index %s: %w", descriptor.Digest, err)
	}
	var (
		all     []variant
		missing []error
	)
	for _, child := range manifest.Manifests {
		more, err := r.variants(inner, child, depth+1)
		if errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, err)
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	if len(all) == 0 {
		return nil, errors.Join(missing...)
	}
	slices.SortStableFunc(all, func(a, b variant) int { return cmp.Compare(a.processor, b.processor) })
	return all, nil
}

// image is one image, or nothing where the manifest is another artifact's.
func (r layoutReader) image(index v1.ImageIndex, descriptor v1.Descriptor) ([]variant, error) {
	if descriptor.Annotations["vnd.docker.reference.type"] != "" {
		return nil, nil
	}
	image, err := index.Image(descriptor.Digest)
	if err != nil {
		return nil, err
	}
	manifest, err := image.Manifest()
	if err != nil {
		return nil, fmt.Errorf("read the manifest %s: %w", descriptor.Digest, err)
	}
	if !manifest.Config.MediaType.IsConfig() {
		return nil, nil
	}
	if err := r.check(manifest.Config); err != nil {
		return nil, err
	}
	made, err := r.set.add(image, r.layer)
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	return []variant{{Image: made, processor: config.Variant}}, nil
}

// layer is used where it lies.
func (r layoutReader) layer(descriptor v1.Descriptor, _ v1.Layer) (hosts.Blob, error) {
	if err := r.check(descriptor); err != nil {
		return hosts.Blob{}, err
	}
	return fileBlob(r.path(descriptor), descriptor), nil
}

func (r layoutReader) check(descriptor v1.Descriptor) error {
	if descriptor.Digest.Algorithm != "sha256" {
		return fmt.Errorf("blob %s: only blobs named by sha256 are read", descriptor.Digest)
	}
	err := checkBlob(r.set.ctx, r.path(descriptor), descriptor)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("blob %s is not in it: %w", descriptor.Digest, fs.ErrNotExist)
	}
	return err
}

func (r layoutReader) path(descriptor v1.Descriptor) string {
	return filepath.Join(r.folder, "blobs", "sha256", descriptor.Digest.Hex)
}

// fileBlob is a blob in a file.
func fileBlob(path string, descriptor v1.Descriptor) hosts.Blob {
	return hosts.Blob{
		Ref:    descriptor.Digest.String(),
		SHA256: descriptor.Digest.Hex,
		Size:   descriptor.Size,
		Open:   func() (io.ReadCloser, error) { return os.Open(path) },
	}
}

func imageBlob(d v1.Descriptor) hosts.ImageBlob {
	return hosts.ImageBlob{MediaType: string(d.MediaType), Digest: d.Digest.String(), Size: d.Size}
}

// checkBlob compares a file with the digest and the size that it should have.
func checkBlob(ctx context.Context, path string, descriptor v1.Descriptor) error {
	file, err := open(ctx, path)
	if err != nil {
		return err
	}
	defer file.Close()
	hash := sha256.New()
	size, err := io.Copy(hash, file)
	if err != nil {
		return err
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != descriptor.Digest.Hex || size != descriptor.Size {
		return fmt.Errorf("blob %s is damaged: it has %d bytes and the digest sha256:%s, not %d bytes", descriptor.Digest, size, got, descriptor.Size)
	}
	return nil
}
