package archive

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func newKey(t *testing.T) (ed25519.PublicKey, ed25519.PrivateKey) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	return public, private
}

// tarOf makes a tar of a few small files; oci-layout first, as a bundle has it.
func tarOf(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	writer := tar.NewWriter(&out)
	for name, content := range files {
		must(t, writer.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(content)), Mode: 0o644}))
		_, err := writer.Write([]byte(content))
		must(t, err)
	}
	must(t, writer.Close())
	return out.Bytes()
}

// signedBundles are a bundle that signer has signed, one that nobody has, and the index of
// another under the first one's signature.
func signedBundles(t *testing.T) (signer, stranger ed25519.PublicKey, signed, unsigned, forged string) {
	t.Helper()
	signer, private := newKey(t)
	stranger, _ = newKey(t)
	one, other := newTiny(t), newTiny(t)
	one.content.SignKey, other.content.SignKey = private, private
	other.content.Bill.SlipwayVersion = "v6"
	signed, unsigned, forged = one.write(t), newTiny(t).write(t), other.write(t)
	swapSignature(t, forged, signed)
	return signer, stranger, signed, unsigned, forged
}

func TestSignatureStates(t *testing.T) {
	signer, stranger, signedPath, unsignedPath, forged := signedBundles(t)
	tests := []struct {
		name     string
		path     string
		keys     []ed25519.PublicKey
		want     SignatureState
		verifies bool
	}{
		{"unsigned, nobody asks", unsignedPath, nil, SignatureNone, true},
		{"unsigned, a key is asked for", unsignedPath, []ed25519.PublicKey{signer}, SignatureNone, false},
		{"signed, nobody asks", signedPath, nil, SignatureUnchecked, true},
		{"signed by the trusted", signedPath, []ed25519.PublicKey{stranger, signer}, SignatureTrusted, true},
		{"signed by a stranger", signedPath, []ed25519.PublicKey{stranger}, SignatureUntrusted, false},
		{"another's signature", forged, []ed25519.PublicKey{signer}, SignatureBad, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := mustOpen(t, test.path, Trust(test.keys...))
			if got := a.Signature().State; got != test.want {
				t.Errorf("state %s, want %s", got, test.want)
			}
			err := a.Verify(context.Background())
			if test.verifies && err != nil || !test.verifies && !errors.Is(err, ErrSignature) {
				t.Errorf("Verify: %v, want success: %t", err, test.verifies)
			}
		})
	}
}

func TestWhatNobodyTrustedSignedIsNotReadAtAll(t *testing.T) {
	signer, stranger, signedPath, unsignedPath, forged := signedBundles(t)
	// An index that this version could not read, and must not have read.
	foreign := filepath.Join(t.TempDir(), "foreign.tar")
	must(t, os.WriteFile(foreign, tarOf(t, map[string]string{layoutName: "{}", indexName: "no JSON"}), 0o600))

	for name, test := range map[string]struct {
		path string
		keys []ed25519.PublicKey
		want SignatureState // empty: it opens
	}{
		"signed by the trusted": {signedPath, []ed25519.PublicKey{stranger, signer}, ""},
		"nobody asks":           {unsignedPath, nil, ""},
		"unsigned":              {unsignedPath, []ed25519.PublicKey{signer}, SignatureNone},
		"by a stranger":         {signedPath, []ed25519.PublicKey{stranger}, SignatureUntrusted},
		"another's signature":   {forged, []ed25519.PublicKey{signer}, SignatureBad},
		"nothing to be read":    {foreign, []ed25519.PublicKey{signer}, SignatureNone},
	} {
		opened, err := Open(test.path, Require(test.keys...))
		if test.want == "" {
			must(t, err)
			must(t, opened.Close())
			continue
		}
		refused, ok := errors.AsType[*SignatureError](err)
		if !ok || refused.Signature.State != test.want || !errors.Is(err, ErrSignature) || refused.Digest == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// swapSignature puts the signature of one bundle into another: both are as long.
func swapSignature(t *testing.T, into, from string) {
	t.Helper()
	a, b := mustOpen(t, into), mustOpen(t, from)
	to, source := a.entries[signatureName], b.entries[signatureName]
	target, whole := readFile(t, into), readFile(t, from)
	copy(target[to.offset:to.offset+to.size], whole[source.offset:source.offset+source.size])
	must(t, os.WriteFile(into, target, 0o644))
}

func TestKeysAreReadAsOpenSSLWritesThem(t *testing.T) {
	public, private := newKey(t)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	must(t, err)
	parsed, err := ParsePrivateKey(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	must(t, err)
	if !parsed.Equal(private) {
		t.Error("another private key")
	}
	der, err = x509.MarshalPKIXPublicKey(public)
	must(t, err)
	parsedPublic, err := ParsePublicKey(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	must(t, err)
	if !parsedPublic.Equal(public) {
		t.Error("another public key")
	}
	for _, bad := range []string{"", "no PEM", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")}))} {
		if _, err := ParsePrivateKey([]byte(bad)); err == nil {
			t.Errorf("ParsePrivateKey(%q) succeeded", bad)
		}
		if _, err := ParsePublicKey([]byte(bad)); err == nil {
			t.Errorf("ParsePublicKey(%q) succeeded", bad)
		}
	}
}
