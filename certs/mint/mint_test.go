package mint

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/certs"
)

var now = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

const year, decade = 365 * 24 * time.Hour, 10 * 365 * 24 * time.Hour

func mintPKI(t *testing.T, algorithm string) certs.PKI {
	t.Helper()
	pki, err := PKI(algorithm, decade, now)
	if err != nil {
		t.Fatal(err)
	}
	return pki
}

// specs are two certificates of a made-up host.
func specs(algorithm string) []certs.Spec {
	return []certs.Spec{
		{Name: certs.APIServer, Authority: certs.Kubernetes, CommonName: "kube-apiserver", Usages: []certs.Usage{certs.ServerAuth},
			DNSNames: []string{"cp-1", "*.example.com"}, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.11"), netip.MustParseAddr("2001:db8::1")}, KeyAlgorithm: algorithm},
		{Name: certs.Admin, Authority: certs.Kubernetes, CommonName: "kubernetes-admin", Organizations: []string{"kubeadm:cluster-admins"},
			Usages: []certs.Usage{certs.ClientAuth}, KeyAlgorithm: algorithm},
		{Name: certs.EtcdPeer, Authority: certs.Etcd, CommonName: "cp-1", Usages: []certs.Usage{certs.ServerAuth, certs.ClientAuth}, KeyAlgorithm: algorithm},
		{Name: certs.FrontProxyClient, Authority: certs.FrontProxy, CommonName: "front-proxy-client", Usages: []certs.Usage{certs.ClientAuth}, KeyAlgorithm: algorithm},
	}
}

func TestLeavesAreInTheOrderOfTheirSpecs(t *testing.T) {
	pki := mintPKI(t, "ECDSA-P256")
	leaves, err := Leaves(pki, specs("ECDSA-P256"), year, now)
	if err != nil {
		t.Fatal(err)
	}
	for i, spec := range specs("ECDSA-P256") {
		if leaves[i].Name != spec.Name {
			t.Errorf("leaf %d is %s, want %s", i, leaves[i].Name, spec.Name)
		}
		if err := leaves[i].Check(); err != nil {
			t.Errorf("%s: %v", spec.Name, err)
		}
		authority, _ := pki.Authority(spec.Authority)
		verify(t, leaves[i], authority.Cert)
		if reasons := certs.Acceptable(spec, leaves[i].Cert, authority.Cert, now, year); len(reasons) > 0 {
			t.Errorf("%s, as minted, is not acceptable: %v", spec.Name, reasons)
		}
	}
}

func TestOneBadSpecFailsByName(t *testing.T) {
	pki := mintPKI(t, "ECDSA-P256")
	bad := specs("ECDSA-P256")
	bad[1].Authority = "nobody"
	if _, err := Leaves(pki, bad, year, now); err == nil || !strings.Contains(err.Error(), "mint admin.conf for kubernetes-admin") {
		t.Errorf("got %v", err)
	}
}

// verify does what a TLS peer does.
func verify(t *testing.T, leaf certs.Leaf, caPEM []byte) {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(caPEM)
	certificate, err := certs.Parse(leaf.Cert)
	if err != nil {
		t.Fatal(err)
	}
	options := x509.VerifyOptions{Roots: roots, CurrentTime: now, KeyUsages: certificate.ExtKeyUsage}
	if _, err := certificate.Verify(options); err != nil {
		t.Errorf("%s does not verify: %v", leaf.Name, err)
	}
}

func TestKeyAlgorithms(t *testing.T) {
	for algorithm, block := range map[string]string{
		"RSA-2048":   "RSA PRIVATE KEY",
		"ECDSA-P256": "EC PRIVATE KEY", "ECDSA-P384": "EC PRIVATE KEY",
	} {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			pki := mintPKI(t, algorithm)
			leaf, err := Leaf(pki, specs(algorithm)[0], year, now)
			if err != nil {
				t.Fatal(err)
			}
			for name, key := range map[string][]byte{"ca": pki.CA.Key, "sa": pki.ServiceAccount.Key, "leaf": leaf.Key} {
				decoded, rest := pem.Decode(key)
				if decoded == nil || decoded.Type != block || len(rest) > 0 {
					t.Errorf("%s's key is not one block %s", name, block)
				}
			}
			for name, cert := range map[string][]byte{"ca": pki.CA.Cert, "leaf": leaf.Cert} {
				if parsed, err := certs.Parse(cert); err != nil || keyAlgorithm(parsed.PublicKey) != algorithm {
					t.Errorf("%s is no certificate of a key of %s (%v)", name, algorithm, err)
				}
			}
			verify(t, leaf, pki.CA.Cert)
			if block, _ := pem.Decode(pki.ServiceAccount.Cert); block == nil || block.Type != "PUBLIC KEY" {
				t.Errorf("sa.pub is not a PUBLIC KEY:\n%s", pki.ServiceAccount.Cert)
			}
			if err := pki.Check(); err != nil {
				t.Error(err)
			}
		})
	}
}

