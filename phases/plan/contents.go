package plan

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
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
	blob := hosts.ContentBlob(content)
	blob.Ref, blob.Secret = ref, strings.HasPrefix(ref, prefixSecret)
	return blob, true
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

// Prefixes of refs: what a content is called by.
const (
	prefixDigest = "sha256:"
	prefixSecret = "secret:"
)

// Digest names a plan: sha256:<hex> of its canonical JSON. Pods that a plan removes do not
// count: they come and go on any node, and a plan removes all of the cluster's. A plan that
// cannot be encoded has no digest.
func Digest(p Plan) string {
	p.Steps = slices.Clone(p.Steps)
	for i, step := range p.Steps {
		if network, ok := step.Action.(hosts.RemoveNetwork); ok {
			network.Pods = nil
			p.Steps[i].Action = network
		}
	}
	data, err := Encode(p)
	if err != nil {
		return ""
	}
	return Ref(data)
}

// Ref is what content that is no secret is called by: sha256:<hex> of it.
func Ref(content []byte) string {
	sum := sha256.Sum256(content)
	return prefixDigest + hex.EncodeToString(sum[:])
}

// SecretRef is what secret content is called by: a digest from which nothing about the content
// can be learnt without the cluster's key.
func SecretRef(key, content []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write(content)
	return prefixSecret + hex.EncodeToString(mac.Sum(nil))
}
