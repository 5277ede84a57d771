package certs

import (
	"crypto/x509"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Fault is one way in which a certificate is not what it should be.
type Fault string

// The faults of certificates.
const (
	FaultUnreadable Fault = "unreadable"
	FaultAuthority  Fault = "authority" // another CA signed it
	FaultSubject    Fault = "subject"
	FaultNames      Fault = "names" // some are missing
	FaultUsages     Fault = "usages"
	FaultCA         Fault = "ca" // it could sign others
	FaultNotYet     Fault = "not-yet-valid"
	FaultExpired    Fault = "expired"
	FaultExpiring   Fault = "expiring" // too little life left
)

// Reason says why a certificate can not stay.
type Reason struct {
	Fault  Fault  `json:"fault"`
	Detail string `json:"detail"`
}

// Acceptable checks a certificate that is already there, whoever made it: the right CA,
// subject and usages, at least the names, and at least minLeft to live. It gives every
// reason against it; none means that it stays.
func Acceptable(want Spec, certPEM, caPEM []byte, now time.Time, minLeft time.Duration) []Reason {
	certificate, err := Parse(certPEM)
	if err != nil {
		return []Reason{{FaultUnreadable, err.Error()}}
	}
	authorities, err := ParseAll(caPEM)
	if err != nil {
		return []Reason{{FaultAuthority, "the CA itself: " + err.Error()}}
	}
	var reasons []Reason
	against := func(fault Fault, format string, args ...any) {
		reasons = append(reasons, Reason{fault, fmt.Sprintf(format, args...)})
	}
	if !signedByOne(certificate, authorities) {
		against(FaultAuthority, "signed by %q, not by this cluster's %s", certificate.Issuer.CommonName, want.Authority)
	}
	if certificate.IsCA {
		against(FaultCA, "is a CA")
	}
	if detail := wrongSubject(want, certificate); detail != "" {
		against(FaultSubject, "%s", detail)
	}
	if missing := missingNames(want, certificate); len(missing) > 0 {
		against(FaultNames, "lacks the names %s", strings.Join(missing, ", "))
	}
	if missing := missingUsages(want, certificate); len(missing) > 0 {
		against(FaultUsages, "lacks the usages %s", strings.Join(missing, ", "))
	}
	if reason, bad := lifeLeft(certificate, now, minLeft); bad {
		reasons = append(reasons, reason)
	}
	return reasons
}

// MinLeft is how much life a certificate must have left to stay where it is: a fifth of
// its whole, thirty days at most. A kubelet's own is rotated by the kubelet and only has
// to be valid; there, ask for none.
func MinLeft(validity time.Duration) time.Duration {
	return min(validity/5, 30*24*time.Hour)
}

func signedByOne(certificate *x509.Certificate, authorities []*x509.Certificate) bool {
	return slices.ContainsFunc(authorities, func(authority *x509.Certificate) bool {
		return certificate.CheckSignatureFrom(authority) == nil
	})
}

// wrongSubject compares the subject. Organizations are groups: one too many is as wrong
// as one too few.
func wrongSubject(want Spec, certificate *x509.Certificate) string {
	have := certificate.Subject
	if have.CommonName != want.CommonName {
		return fmt.Sprintf("is for %q, not for %q", have.CommonName, want.CommonName)
	}
	if !slices.Equal(sortedUnique(have.Organization, strings.Compare), sortedUnique(want.Organizations, strings.Compare)) {
		return fmt.Sprintf("is for the groups %q, not %q", have.Organization, want.Organizations)
	}
	return ""
}

func missingNames(want Spec, certificate *x509.Certificate) []string {
	var missing []string
	for _, name := range want.DNSNames {
		if !slices.ContainsFunc(certificate.DNSNames, func(have string) bool { return strings.EqualFold(have, name) }) {
			missing = append(missing, name)
		}
	}
	have := addressesOf(certificate)
	for _, address := range want.Addresses {
		if !slices.Contains(have, address.Unmap()) {
			missing = append(missing, address.String())
		}
	}
	return missing
}

func addressesOf(certificate *x509.Certificate) []netip.Addr {
	var addresses []netip.Addr
	for _, raw := range certificate.IPAddresses {
		if address, ok := netip.AddrFromSlice(raw); ok {
			addresses = append(addresses, address.Unmap())
		}
	}
	return addresses
}

func missingUsages(want Spec, certificate *x509.Certificate) []string {
	var missing []string
	for _, usage := range want.Usages {
		if !slices.Contains(certificate.ExtKeyUsage, usage.extended()) {
			missing = append(missing, string(usage))
		}
	}
	return missing
}

func (u Usage) extended() x509.ExtKeyUsage {
	if u == ServerAuth {
		return x509.ExtKeyUsageServerAuth
	}
	return x509.ExtKeyUsageClientAuth
}

func lifeLeft(certificate *x509.Certificate, now time.Time, minLeft time.Duration) (Reason, bool) {
	left := certificate.NotAfter.Sub(now)
	switch {
	case now.Before(certificate.NotBefore):
		return Reason{FaultNotYet, "is valid only from " + stamp(certificate.NotBefore)}, true
	case left < 0:
		return Reason{FaultExpired, "expired on " + stamp(certificate.NotAfter)}, true
	case left < minLeft:
		return Reason{FaultExpiring, fmt.Sprintf("expires on %s, in less than %s", stamp(certificate.NotAfter), minLeft)}, true
	}
	return Reason{}, false
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
