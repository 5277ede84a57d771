package images

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// read finds out what a file is, and reads the images in it.
func (s *Set) read(name string) ([]found, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		if _, err := os.Stat(filepath.Join(name, "index.json")); err != nil {
			return nil, errors.New("the folder is not an OCI image layout: it has no index.json")
		}
		return s.readLayout(name, name)
	}
	plain, err := s.plain(name)
	if err != nil {
		return nil, err
	}
	entries, err := entriesOf(s.ctx, plain)
	if err != nil {
		return nil, err
	}
	switch {
	case entries["oci-layout"] && entries["index.json"]:
		// docker writes both forms into one tar since version 25: the layout says more.
		folder, err := s.unpackLayout(plain)
		if err != nil {
			return nil, err
		}
		return s.readLayout(name, folder)
	case entries["manifest.json"]:
		return s.readDocker(name, plain)
	}
	return nil, noImages(entries)
}

// noImages says what a tar without images seems to be.
func noImages(entries map[string]bool) error {
	switch {
	case entries["index.json"]:
		return errors.New("it looks like an OCI image layout, but has no file oci-layout")
	case entries["repositories"]:
		return errors.New("'docker save' older than 1.10 wrote it: save it again with a newer docker")
	case entries["etc"] || entries["usr"] || entries["bin"]:
		return errors.New("it is a file system, as 'docker export' writes it: save the image by 'docker save'")
	}
	return errors.New("a tar, but neither 'docker save' (manifest.json) nor an OCI image layout (oci-layout, index.json) wrote it")
}

// The first bytes of files that users may give.
var (
	gzipMagic = []byte{0x1f, 0x8b}
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}
	others    = []struct{ magic, name, tool string }{
		{"\xfd7zXZ\x00", "compressed by xz", "xz -d"},
		{"BZh", "compressed by bzip2", "bzip2 -d"},
		{"\x04\x22\x4d\x18", "compressed by lz4", "lz4 -d"},
		{"PK\x03\x04", "a zip file", "unzip"},
	}
)

// plain gives the path of the tar itself: the file, or what it is compressed from.
func (s *Set) plain(name string) (string, error) {
	file, err := open(s.ctx, name)
	if err != nil {
		return "", err
	}
	defer file.Close()
	reader := bufio.NewReader(file)
	head, err := reader.Peek(8)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	switch {
	case bytes.HasPrefix(head, gzipMagic):
		decompressed, err := gzip.NewReader(reader)
		if err != nil {
			return "", fmt.Errorf("decompress it (gzip): %w", err)
		}
		return s.decompressed("gzip", decompressed)
	case bytes.HasPrefix(head, zstdMagic):
		decompressed, err := zstd.NewReader(reader, zstd.WithDecoderMaxWindow(1<<30))
		if err != nil {
			return "", fmt.Errorf("decompress it (zstd): %w", err)
		}
		defer decompressed.Close()
		return s.decompressed("zstd", decompressed)
	}
	for _, other := range others {
		if bytes.HasPrefix(head, []byte(other.magic)) {
			return "", fmt.Errorf("it is %s, which is not read: unpack it first (%s), or save it plain, or compressed by gzip or zstd", other.name, other.tool)
		}
	}
	return name, nil
}

func (s *Set) decompressed(by string, content io.Reader) (string, error) {
	folder, err := os.MkdirTemp(s.folder, "plain-*")
	if err != nil {
		return "", err
	}
	name := filepath.Join(folder, "images.tar")
	if err := writeStream(name, content); err != nil {
		return "", fmt.Errorf("decompress it (%s): %w", by, err)
	}
	return name, nil
}

// entriesOf are the names at the top of a tar: files, and the folders that others lie in.
func entriesOf(ctx context.Context, name string) (map[string]bool, error) {
	entries := map[string]bool{}
	err := eachEntry(ctx, name, func(entry string, _ *tar.Header, _ io.Reader) error {
		top, _, _ := strings.Cut(entry, "/")
		entries[top] = true
		return nil
	})
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, tar.ErrHeader) && len(entries) == 0, errors.Is(err, io.ErrUnexpectedEOF) && len(entries) == 0:
		return nil, errors.New("it is not a tar: an archive that 'docker save' wrote, or an OCI image layout, is wanted")
	case err != nil:
		return nil, fmt.Errorf("the tar ends too early, or is damaged: %w", err)
	case len(entries) == 0:
		return nil, errors.New("there is nothing in it")
	}
	return entries, nil
}

// eachEntry goes over a tar's entries by their clean names.
func eachEntry(ctx context.Context, name string, do func(entry string, header *tar.Header, content io.Reader) error) error {
	file, err := open(ctx, name)
	if err != nil {
		return err
	}
	defer file.Close()
	reader := tar.NewReader(file)
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := do(strings.TrimPrefix(path.Clean(header.Name), "/"), header, reader); err != nil {
			return err
		}
	}
}

// stoppable is an open file that reads until its context ends: reading a large image takes
// long. It has only these methods, so that no method of the file reads past the context.
type stoppable struct {
	ctx  context.Context
	file *os.File
}

func open(ctx context.Context, path string) (*stoppable, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return &stoppable{ctx: ctx, file: file}, nil
}

func (s *stoppable) Read(into []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.file.Read(into)
}

func (s *stoppable) Seek(offset int64, whence int) (int64, error) {
	return s.file.Seek(offset, whence)
}

func (s *stoppable) Close() error { return s.file.Close() }
