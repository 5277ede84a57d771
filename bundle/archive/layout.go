package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/slipway-k8s/slipway/bundle"
)

// The names in the tar that the OCI image layout gives, and our one addition to it.
const (
	layoutName    = "oci-layout"
	indexName     = "index.json"
	signatureName = "slipway.sig"
	blobPrefix    = "blobs/sha256/"
)

// The bundle's own manifest is known by its artifact type, which carries the version of
// the format: another version is another type.
const (
	artifactFamily = "application/vnd.slipway.bundle."
	artifactType   = artifactFamily + "v1"
)

// Bounds on what is read into memory.
const (
	maxIndex = 4 << 20
	maxBill  = 32 << 20
)

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// blobPath is a blob's name in the tar.
func blobPath(digest string) string {
	return blobPrefix + strings.TrimPrefix(digest, "sha256:")
}

// load reads the index, the bundle's own manifest and the bill.
func (a *Archive) load() error {
	if _, found := a.entries[layoutName]; !found {
		return fmt.Errorf("%w: it has no %s", ErrNotBundle, layoutName)
	}
	at, found := a.entries[indexName]
	if !found {
		return fmt.Errorf("%w: it has no %s", ErrNotBundle, indexName)
	}
	if at.size > maxIndex {
		return fmt.Errorf("%w: its %s is %d bytes long", ErrNotBundle, indexName, at.size)
	}
	a.index = make([]byte, at.size)
	if _, err := a.file.ReadAt(a.index, at.offset); err != nil && err != io.EOF {
		return fmt.Errorf("read %s: %w", indexName, err)
	}
	if signature := a.Signature(); a.demand && signature.State != SignatureTrusted {
		return &SignatureError{Signature: signature, Digest: a.Digest()}
	}
	var index ocispec.Index
	if err := json.Unmarshal(a.index, &index); err != nil {
		return fmt.Errorf("%w: read %s: %w", ErrNotBundle, indexName, err)
	}
	own, err := ownManifest(index)
	if err != nil {
		return err
	}
	a.own = blobOf(own)
	return a.loadBill()
}

// ownManifest finds the one manifest of the index that is the bundle's.
func ownManifest(index ocispec.Index) (ocispec.Descriptor, error) {
	for _, descriptor := range index.Manifests {
		switch {
		case descriptor.ArtifactType == artifactType:
			return descriptor, nil
		case strings.HasPrefix(descriptor.ArtifactType, artifactFamily):
			return descriptor, fmt.Errorf("%w: it is %s, this Slipway reads %s", ErrFormatVersion,
				strings.TrimPrefix(descriptor.ArtifactType, artifactFamily), strings.TrimPrefix(artifactType, artifactFamily))
		}
	}
	return ocispec.Descriptor{}, fmt.Errorf("%w: an OCI image layout, but without a bill of materials", ErrNotBundle)
}

func (a *Archive) loadBill() error {
	var manifest ocispec.Manifest
	if err := a.readJSON(a.own, &manifest); err != nil {
		return fmt.Errorf("read the bundle's manifest: %w", err)
	}
	a.billRef = blobOf(manifest.Config)
	if a.billRef.MediaType != bundle.MediaTypeBill {
		return fmt.Errorf("%w: its bill is %s, this Slipway reads %s", ErrFormatVersion, a.billRef.MediaType, bundle.MediaTypeBill)
	}
	var versioned struct {
		APIVersion string `json:"apiVersion"`
	}
	if err := a.readJSON(a.billRef, &versioned); err != nil {
		return fmt.Errorf("read the bill: %w", err)
	}
	if versioned.APIVersion != bundle.APIVersion {
		return fmt.Errorf("%w: its bill is %q, this Slipway reads %s", ErrFormatVersion, versioned.APIVersion, bundle.APIVersion)
	}
	if err := a.readJSON(a.billRef, &a.bill); err != nil {
		return fmt.Errorf("read the bill: %w", err)
	}
	return nil
}

