package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
)

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
