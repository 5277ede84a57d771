package workflow

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/bundle/archive"
	"github.com/slipway-k8s/slipway/certs/store"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/phases/checks"
)

// Trust is the keys by one of which a bundle has to be signed, and who says so. Without
// keys any bundle will do.
type Trust struct {
	Keys []ed25519.PublicKey
	by   string
}

// trustOf are the keys that a cluster file trusts; where it names none, those in the
// operator's own folder.
func trustOf(c *cluster.Cluster) (Trust, error) {
	if files := c.Bundle.TrustedKeyFiles; len(files) > 0 {
		keys, err := ReadTrustedKeys(files)
		return Trust{keys, "bundle.trustedKeyFiles of the cluster file"}, err
	}
	return OwnTrust()
}

// OwnTrust are the keys in the operator's folder of trusted keys. A folder without a key is
// an error: who made it wanted keys to count.
func OwnTrust() (Trust, error) {
	folder, err := trustedFolder()
	if err != nil {
		return Trust{}, err
	}
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return Trust{}, nil
	}
	if err != nil {
		return Trust{}, fmt.Errorf("read the trusted keys: %w", err)
	}
	var files []string
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), ".") && !entry.IsDir() {
			files = append(files, filepath.Join(folder, entry.Name()))
		}
	}
	if len(files) == 0 {
		return Trust{}, usagef("read the trusted keys: %s has no key in it, so that no bundle could be trusted: put one there, or remove the folder, and any bundle will do", folder)
	}
	keys, err := ReadTrustedKeys(files)
	return Trust{keys, folder}, err
}

// trustedFolder is slipway/trusted-keys in the user's configuration folder.
func trustedFolder() (string, error) {
	config, err := store.BaseFolder("XDG_CONFIG_HOME", ".config")
	if err != nil {
		return "", fmt.Errorf("find the folder of trusted keys: %w", err)
	}
	return filepath.Join(config, "slipway", "trusted-keys"), nil
}

// ReadTrustedKeys reads a public key from each of the files. One that cannot be read is an
// error: who names a key wants it to count.
func ReadTrustedKeys(files []string) ([]ed25519.PublicKey, error) {
	var keys []ed25519.PublicKey
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, usagef("read the trusted key: %w", err)
		}
		key, err := archive.ParsePublicKey(content)
		if err != nil {
			return nil, usagef("read the trusted key %s: %w: an Ed25519 public key in PEM is wanted, as 'openssl pkey -pubout' writes it", file, err)
		}
		if !slices.ContainsFunc(keys, func(known ed25519.PublicKey) bool { return known.Equal(key) }) {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// openBundle opens a bundle that one of the trusted keys stands for.
func (t Trust) openBundle(path string) (*archive.Archive, error) {
	opened, err := archive.Open(path, archive.Require(t.Keys...))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, usagef("open the bundle: there is no file %s: build one with 'slipway bundle build --out FILE'", path)
	}
	if unsigned, ok := errors.AsType[*archive.SignatureError](err); ok {
		return nil, t.refuse(path, unsigned)
	}
	return opened, err
}

// refuse says of a bundle that nobody trusted stands for what may be done.
func (t Trust) refuse(path string, unsigned *archive.SignatureError) error {
	fix := "take the bundle from whom you trust, or sign your own: slipway bundle build --sign-key FILE --out FILE"
	if unsigned.Signature.State == archive.SignatureUntrusted {
		fix = "if you trust who signed it, add that public key to " + t.by
	}
	return &checks.Refused{Findings: []checks.Finding{{
		Check: "BundleSignature", Severity: checks.Error,
		Seen: fmt.Sprintf("the bundle %s (%s) is not to be trusted: %s; trusted are only the keys of %s",
			path, unsigned.Digest, unsigned.Signature, t.by),
		Fix: fix,
	}}}
}
