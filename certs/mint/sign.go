package mint

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"time"

	"github.com/cloudflare/cfssl/config"
	"github.com/cloudflare/cfssl/csr"
	"github.com/cloudflare/cfssl/signer"
	"github.com/cloudflare/cfssl/signer/local"

	"github.com/slipway-k8s/slipway/certs"
)

// Leaf makes a key and signs a certificate for it, as the spec says. It does not
// outlive its CA.
func Leaf(pki certs.PKI, spec certs.Spec, validity time.Duration, now time.Time) (certs.Leaf, error) {
	pair, err := leaf(pki, spec, validity, now)
	if err != nil {
		return certs.Leaf{}, fmt.Errorf("mint %s for %s: %w", spec.Name, spec.CommonName, err)
	}
	return certs.Leaf{Name: spec.Name, Pair: pair}, nil
}

func leaf(pki certs.PKI, spec certs.Spec, validity time.Duration, now time.Time) (certs.Pair, error) {
	authority, err := pki.Authority(spec.Authority)
	if err != nil {
		return certs.Pair{}, err
	}
	caCert, err := certs.Parse(authority.Cert)
	if err != nil {
		return certs.Pair{}, err
	}
	caKey, err := certs.ParseKey(authority.Key)
	if err != nil {
		return certs.Pair{}, err
	}
	until := now.Add(validity)
	if until.After(caCert.NotAfter) {
		until = caCert.NotAfter
	}
	if !until.After(now) {
		return certs.Pair{}, errNoLife
	}
	request, err := keyRequest(spec.KeyAlgorithm)
	if err != nil {
		return certs.Pair{}, err
	}
	key, keyPEM, err := newKey(request)
	if err != nil {
		return certs.Pair{}, err
	}
	usages := []string{"digital signature", "key encipherment"}
	for _, usage := range spec.Usages {
		usages = append(usages, string(usage))
	}
	certPEM, err := sign(signing{
		key: key, ca: caCert, caKey: caKey,
		subject: subject(spec.CommonName, spec.Organizations),
		hosts:   hostsOf(spec),
		usages:  usages,
		from:    now.Add(-backdate),
		until:   until,
	})
	return certs.Pair{Cert: certPEM, Key: keyPEM}, err
}

// selfSigned makes a CA.
func selfSigned(authority certs.Authority, request csr.KeyRequest, until, now time.Time) (certs.Pair, error) {
	key, keyPEM, err := newKey(request)
	if err != nil {
		return certs.Pair{}, fmt.Errorf("mint %s: %w", authority, err)
	}
	name := authority.CommonName()
	certPEM, err := sign(signing{
		key: key, caKey: key,
		subject: subject(name, nil),
		usages:  []string{"digital signature", "key encipherment", "cert sign"},
		from:    now.Add(-backdate),
		until:   until,
		isCA:    true,
		dnsName: name,
	})
	if err != nil {
		return certs.Pair{}, fmt.Errorf("mint %s: %w", authority, err)
	}
	return certs.Pair{Cert: certPEM, Key: keyPEM}, nil
}

// signing is one act of signing: whose key, by whom, saying what.
type signing struct {
	key         crypto.Signer
	ca          *x509.Certificate // nil: self-signed
	caKey       crypto.Signer
	subject     csr.CertificateRequest
	hosts       []string
	usages      []string
	from, until time.Time
	isCA        bool
	dnsName     string // a CA's own name, which kubeadm writes as its DNS name too
}

func sign(s signing) ([]byte, error) {
	request, err := csr.Generate(s.key, &s.subject)
	if err != nil {
		return nil, err
	}
	profile := &config.SigningProfile{
		Usage:        s.usages,
		ExpiryString: "1h",
		Expiry:       time.Hour, // NotAfter, below, goes before it
		CAConstraint: config.CAConstraint{IsCA: s.isCA},
	}
	var extensions []signer.Extension
	if s.dnsName != "" {
		extension, err := dnsNameExtension(s.dnsName)
		if err != nil {
			return nil, err
		}
		extensions = append(extensions, extension)
		profile.ExtensionWhitelist = map[string]bool{sanOID.String(): true}
	}
	by, err := local.NewSigner(s.caKey, s.ca, signer.DefaultSigAlgo(s.caKey), &config.Signing{Default: profile})
	if err != nil {
		return nil, err
	}
	return by.Sign(signer.SignRequest{
		Request:    string(request),
		Hosts:      s.hosts,
		NotBefore:  s.from,
		NotAfter:   s.until,
		Extensions: extensions,
	})
}

var sanOID = asn1.ObjectIdentifier{2, 5, 29, 17}

// dnsNameExtension is a subject alternative name of one DNS name. cfssl takes such
// names off a CA; kubeadm's CAs have one.
func dnsNameExtension(name string) (signer.Extension, error) {
	value, err := asn1.Marshal([]asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: 2, Bytes: []byte(name)}})
	if err != nil {
		return signer.Extension{}, err
	}
	return signer.Extension{ID: config.OID(sanOID), Value: hex.EncodeToString(value)}, nil
}

func subject(commonName string, organizations []string) csr.CertificateRequest {
	request := csr.CertificateRequest{CN: commonName}
	for _, organization := range organizations {
		request.Names = append(request.Names, csr.Name{O: organization})
	}
	return request
}

func hostsOf(spec certs.Spec) []string {
	hosts := append([]string{}, spec.DNSNames...)
	for _, address := range spec.Addresses {
		hosts = append(hosts, address.String())
	}
	return hosts
}

// newKey makes a private key, and its PEM as kubeadm writes it.
func newKey(request csr.KeyRequest) (crypto.Signer, []byte, error) {
	made, err := request.Generate()
	if err != nil {
		return nil, nil, fmt.Errorf("make a %s-%d key: %w", request.Algo(), request.Size(), err)
	}
	switch key := made.(type) {
	case *rsa.PrivateKey:
		block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
		return key, pem.EncodeToMemory(block), nil
	case *ecdsa.PrivateKey:
		der, err := x509.MarshalECPrivateKey(key)
		if err != nil {
			return nil, nil, fmt.Errorf("write an %s-%d key: %w", request.Algo(), request.Size(), err)
		}
		return key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
	}
	return nil, nil, fmt.Errorf("make a %s-%d key: %T is not a kind that kubeadm reads", request.Algo(), request.Size(), made)
}
