package main

import (
	"bytes"
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

// writeStream writes a stream to a new file of this user only.
func writeStream(path string, content io.Reader) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(file, content); err != nil {
		file.Close()
		return fmt.Errorf("write %s: %w", path, err)
	}
	return file.Close()
}
