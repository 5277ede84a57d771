package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/slipway-k8s/slipway/bundle"
)

// Verify reads the whole bundle: every blob against its digest, the images' manifests
// against the bill, and the signature against the trusted keys, if there are any.
// It reports every blob that is corrupt, not only the first.
func (a *Archive) Verify(ctx context.Context) error {
	if len(a.keys) > 0 {
		if signature := a.Signature(); signature.State != SignatureTrusted {
			return fmt.Errorf("verify %s: %w: %s", a.path, ErrSignature, signature)
		}
	}
	var corrupt []error
	for _, blob := range append([]bundle.Blob{a.own, a.billRef}, a.bill.Blobs()...) {
		err := a.verifyBlob(ctx, blob)
		switch {
		case errors.Is(err, ErrCorrupt):
			corrupt = append(corrupt, err)
		case err != nil:
			return fmt.Errorf("verify %s: %w", a.path, err)
		}
	}
	for _, image := range a.bill.Images {
		if err := a.verifyImage(image); err != nil {
			corrupt = append(corrupt, err)
		}
	}
	if len(corrupt) > 0 {
		return fmt.Errorf("verify %s: %w", a.path, errors.Join(corrupt...))
	}
	return nil
}

func (a *Archive) verifyBlob(ctx context.Context, blob bundle.Blob) error {
	content, err := a.Blob(blob.Digest)
	if err != nil {
		return err
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, withContext(ctx, content)); err != nil {
		return fmt.Errorf("read blob %s: %w", blob.Digest, err)
	}
	found := "sha256:" + hex.EncodeToString(hash.Sum(nil))
	if found != blob.Digest {
		return a.corrupt(blob.Digest, found)
	}
	return nil
}

// verifyImage compares the manifest, which OCI tools follow, with the bill, which Slipway
// follows: they have to name the same blobs.
func (a *Archive) verifyImage(image bundle.Image) error {
	var manifest struct {
		Config struct{ Digest string }
		Layers []struct{ Digest string }
	}
	if err := a.readJSON(image.Manifest, &manifest); err != nil {
		return err
	}
	same := manifest.Config.Digest == image.Config.Digest && len(manifest.Layers) == len(image.Layers)
	for i := 0; same && i < len(image.Layers); i++ {
		same = manifest.Layers[i].Digest == image.Layers[i].Digest
	}
	if !same {
		return fmt.Errorf("%w: the manifest of image %s and the bill name different blobs", ErrCorrupt, image.Name)
	}
	return nil
}

func (a *Archive) corrupt(digest, found string) error {
	owners := a.bill.Owners(digest)
	if len(owners) == 0 {
		owners = []string{"the bill of materials"}
	}
	return &CorruptError{Digest: digest, Found: found, Owners: owners, Components: a.bill.ComponentsOf(digest)}
}
