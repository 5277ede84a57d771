package plan

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
)

// Contents are the small rendered contents that a plan's refs stand for. They stay in
// memory: secrets are among them.
type Contents map[string][]byte

// Put keeps content that is no secret and gives its ref.
func (c Contents) Put(content []byte) string {
	ref := Ref(content)
	c[ref] = content
	return ref
}

// PutSecret keeps secret content and gives its ref: a digest keyed with the cluster's secret.
func (c Contents) PutSecret(key, content []byte) string {
	ref := SecretRef(key, content)
	c[ref] = content
	return ref
}

// Blob is the content as it travels to a host; false where the ref is not among these
// contents (it is then the bundle's).
func (c Contents) Blob(ref string) (hosts.Blob, bool) {
	content, ok := c[ref]
	if !ok {
		return hosts.Blob{}, false
	}
	sum := sha256.Sum256(content)
	return hosts.Blob{
		Ref:    ref,
		SHA256: hex.EncodeToString(sum[:]),
		Size:   int64(len(content)),
		Secret: strings.HasPrefix(ref, prefixSecret),
		Open: func() (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(content)), nil
		},
	}, true
}

// MarshalJSON refuses: contents hold secrets and are never serialised.
func (c Contents) MarshalJSON() ([]byte, error) {
	return nil, errors.New("encode contents: they are never serialised")
}

// String hides what is inside from formatted output.
func (c Contents) String() string { return "contents" }

// GoString hides what is inside from %#v.
func (c Contents) GoString() string { return "plan.Contents{…}" }

var _ json.Marshaler = Contents(nil)
