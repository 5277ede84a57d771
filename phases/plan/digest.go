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

// Digest names a plan: sha256:<hex> of its canonical JSON. Two plans with one digest do
// the same, but for Pods that came or went meanwhile, as they do on any node: what a plan
// removes is all of the cluster's Pods. A plan that cannot be encoded has none.
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

// Ref is what open content is called by: sha256:<hex> of it.
func Ref(content []byte) string {
	sum := sha256.Sum256(content)
	return prefixDigest + hex.EncodeToString(sum[:])
}

// SecretRef is what secret content is called by: a digest that says nothing about the
// content to whoever lacks the cluster's key.
func SecretRef(key, content []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write(content)
	return prefixSecret + hex.EncodeToString(mac.Sum(nil))
}
