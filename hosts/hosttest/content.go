package hosttest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"

	"github.com/slipway-k8s/slipway/hosts"
)

// Content makes a blob of content that is no secret.
func Content(content []byte) hosts.Blob {
	sum := sha256.Sum256(content)
	hexSum := hex.EncodeToString(sum[:])
	return hosts.Blob{
		Ref: "sha256:" + hexSum, SHA256: hexSum, Size: int64(len(content)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil },
	}
}

// Secret makes a blob of content that is one.
func Secret(content []byte) hosts.Blob {
	blob := Content(content)
	keyed := sha256.Sum256(append([]byte("a key "), content...))
	blob.Ref, blob.Secret = "secret:"+hex.EncodeToString(keyed[:]), true
	return blob
}