func keyAlgorithm(public crypto.PublicKey) string {
	switch key := public.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA-%d", key.N.BitLen())
	case *ecdsa.PublicKey:
		return fmt.Sprintf("ECDSA-P%d", key.Curve.Params().BitSize)
	}
	return "unknown"
}

// The long ones take seconds to make: look at what would be made.
func TestLongKeys(t *testing.T) {
	for algorithm, size := range map[string]int{"RSA-2048": 2048, "RSA-3072": 3072, "RSA-4096": 4096} {
		if request, err := keyRequest(algorithm); err != nil || request.Algo() != "rsa" || request.Size() != size {
			t.Errorf("%s is %v, %v", algorithm, request, err)
		}
	}
}

func TestUnknownAlgorithm(t *testing.T) {
	for _, algorithm := range []string{"", "RSA-1024", "ed25519"} {
		if _, err := PKI(algorithm, decade, now); err == nil {
			t.Errorf("minted with %q", algorithm)
		}
	}
}

func TestEverythingIsNew(t *testing.T) {
	one, other := mintPKI(t, "ECDSA-P256"), mintPKI(t, "ECDSA-P256")
	if slices.Equal(one.CA.Key, other.CA.Key) || slices.Equal(one.Secret, other.Secret) || slices.Equal(one.ServiceAccount.Key, other.ServiceAccount.Key) {
		t.Error("two PKIs share a secret")
	}
	seen := map[string]bool{}
	leaves, err := Leaves(one, specs("ECDSA-P256"), year, now)
	if err != nil {
		t.Fatal(err)
	}
	for _, leaf := range leaves {
		certificate, err := certs.Parse(leaf.Cert)
		if err != nil {
			t.Fatal(err)
		}
		serial := certificate.SerialNumber
		if seen[serial.String()] || serial.Sign() <= 0 || serial.Cmp(new(big.Int).Lsh(big.NewInt(1), 64)) < 0 {
			t.Errorf("%s has the serial number %s", leaf.Name, serial)
		}
		seen[serial.String()] = true
	}
}

func TestALeafDoesNotOutliveItsCA(t *testing.T) {
	pki, err := PKI("ECDSA-P256", 30*24*time.Hour, now)
	if err != nil {
		t.Fatal(err)
	}
	spec := specs("ECDSA-P256")[0]
	leaf, err := Leaf(pki, spec, year, now)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := certs.Parse(leaf.Cert); err != nil || !got.NotAfter.Equal(now.Add(30*24*time.Hour)) {
		t.Errorf("the leaf does not end with its CA on %s: %v", now.Add(30*24*time.Hour), err)
	}
	if _, err := Leaf(pki, spec, year, now.Add(31*24*time.Hour)); err == nil {
		t.Error("a CA that has expired signed a leaf")
	}
}

func TestCompleteKeepsWhatIsThere(t *testing.T) {
	whole := mintPKI(t, "ECDSA-P256")
	part := whole
	part.EtcdCA, part.Secret = certs.Pair{}, nil
	completed, err := Complete(part, "RSA-2048", decade, now)
	if err != nil {
		t.Fatal(err)
	}
	if err := completed.Check(); err != nil {
		t.Error(err)
	}
	if !slices.Equal(completed.CA.Key, whole.CA.Key) || !slices.Equal(completed.ServiceAccount.Key, whole.ServiceAccount.Key) {
		t.Error("what was there was minted anew")
	}
	if slices.Equal(completed.EtcdCA.Key, whole.EtcdCA.Key) || len(completed.Secret) == 0 {
		t.Error("what was missing is missing still")
	}
}

func TestBootstrapTokens(t *testing.T) {
	form := regexp.MustCompile(`^[a-z0-9]{6}\.[a-z0-9]{16}$`)
	seen := map[string]bool{}
	for range 100 {
		token, err := BootstrapToken()
		if err != nil || !form.MatchString(token.Reveal()) || seen[token.Reveal()] {
			t.Fatalf("%q is no new token (%v)", token.Reveal(), err)
		}
		seen[token.Reveal()] = true
	}
}

func BenchmarkPKI(b *testing.B) {
	for b.Loop() {
		if _, err := PKI("ECDSA-P256", decade, now); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLeaf(b *testing.B) {
	for _, algorithm := range []string{"ECDSA-P256", "RSA-2048"} {
		b.Run(algorithm, func(b *testing.B) {
			pki, err := PKI(algorithm, decade, now)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := Leaf(pki, specs(algorithm)[0], year, now); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
