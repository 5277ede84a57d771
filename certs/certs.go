// Package certs says what is minted: the catalogue of certificates as a table, the
// PKI's types, and when something expires.
//
// It is pure; certs/mint signs, certs/store keeps the PKI on disk.
package certs

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"fmt"
)

// Pair is a certificate and its private key, both PEM.
type Pair struct {
	Cert []byte
	Key  []byte
}

// Format keeps the key out of whatever is printed.
func (Pair) Format(state fmt.State, _ rune) { fmt.Fprint(state, "[certificate and key]") }

// PKI is the key material that belongs to the whole cluster: its CAs and the key that
// signs service-account tokens. Leaves are minted from it, host by host.
type PKI struct {
	CA             Pair // kubernetes-ca
	FrontProxyCA   Pair // front-proxy-ca
	EtcdCA         Pair // etcd/ca
	ServiceAccount Pair // sa: Cert is the public key
	// Secret keys the digests that stand for secrets in plans and logs: 32 random bytes.
	Secret []byte
}

// Format keeps the keys out of whatever is printed.
func (PKI) Format(state fmt.State, _ rune) { fmt.Fprint(state, "[PKI]") }

// Leaf is one signed certificate: which catalogue entry it is and, for kubeconfigs, whose.
type Leaf struct {
	Name string // the catalogue's name: apiserver, etcd/peer, admin.conf, kubelet, …
	Pair
}

// Token is a bootstrap token: a public id and a secret.
type Token struct {
	ID     string
	Secret string
}

// String hides the secret, as all printing of a token does.
func (t Token) String() string { return t.ID + ".…" }

// Format keeps the secret out of every verb.
func (t Token) Format(state fmt.State, _ rune) { fmt.Fprint(state, t.String()) }

// MarshalText keeps the secret out of JSON.
func (t Token) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// Reveal is the whole token, as kubeadm join takes it.
func (t Token) Reveal() string { return t.ID + "." + t.Secret }

// ShortIDLength is how much of an ID names a folder.
const ShortIDLength = 12

// ID names a cluster for good: the SHA-256 of its CA's public key, in hex.
func ID(pki PKI) (string, error) { return KeyDigest(pki.CA.Cert) }

// Pin is the CA's pin in kubeadm's form (discovery-token-ca-cert-hash).
func Pin(caPEM []byte) (string, error) {
	digest, err := KeyDigest(caPEM)
	if err != nil {
		return "", err
	}
	return "sha256:" + digest, nil
}

// KeyDigest is the SHA-256, in hex, of the public key of a PEM certificate.
func KeyDigest(certPEM []byte) (string, error) {
	certificate, err := Parse(certPEM)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(certificate.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:]), nil
}

// Seal is a digest by which the cluster's operators know a content again as theirs, where
// others can write too. It is keyed by the CA's key, since that is the same for all operators;
// Secret is not. No seal is good for another purpose.
func (p PKI) Seal(purpose string, content []byte) (string, error) {
	block, _ := pem.Decode(p.CA.Key)
	if block == nil {
		return "", fmt.Errorf("seal %s: there is no key of the CA", purpose)
	}
	key, err := hkdf.Key(sha256.New, block.Bytes, nil, purpose, sha256.Size)
	if err != nil {
		return "", fmt.Errorf("seal %s: %w", purpose, err)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(content)
	return hex.EncodeToString(mac.Sum(nil)), nil
}

// ShortID is the beginning of an ID that names folders.
func ShortID(id string) string {
	if len(id) < ShortIDLength {
		return id
	}
	return id[:ShortIDLength]
}

// Authority gives the pair of one of the cluster's CAs.
func (p PKI) Authority(authority Authority) (Pair, error) {
	switch authority {
	case Kubernetes:
		return p.CA, nil
	case FrontProxy:
		return p.FrontProxyCA, nil
	case Etcd:
		return p.EtcdCA, nil
	}
	return Pair{}, fmt.Errorf("find authority %q: the PKI has no such CA", authority)
}
