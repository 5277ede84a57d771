package hosts

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
)

// Certificate is a certificate on a host's disk, with what only the host can say of it.
type Certificate struct {
	PEM        []byte `json:"pem"`
	KeyPresent bool   `json:"keyPresent"`
	KeyMatches bool   `json:"keyMatches"`
}

// JudgeCertificate says of a certificate's file, and of its key's, what may leave the host.
func JudgeCertificate(cert, key []byte) Certificate {
	_, err := privateKey(key)
	return Certificate{PEM: PublicParts(cert), KeyPresent: err == nil, KeyMatches: KeyMatches(cert, key)}
}

// PublicParts keeps of a PEM file what may leave the host: certificates and public keys.
func PublicParts(data []byte) []byte {
	var public []byte
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" || block.Type == "PUBLIC KEY" {
			public = append(public, pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes})...)
		}
	}
	return public
}

// privateKey finds the first private key of a PEM file.
func privateKey(data []byte) (crypto.Signer, error) {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue
		}
		if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
			if signer, ok := key.(crypto.Signer); ok {
				return signer, nil
			}
		}
		if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
			return key, nil
		}
		if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
			return key, nil
		}
		return nil, errors.New("its private key is of no kind that is known")
	}
	return nil, errors.New("it holds no private key")
}

// publicKey is that of a PEM file's first certificate or public key.
func publicKey(data []byte) (crypto.PublicKey, error) {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "CERTIFICATE":
			certificate, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, err
			}
			return certificate.PublicKey, nil
		case "PUBLIC KEY":
			return x509.ParsePKIXPublicKey(block.Bytes)
		}
	}
	return nil, errors.New("it holds no certificate")
}

// KeyMatches tells whether a private key belongs to a certificate or public key.
func KeyMatches(public, private []byte) bool {
	have, err := publicKey(public)
	if err != nil {
		return false
	}
	key, err := privateKey(private)
	if err != nil {
		return false
	}
	comparable, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && comparable.Equal(have)
}
