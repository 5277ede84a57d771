package archive

import (
	"archive/tar"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/slipway-k8s/slipway/bundle"
)

// Content is what Write makes a bundle of.
type Content struct {
	Bill bundle.Bill
	// Open gives the bytes of a blob that the bill names.
	Open func(digest string) (io.ReadCloser, error)
	// SignKey, where there is one, signs the index.
	SignKey ed25519.PrivateKey
}

// Write writes a bundle to path: under a temporary name beside it, synced, renamed, so
// that path never holds half a bundle. The same content gives the same bytes. It answers
// the digest of the index. progress may be nil.
func Write(path string, content Content, progress func(done, total int64)) (digest string, err error) {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return "", fmt.Errorf("write bundle %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("write bundle %s: %w", path, err), ignoreClosed(file.Close()), os.Remove(file.Name()))
		}
	}()
	if digest, err = writeTo(file, content, progress); err != nil {
		return "", err
	}
	if err := file.Chmod(0o644); err != nil {
		return "", err
	}
	if err := file.Sync(); err != nil {
		return "", err
	}
	if err := file.Close(); err != nil {
		return "", err
	}
	return digest, os.Rename(file.Name(), path)
}

func ignoreClosed(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// writeTo writes the tar: what a reader wants first stands first.
func writeTo(out io.Writer, content Content, progress func(done, total int64)) (digest string, err error) {
	head, index, err := makeHead(content)
	if err != nil {
		return "", err
	}
	writer := tar.NewWriter(out)
	for _, entry := range head {
		if err := writeHeader(writer, entry.name, int64(len(entry.content))); err != nil {
			return "", err
		}
		if _, err := writer.Write(entry.content); err != nil {
			return "", fmt.Errorf("write %s: %w", entry.name, err)
		}
	}
	if err := writeBlobs(writer, content, progress); err != nil {
		return "", err
	}
	if err := writer.Close(); err != nil {
		return "", fmt.Errorf("write the end of the tar: %w", err)
	}
	return digestOf(index), nil
}

type entry struct {
	name    string
	content []byte
}

// makeHead makes everything but the blobs that the bill names.
func makeHead(content Content) (head []entry, index []byte, err error) {
	bill, err := bundle.EncodeBill(content.Bill)
	if err != nil {
		return nil, nil, err
	}
	billBlob := bundle.Blob{MediaType: bundle.MediaTypeBill, Digest: digestOf(bill), Size: int64(len(bill))}
	manifest, err := encode(makeManifest(content.Bill, billBlob))
	if err != nil {
		return nil, nil, fmt.Errorf("encode the bundle's manifest: %w", err)
	}
	own := bundle.Blob{MediaType: ocispec.MediaTypeImageManifest, Digest: digestOf(manifest), Size: int64(len(manifest))}
	if index, err = encode(makeIndex(content.Bill, own)); err != nil {
		return nil, nil, fmt.Errorf("encode the index: %w", err)
	}
	layout, err := encode(ocispec.ImageLayout{Version: ocispec.ImageLayoutVersion})
	if err != nil {
		return nil, nil, fmt.Errorf("encode the layout: %w", err)
	}
	head = []entry{{layoutName, layout}, {indexName, index}}
	if content.SignKey != nil {
		signature, err := sign(content.SignKey, index)
		if err != nil {
			return nil, nil, fmt.Errorf("sign the index: %w", err)
		}
		head = append(head, entry{signatureName, signature})
	}
	return append(head, entry{blobPath(own.Digest), manifest}, entry{blobPath(billBlob.Digest), bill}), index, nil
}

func writeBlobs(writer *tar.Writer, content Content, progress func(done, total int64)) error {
	blobs := content.Bill.Blobs()
	var done, total int64
	for _, blob := range blobs {
		total += blob.Size
	}
	for _, blob := range blobs {
		if err := writeBlob(writer, blob, content.Open); err != nil {
			return fmt.Errorf("write blob %s: %w", blob.Digest, err)
		}
		if done += blob.Size; progress != nil {
			progress(done, total)
		}
	}
	return nil
}

func writeBlob(writer *tar.Writer, blob bundle.Blob, open func(string) (io.ReadCloser, error)) (err error) {
	source, err := open(blob.Digest)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	if err := writeHeader(writer, blobPath(blob.Digest), blob.Size); err != nil {
		return err
	}
	if n, err := io.Copy(writer, source); err != nil {
		return fmt.Errorf("after %d bytes: %w", n, err)
	}
	return nil
}

// writeHeader writes a header that says nothing of when and by whom.
func writeHeader(writer *tar.Writer, name string, size int64) error {
	return writer.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644,
		ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR,
	})
}
