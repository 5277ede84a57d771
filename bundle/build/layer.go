package build

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/slipway-k8s/slipway/bundle"
)

// layerFile is one entry of a layer. Its zero owner is root, its time the epoch.
type layerFile struct {
	Path      string            `json:"path"` // without a leading slash
	Mode      uint32            `json:"mode,omitempty"`
	Target    string            `json:"target,omitempty"` // of a symbolic link
	Directory bool              `json:"directory,omitempty"`
	Digest    string            `json:"digest,omitempty"`
	Size      int64             `json:"size,omitempty"`
	Xattrs    map[string]string `json:"xattrs,omitempty"`
	Component string            `json:"-"`
	Source    string            `json:"-"` // where the content lies
	Content   []byte            `json:"-"` // or the content itself
}

// inline is a file whose content is in hand.
func inline(name, content string) layerFile {
	sum := sha256.Sum256([]byte(content))
	return layerFile{
		Path: name, Mode: 0o644, Size: int64(len(content)), Component: componentSlipway,
		Digest: "sha256:" + hex.EncodeToString(sum[:]), Content: []byte(content),
	}
}

func link(name, target, component string) layerFile {
	return layerFile{Path: name, Target: target, Component: component}
}

// layer is a packed layer: the blob, where it lies, and what is in it.
type layer struct {
	name  string
	blob  bundle.Blob
	path  string
	files []layerFile
}

// file finds an entry.
func (l layer) file(name string) (layerFile, bool) {
	i := slices.IndexFunc(l.files, func(f layerFile) bool { return f.Path == name })
	if i < 0 {
		return layerFile{}, false
	}
	return l.files[i], true
}

// packed is a layer's cache entry.
type packed struct {
	Blob      bundle.Blob   `json:"blob"`
	Processor time.Duration `json:"processor,omitempty"` // of the compressor
}

const blobName = "blob"

// pack makes a layer of the files: the same files give the same bytes.
func (b *builder) pack(ctx context.Context, name string, files []layerFile) (layer, error) {
	return work(b.tell, StagePack, name, func(moving func(string)) (layer, outcome, error) {
		files = complete(files)
		inputs := struct {
			Files      []layerFile
			Compressor string
		}{files, b.compressor.identity()}
		directory, made, hit, err := entry(b.cache, "layer", name, inputs, func(directory string) (packed, error) {
			moving("zstd -" + strconv.Itoa(b.compressor.level))
			return b.packInto(ctx, files, filepath.Join(directory, blobName))
		})
		if err != nil {
			return layer{}, outcome{}, fmt.Errorf("pack layer %s: %w", name, err)
		}
		return layer{name: name, blob: made.Blob, path: filepath.Join(directory, blobName), files: files}, outcome{bytes: made.Blob.Size, processor: made.Processor, cached: hit}, nil
	})
}

// complete adds the folders that the files lie in, and sorts, so that a folder stands
// before what is in it.
func complete(files []layerFile) []layerFile {
	seen := map[string]bool{}
	for _, file := range files {
		seen[file.Path] = true
	}
	all := slices.Clone(files)
	for _, file := range files {
		for folder := path.Dir(file.Path); folder != "." && !seen[folder]; folder = path.Dir(folder) {
			seen[folder] = true
			all = append(all, layerFile{Path: folder, Mode: 0o755, Directory: true})
		}
	}
	slices.SortFunc(all, func(a, b layerFile) int { return strings.Compare(a.Path, b.Path) })
	return all
}

func (b *builder) packInto(ctx context.Context, files []layerFile, to string) (made packed, err error) {
	out, err := os.Create(to)
	if err != nil {
		return made, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	stored := &counter{Writer: out, hash: sha256.New()}
	compressed, err := b.compressor.start(ctx, stored)
	if err != nil {
		return made, err
	}
	plain := &counter{Writer: compressed, hash: sha256.New()}
	if err := errors.Join(writeTar(plain, files), compressed.Close()); err != nil {
		return made, err
	}
	if zstd, outside := compressed.(*compressing); outside {
		made.Processor = busy(zstd.command)
	}
	made.Blob = bundle.Blob{MediaType: ocispec.MediaTypeImageLayerZstd, Digest: stored.digest(), Size: stored.size, DiffID: plain.digest()}
	return made, nil
}

// counter digests and counts what goes through it.
type counter struct {
	io.Writer
	hash hash.Hash
	size int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.hash.Write(p[:n])
	c.size += int64(n)
	return n, err
}

func (c *counter) digest() string { return "sha256:" + hex.EncodeToString(c.hash.Sum(nil)) }

func writeTar(out io.Writer, files []layerFile) error {
	writer := tar.NewWriter(out)
	for _, file := range files {
		if err := writeFile(writer, file); err != nil {
			return fmt.Errorf("write %s: %w", file.Path, err)
		}
	}
	return writer.Close()
}

func writeFile(writer *tar.Writer, file layerFile) (err error) {
	header := &tar.Header{Name: file.Path, Mode: int64(file.Mode), ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
	switch {
	case file.Target != "":
		header.Typeflag, header.Linkname, header.Mode = tar.TypeSymlink, file.Target, 0o777
		return writer.WriteHeader(header)
	case file.Directory:
		header.Typeflag, header.Name = tar.TypeDir, file.Path+"/"
		return writer.WriteHeader(header)
	}
	header.Typeflag, header.Size = tar.TypeReg, file.Size
	for name, value := range file.Xattrs {
		if header.PAXRecords == nil {
			header.PAXRecords = map[string]string{}
		}
		header.PAXRecords["SCHILY.xattr."+name] = value
	}
	if err := writer.WriteHeader(header); err != nil {
		return err
	}
	if file.Content != nil {
		_, err := writer.Write(file.Content)
		return err
	}
	source, err := os.Open(file.Source)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	_, err = io.Copy(writer, source)
	return err
}

// fromFile is an entry with the content of a file.
func fromFile(name, source, component string, mode fs.FileMode) (layerFile, error) {
	digest, size, err := hashFile(source)
	if err != nil {
		return layerFile{}, err
	}
	return layerFile{Path: name, Mode: uint32(mode), Digest: digest, Size: size, Component: component, Source: source}, nil
}
