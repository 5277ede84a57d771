package archive

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
)

// SignatureState is what is known of a bundle's signature.
type SignatureState string

// The states of a signature.
const (
	SignatureNone      SignatureState = "unsigned"
	SignatureUnchecked SignatureState = "unchecked" // signed, and no trusted key was given
	SignatureUntrusted SignatureState = "untrusted" // signed by a key that is not among the trusted
	SignatureBad       SignatureState = "bad"       // not a signature of this index
	SignatureTrusted   SignatureState = "trusted"
)

// Signature is a bundle's signature as found.
type Signature struct {
	State SignatureState `json:"state"`
	KeyID string         `json:"keyID,omitempty"` // see KeyID
}

func (s Signature) String() string {
	switch s.State {
	case SignatureNone:
		return "unsigned"
	case SignatureUnchecked:
		return "signed by the unknown key " + s.KeyID + ", not checked: no key is trusted"
	case SignatureUntrusted:
		return "signed by key " + s.KeyID + ", which is not trusted"
	case SignatureBad:
		return "the signature is not one of this bundle"
	case SignatureTrusted:
		return "signed by the trusted key " + s.KeyID
	default:
		return string(s.State)
	}
}

// signatureFile is slipway.sig: an Ed25519 signature over the bytes of index.json, which
// names every other byte of the bundle by digest.
type signatureFile struct {
	Algorithm string `json:"algorithm"`
	KeyID     string `json:"keyID"`
	Signature string `json:"signature"` // base64
}

const algorithmEd25519 = "ed25519"

// KeyID names a public key: the SHA-256 of its PKIX form.
func KeyID(key ed25519.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return "", fmt.Errorf("encode public key: %w", err)
	}
	sum := sha256.Sum256(der)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

func sign(key ed25519.PrivateKey, index []byte) ([]byte, error) {
	id, err := KeyID(key.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, err
	}
	return encode(signatureFile{
		Algorithm: algorithmEd25519,
		KeyID:     id,
		Signature: base64.StdEncoding.EncodeToString(ed25519.Sign(key, index)),
	})
}

// Signature checks the signature against the trusted keys.
func (a *Archive) Signature() Signature {
	at, found := a.entries[signatureName]
	if !found {
		return Signature{State: SignatureNone}
	}
	if at.size > maxIndex {
		return Signature{State: SignatureBad}
	}
	content := make([]byte, at.size)
	if _, err := a.file.ReadAt(content, at.offset); err != nil && !errors.Is(err, io.EOF) {
		return Signature{State: SignatureBad}
	}
	var file signatureFile
	if err := json.Unmarshal(content, &file); err != nil || file.Algorithm != algorithmEd25519 {
		return Signature{State: SignatureBad}
	}
	signature, err := base64.StdEncoding.DecodeString(file.Signature)
	if err != nil {
		return Signature{State: SignatureBad, KeyID: file.KeyID}
	}
	return Signature{State: a.judge(file.KeyID, signature), KeyID: file.KeyID}
}

func (a *Archive) judge(keyID string, signature []byte) SignatureState {
	if len(a.keys) == 0 {
		return SignatureUnchecked
	}
	for _, key := range a.keys {
		if id, err := KeyID(key); err != nil || id != keyID {
			continue
		}
		if ed25519.Verify(key, a.index, signature) {
			return SignatureTrusted
		}
		return SignatureBad
	}
	return SignatureUntrusted
}

// ParsePrivateKey reads an Ed25519 key in PKCS #8 PEM, as `openssl genpkey -algorithm
// ed25519` writes it.
func ParsePrivateKey(content []byte) (ed25519.PrivateKey, error) {
	block, _ := pem.Decode(content)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, errors.New("not a PRIVATE KEY in PEM")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("not a PKCS #8 private key") // the parser's words could quote the key
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("a %T, not an Ed25519 key", parsed)
	}
	return key, nil
}

// ParsePublicKey reads an Ed25519 key in PKIX PEM, as `openssl pkey -pubout` writes it.
func ParsePublicKey(content []byte) (ed25519.PublicKey, error) {
	block, _ := pem.Decode(content)
	if block == nil || block.Type != "PUBLIC KEY" {
		return nil, errors.New("not a PUBLIC KEY in PEM")
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("read public key: %w", err)
	}
	key, ok := parsed.(ed25519.PublicKey)
	if !ok {
		return nil, fmt.Errorf("a %T, not an Ed25519 key", parsed)
	}
	return key, nil
}
