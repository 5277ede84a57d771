package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// PEM block types, as kubeadm writes them.
const (
	blockCertificate = "CERTIFICATE"
	blockPublicKey   = "PUBLIC KEY"
)

// Parse reads the first certificate of a PEM text.
func Parse(certPEM []byte) (*x509.Certificate, error) {
	all, err := ParseAll(certPEM)
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// ParseAll reads every certificate of a PEM text: at least one.
func ParseAll(certPEM []byte) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	for rest := certPEM; ; {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			break
		}
		if block.Type != blockCertificate {
			continue
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("parse certificate: %w", err)
		}
		all = append(all, certificate)
	}
	if len(all) == 0 {
		return nil, errors.New("parse certificate: no PEM block of type CERTIFICATE")
	}
	return all, nil
}

// ParseKey reads the private key of a PEM text, in any of the forms that kubeadm reads.
func ParseKey(keyPEM []byte) (crypto.Signer, error) {
	for rest := keyPEM; ; {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			return nil, errors.New("parse private key: no PEM block holds one")
		}
		switch block.Type {
		case "RSA PRIVATE KEY":
			return signer(x509.ParsePKCS1PrivateKey(block.Bytes))
		case "EC PRIVATE KEY":
			return signer(x509.ParseECPrivateKey(block.Bytes))
		case "PRIVATE KEY":
			return signer(x509.ParsePKCS8PrivateKey(block.Bytes))
		}
	}
}

func signer[K any](key K, err error) (crypto.Signer, error) {
	if err != nil {
		return nil, errors.New("parse private key: the block is damaged") // never quote a key
	}
	switch key := any(key).(type) {
	case *rsa.PrivateKey:
		return key, nil
	case *ecdsa.PrivateKey:
		return key, nil
	}
	return nil, fmt.Errorf("parse private key: %T is neither RSA nor ECDSA", key)
}

// ParsePublicKey reads a public key in PEM, as sa.pub holds it.
func ParsePublicKey(keyPEM []byte) (crypto.PublicKey, error) {
	block, _ := pem.Decode(keyPEM)
	if block == nil || block.Type != blockPublicKey {
		return nil, errors.New("parse public key: no PEM block of type PUBLIC KEY")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("parse public key: %w", err)
	}
	return key, nil
}

// Matches tells whether a private key belongs to a public one.
func Matches(key crypto.Signer, public crypto.PublicKey) bool {
	mine, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return false
	}
	theirs, err := x509.MarshalPKIXPublicKey(public)
	return err == nil && bytes.Equal(mine, theirs)
}

// Check tells whether the pair is one: a readable certificate and the key to it.
func (p Pair) Check() error {
	certificate, err := Parse(p.Cert)
	if err != nil {
		return err
	}
	key, err := ParseKey(p.Key)
	if err != nil {
		return err
	}
	if !Matches(key, certificate.PublicKey) {
		return errors.New("the private key does not belong to the certificate")
	}
	return nil
}

// Check tells whether the PKI is whole: its keys, and the secret there. It reports all
// that is wrong.
func (p PKI) Check() error {
	err := p.CheckKeys()
	if len(p.Secret) < sha256.Size {
		err = errors.Join(err, fmt.Errorf("check secret: %d bytes, want at least %d", len(p.Secret), sha256.Size))
	}
	return err
}

// CheckKeys tells whether every CA is a CA with its key and the service accounts' keys
// are a pair.
func (p PKI) CheckKeys() error { return p.checkKeys(Authorities()...) }

func (p PKI) checkKeys(authorities ...Authority) error {
	var wrong []error
	for _, authority := range authorities {
		pair, err := p.Authority(authority)
		if err == nil {
			err = checkAuthority(pair)
		}
		if err != nil {
			wrong = append(wrong, fmt.Errorf("check %s: %w", authority, err))
		}
	}
	if err := checkServiceAccount(p.ServiceAccount); err != nil {
		wrong = append(wrong, fmt.Errorf("check sa: %w", err))
	}
	return errors.Join(wrong...)
}

func checkAuthority(pair Pair) error {
	if err := pair.Check(); err != nil {
		return err
	}
	certificate, err := Parse(pair.Cert)
	if err != nil {
		return err
	}
	if !certificate.IsCA {
		return errors.New("the certificate is not a CA's")
	}
	return nil
}

func checkServiceAccount(pair Pair) error {
	public, err := ParsePublicKey(pair.Cert)
	if err != nil {
		return err
	}
	key, err := ParseKey(pair.Key)
	if err != nil {
		return err
	}
	if !Matches(key, public) {
		return errors.New("the private key does not belong to the public one")
	}
	return nil
}
