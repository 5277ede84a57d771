package images

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/slipway-k8s/slipway/hosts"
)

// bytesBlob is a blob in memory.
func bytesBlob(digest v1.Hash, content []byte) hosts.Blob {
	return hosts.Blob{
		Ref:    digest.String(),
		SHA256: digest.Hex,
		Size:   int64(len(content)),
		Open:   func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil },
	}
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
