package archive

import (
	"errors"
	"fmt"
	"strings"
)

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