// readJSON reads a small blob, checks it against its digest and decodes it.
func (a *Archive) readJSON(blob bundle.Blob, into any) error {
	at, found := a.entries[blobPath(blob.Digest)]
	if !found {
		return fmt.Errorf("%w: blob %s is not there", ErrTruncated, blob.Digest)
	}
	if at.size > maxBill {
		return fmt.Errorf("%w: blob %s is %d bytes long", ErrNotBundle, blob.Digest, at.size)
	}
	content := make([]byte, at.size)
	if _, err := a.file.ReadAt(content, at.offset); err != nil && err != io.EOF {
		return fmt.Errorf("read blob %s: %w", blob.Digest, err)
	}
	if found := digestOf(content); found != blob.Digest {
		return &CorruptError{Digest: blob.Digest, Found: found, Owners: []string{"the bill of materials"}}
	}
	if err := json.Unmarshal(content, into); err != nil {
		return fmt.Errorf("%w: blob %s: %w", ErrNotBundle, blob.Digest, err)
	}
	return nil
}

// complete checks that every blob of the bill is there and as long as it should be.
func (a *Archive) complete() error {
	for _, blob := range a.bill.Blobs() {
		at, found := a.entries[blobPath(blob.Digest)]
		if !found {
			return fmt.Errorf("%w: blob %s (%s) is not in it", ErrTruncated, blob.Digest, strings.Join(a.bill.Owners(blob.Digest), ", "))
		}
		if at.size != blob.Size {
			return fmt.Errorf("%w: blob %s (%s) is %d bytes long, not %d", ErrCorrupt, blob.Digest, strings.Join(a.bill.Owners(blob.Digest), ", "), at.size, blob.Size)
		}
	}
	return nil
}

// makeManifest is the bundle's own manifest: the bill is its config, and everything that
// no image's manifest names is among its layers, so that any OCI tool copies the whole.
func makeManifest(bill bundle.Bill, billBlob bundle.Blob) ocispec.Manifest {
	manifest := ocispec.Manifest{
		Versioned:    specs.Versioned{SchemaVersion: 2},
		MediaType:    ocispec.MediaTypeImageManifest,
		ArtifactType: artifactType,
		Config:       descriptorOf(billBlob),
		Layers:       []ocispec.Descriptor{},
	}
	seen := map[string]bool{}
	add := func(blob bundle.Blob) {
		if !seen[blob.Digest] {
			seen[blob.Digest] = true
			manifest.Layers = append(manifest.Layers, descriptorOf(blob))
		}
	}
	for _, set := range bill.Sets {
		for _, layer := range set.Layers {
			add(layer)
		}
	}
	for _, document := range bill.Documents {
		add(document.Blob)
	}
	return manifest
}

// makeIndex lists the bundle's own manifest first and then every image under its name.
func makeIndex(bill bundle.Bill, own bundle.Blob) ocispec.Index {
	platform := &ocispec.Platform{OS: bill.Platform.OS, Architecture: bill.Platform.Arch}
	first := descriptorOf(own)
	first.ArtifactType = artifactType
	first.Platform = platform
	index := ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ocispec.MediaTypeImageIndex,
		Manifests: []ocispec.Descriptor{first},
	}
	for _, image := range bill.Images {
		descriptor := descriptorOf(image.Manifest)
		descriptor.Platform = platform
		descriptor.Annotations = map[string]string{
			ocispec.AnnotationRefName:  image.Reference(bundle.DefaultImageRepository),
			"io.containerd.image.name": image.Reference(bundle.DefaultImageRepository),
		}
		index.Manifests = append(index.Manifests, descriptor)
	}
	return index
}

func descriptorOf(blob bundle.Blob) ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: blob.MediaType, Digest: digest.Digest(blob.Digest), Size: blob.Size}
}

func blobOf(descriptor ocispec.Descriptor) bundle.Blob {
	return bundle.Blob{MediaType: descriptor.MediaType, Digest: descriptor.Digest.String(), Size: descriptor.Size}
}

// encode is the one way JSON is written into a bundle: no escaping that would make two
// encoders differ, two spaces, a newline at the end.
func encode(value any) ([]byte, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return buffer.Bytes(), nil
}
