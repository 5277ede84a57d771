package plan

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/slipway-k8s/slipway/hosts"
)

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
