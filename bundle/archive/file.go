package archive

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"github.com/slipway-k8s/slipway/bundle"
)

// OpenFile gives the content of one file of a set, out of the layer it lies in. What is
// read is checked against the file's digest at its end: the last Read fails if it is not
// the file that the bill promises.
func (a *Archive) OpenFile(ctx context.Context, file bundle.HostFile) (io.ReadCloser, error) {
	if file.Layer == "" {
		return nil, fmt.Errorf("open %s from the bundle: it has no content of its own", file.Path)
	}
	layer, err := a.Layer(ctx, file.Layer)
	if err != nil {
		return nil, fmt.Errorf("open %s from the bundle: %w", file.Path, err)
	}
	for {
		header, err := layer.Next()
		if errors.Is(err, io.EOF) {
			err = fmt.Errorf("layer %s has no entry %s", file.Layer, file.Entry)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open %s from the bundle: %w", file.Path, err), layer.Close())
		}
		if entryName(header.Name) == entryName(file.Entry) && header.Typeflag == tar.TypeReg {
			return &checkedFile{Layer: layer, check: newCheck(file.Digest)}, nil
		}
	}
}

// Layer reads a layer's entries, one after another, as a tar reader does. It is the way
// to take many files out of one layer.
type Layer struct {
	*tar.Reader
	decoder *zstd.Decoder
}

// Layer opens a layer for reading.
func (a *Archive) Layer(ctx context.Context, digest string) (*Layer, error) {
	blob, err := a.Blob(digest)
	if err != nil {
		return nil, err
	}
	// Two decoders at once, and a window no larger than what layers are written with.
	decoder, err := zstd.NewReader(withContext(ctx, blob), zstd.WithDecoderConcurrency(2), zstd.WithDecoderMaxWindow(64<<20))
	if err != nil {
		return nil, fmt.Errorf("read layer %s: %w", digest, err)
	}
	return &Layer{Reader: tar.NewReader(decoder), decoder: decoder}, nil
}

// Close frees the decoder.
func (l *Layer) Close() error {
	l.decoder.Close()
	return nil
}

// checkedFile is the entry that the layer stands at.
type checkedFile struct {
	*Layer
	check *check
}

func (f *checkedFile) Read(p []byte) (int, error) {
	n, err := f.Layer.Read(p)
	f.check.Write(p[:n])
	if errors.Is(err, io.EOF) {
		if err := f.check.err(); err != nil {
			return n, err
		}
	}
	return n, err
}

// withContext makes reading end when the context does.
func withContext(ctx context.Context, reader io.Reader) io.Reader {
	return readerFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return reader.Read(p)
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
