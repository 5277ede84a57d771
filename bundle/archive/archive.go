// Package archive reads, verifies and writes the bundle's file: a plain tar of an OCI
// image layout, in which every image is a manifest of its own and the bill of materials
// is the config of one more manifest, the bundle's own.
//
// The tar is not compressed (its layers are), so a blob is a section of the file and
// opening a bundle reads a few kilobytes, however large it is.
package archive

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"strings"

	"github.com/slipway-k8s/slipway/bundle"
)

// Archive is an open bundle.
type Archive struct {
	path    string
	file    io.ReaderAt
	close   func() error
	entries map[string]section // by the name in the tar
	index   []byte
	bill    bundle.Bill
	billRef bundle.Blob
	own     bundle.Blob // the bundle's own manifest
	keys    []ed25519.PublicKey
	demand  bool // a signature by one of the keys is demanded before anything is read
}

// section is where an entry's bytes lie in the file.
type section struct{ offset, size int64 }

// Option changes how a bundle is opened.
type Option func(*Archive)

// Trust names a public key whose signature counts. A bundle opened with at least one
// has to be signed by one of them: Verify fails otherwise.
func Trust(keys ...ed25519.PublicKey) Option {
	return func(a *Archive) { a.keys = append(a.keys, keys...) }
}

// Require names the public keys by one of which the bundle has to be signed: else Open
// fails with ErrSignature, before it has read anything that the bundle says of itself.
// Without keys nothing is demanded.
func Require(keys ...ed25519.PublicKey) Option {
	return func(a *Archive) {
		a.keys = append(a.keys, keys...)
		a.demand = len(a.keys) > 0
	}
}

// Open opens the bundle at path. It reads the index and the bill and checks both against
// their digests, and that every blob they name is there in full; what is in the blobs is
// checked by Verify.
func Open(path string, options ...Option) (*Archive, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open bundle: %w", err)
	}
	info, err := file.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%w: it is a directory", ErrNotBundle)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open bundle %s: %w", path, err), file.Close())
	}
	a, err := read(file, info.Size(), options...)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open bundle %s: %w", path, err), file.Close())
	}
	a.path, a.close = path, file.Close
	return a, nil
}

// read opens a bundle that lies in any reader: a file, or a fuzzer's bytes.
func read(file io.ReaderAt, size int64, options ...Option) (*Archive, error) {
	a := &Archive{file: file, close: func() error { return nil }}
	for _, option := range options {
		option(a)
	}
	var cut bool
	var err error
	if a.entries, cut, err = scan(file, size); err != nil {
		return nil, err
	}
	if err := a.load(); err != nil {
		if cut && !errors.Is(err, ErrFormatVersion) && !errors.Is(err, ErrSignature) {
			return nil, fmt.Errorf("%w: %w", ErrTruncated, err)
		}
		return nil, err
	}
	if err := a.complete(); err != nil {
		return nil, err
	}
	return a, nil
}

// Path is where the bundle was opened.
func (a *Archive) Path() string { return a.path }

// Bill is the bill of materials.
func (a *Archive) Bill() bundle.Bill { return a.bill }

// Digest is the digest of the index, and so of everything in the bundle.
func (a *Archive) Digest() string { return digestOf(a.index) }

// Has says whether the bundle holds the blob.
func (a *Archive) Has(digest string) bool {
	_, found := a.entries[blobPath(digest)]
	return found
}

// Blob gives a blob's bytes as stored. They are not checked against the digest again.
func (a *Archive) Blob(digest string) (*io.SectionReader, error) {
	at, found := a.entries[blobPath(digest)]
	if !found {
		return nil, fmt.Errorf("read blob %s: %w", digest, ErrNoBlob)
	}
	return io.NewSectionReader(a.file, at.offset, at.size), nil
}

// Close closes the file.
func (a *Archive) Close() error { return a.close() }

// What a bundle can be found to be. A missing file is fs.ErrNotExist.
var (
	ErrNotBundle     = errors.New("not a Slipway bundle")
	ErrTruncated     = errors.New("truncated: the file ends too early")
	ErrFormatVersion = errors.New("written in another version of the bundle format")
	ErrCorrupt       = errors.New("corrupt")
	ErrNoBlob        = errors.New("the bundle has no such blob")
	ErrSignature     = errors.New("bad signature")
)

// SignatureError is a bundle without a signature by one of the keys that are trusted.
type SignatureError struct {
	Signature Signature
	Digest    string // of the bundle's index
}

func (e *SignatureError) Error() string {
	return fmt.Sprintf("%s: %s: a signature by a trusted key is demanded", e.Digest, e.Signature)
}

// Is makes a SignatureError an ErrSignature.
func (e *SignatureError) Is(target error) bool { return target == ErrSignature }

// CorruptError names a blob whose bytes are not those that its digest promises.
type CorruptError struct {
	Digest string   // what the blob is called
	Found  string   // the digest of what is there
	Owners []string // the images, sets and documents that it is part of
	// Components are those whose files lie in it, where it is a layer of a set.
	Components []string
}

func (e *CorruptError) Error() string {
	what := strings.Join(e.Owners, ", ")
	if len(e.Components) > 0 {
		what = strings.Join(e.Components, ", ") + "; " + what
	}
	return fmt.Sprintf("corrupt: blob %s (%s) has the digest %s", e.Digest, what, e.Found)
}

// Is makes a CorruptError an ErrCorrupt.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }

// check adds up bytes and compares them with a digest; an empty digest is any.
type check struct {
	want string
	hash hash.Hash
}

func newCheck(want string) *check { return &check{want: want, hash: sha256.New()} }

func (c *check) Write(p []byte) (int, error) { return c.hash.Write(p) }

func (c *check) sum() string { return "sha256:" + hex.EncodeToString(c.hash.Sum(nil)) }

func (c *check) err() error {
	if found := c.sum(); c.want != "" && found != c.want {
		return fmt.Errorf("%w: content has the digest %s, not %s", ErrCorrupt, found, c.want)
	}
	return nil
}
