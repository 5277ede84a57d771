package manifests

import (
	"crypto/sha256"
	"encoding/hex"
)

// digest is the digest of several contents, told apart by their lengths.
func digest(contents ...[]byte) string {
	sum := sha256.New()
	for _, content := range contents {
		one := sha256.Sum256(content)
		sum.Write(one[:])
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil))
}
