package certs

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"time"
)

// Details is what a certificate says of itself, for people.
type Details struct {
	CommonName    string    `json:"commonName"`
	Organizations []string  `json:"organizations,omitempty"`
	Issuer        string    `json:"issuer"`
	Serial        string    `json:"serial"` // hex
	NotBefore     time.Time `json:"notBefore"`
	NotAfter      time.Time `json:"notAfter"`
	DNSNames      []string  `json:"dnsNames,omitempty"`
	Addresses     []string  `json:"addresses,omitempty"`
	Usages        []Usage   `json:"usages,omitempty"`
	KeyAlgorithm  string    `json:"keyAlgorithm"` // in kubeadm's words
	CA            bool      `json:"ca,omitempty"`
}

// Inspect reads a PEM certificate.
func Inspect(certPEM []byte) (Details, error) {
	certificate, err := Parse(certPEM)
	if err != nil {
		return Details{}, err
	}
	details := Details{
		CommonName:    certificate.Subject.CommonName,
		Organizations: certificate.Subject.Organization,
		Issuer:        certificate.Issuer.CommonName,
		Serial:        certificate.SerialNumber.Text(16),
		NotBefore:     certificate.NotBefore.UTC(),
		NotAfter:      certificate.NotAfter.UTC(),
		DNSNames:      certificate.DNSNames,
		KeyAlgorithm:  keyAlgorithm(certificate),
		CA:            certificate.IsCA,
	}
	for _, address := range addressesOf(certificate) {
		details.Addresses = append(details.Addresses, address.String())
	}
	for _, usage := range []Usage{ServerAuth, ClientAuth} {
		if len(missingUsages(Spec{Usages: []Usage{usage}}, certificate)) == 0 {
			details.Usages = append(details.Usages, usage)
		}
	}
	return details, nil
}

// Expiry is when a PEM certificate ends.
func Expiry(certPEM []byte) (time.Time, error) {
	certificate, err := Parse(certPEM)
	if err != nil {
		return time.Time{}, err
	}
	return certificate.NotAfter.UTC(), nil
}

func keyAlgorithm(certificate *x509.Certificate) string {
	switch key := certificate.PublicKey.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA-%d", key.N.BitLen())
	case *ecdsa.PublicKey:
		return fmt.Sprintf("ECDSA-P%d", key.Curve.Params().BitSize)
	}
	return certificate.PublicKeyAlgorithm.String()
}
