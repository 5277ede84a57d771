package build

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// unpackTar unpacks the regular files of a tar.
func unpackTar(path, folder string) (err error) {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	reader := tar.NewReader(file)
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			return err
		}
		to := filepath.Join(folder, header.Name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(to, content, 0o644); err != nil {
			return err
		}
	}
}

// entriesOf lists what an image's layers hold.
func entriesOf(image v1.Image) (map[string]bool, error) {
	layers, err := image.Layers()
	if err != nil {
		return nil, err
	}
	entries := map[string]bool{}
	for _, layer := range layers {
		content, err := layer.Uncompressed()
		if err != nil {
			return nil, err
		}
		reader := tar.NewReader(content)
		for {
			header, err := reader.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, errors.Join(err, content.Close())
			}
			entries[header.Name] = true
		}
		if err := content.Close(); err != nil {
			return nil, err
		}
	}
	return entries, nil
}
