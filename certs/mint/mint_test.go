package mint

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/netip"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/cluster"
)

var now = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

const year, decade = 365 * 24 * time.Hour, 10 * 365 * 24 * time.Hour

func demo() *cluster.Cluster {
	c := &cluster.Cluster{
		Name: "demo",
		Hosts: []cluster.Host{
			{Name: "cp-1", Addresses: []string{"192.0.2.11"}, Roles: []cluster.Role{cluster.RoleControlPlane}},
			{Name: "worker-1", Addresses: []string{"192.0.2.21"}, Roles: []cluster.Role{cluster.RoleWorker}},
		},
		Endpoint:     cluster.Endpoint{Host: "api.example.com"},
		Certificates: cluster.Certificates{ExtraSANs: []string{"*.example.com", "203.0.113.9", "2001:db8::9"}},
	}
	cluster.Defaults(c)
	return c
}

func mintPKI(t *testing.T, algorithm string) certs.PKI {
	t.Helper()
	pki, err := PKI(algorithm, decade, now)
	if err != nil {
		t.Fatal(err)
	}
	return pki
}

// profile is all that tells one kind of certificate from another.
type profile struct {
	CommonName   string
	Organization []string
	DNSNames     []string
	Addresses    []string
	KeyUsage     x509.KeyUsage
	ExtKeyUsage  []x509.ExtKeyUsage
	IsCA         bool
	Constraints  bool
	Life         time.Duration
	Backdated    time.Duration
}

func profileOf(t *testing.T, certPEM []byte) profile {
	t.Helper()
	block, rest := pem.Decode(certPEM)
	if block == nil || block.Type != "CERTIFICATE" || len(rest) > 0 {
		t.Fatalf("want one CERTIFICATE block alone, got\n%s", certPEM)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	p := profile{
		CommonName: c.Subject.CommonName, Organization: c.Subject.Organization,
		DNSNames: c.DNSNames, KeyUsage: c.KeyUsage, ExtKeyUsage: c.ExtKeyUsage,
		IsCA: c.IsCA, Constraints: c.BasicConstraintsValid,
		Life: c.NotAfter.Sub(now), Backdated: now.Sub(c.NotBefore),
	}
	slices.Sort(p.DNSNames)
	for _, raw := range c.IPAddresses {
		address, _ := netip.AddrFromSlice(raw)
		p.Addresses = append(p.Addresses, address.Unmap().String())
	}
	slices.Sort(p.Addresses)
	return p
}

const leafUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment

// What kubeadm 1.36 gives its CAs.
func TestAuthoritiesAreKubeadms(t *testing.T) {
	pki := mintPKI(t, "ECDSA-P256")
	for authority, name := range map[certs.Authority]string{
		certs.Kubernetes: "kubernetes", certs.FrontProxy: "front-proxy-ca", certs.Etcd: "etcd-ca",
	} {
		pair, err := pki.Authority(authority)
		if err != nil {
			t.Fatal(err)
		}
		want := profile{CommonName: name, DNSNames: []string{name}, KeyUsage: leafUsage | x509.KeyUsageCertSign,
			IsCA: true, Constraints: true, Life: decade, Backdated: 5 * time.Minute}
		if diff := cmp.Diff(want, profileOf(t, pair.Cert)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", authority, diff)
		}
	}
	if err := pki.Check(); err != nil {
		t.Errorf("the PKI is not whole: %v", err)
	}
}

// What kubeadm 1.36 gives each leaf; its names are a superset of kubeadm's.
func TestLeavesAreKubeadms(t *testing.T) {
	var (
		client = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		server = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		both   = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	)
	etcdNames, etcdAddresses := []string{"cp-1", "localhost"}, []string{"127.0.0.1", "192.0.2.11", "::1"}
	want := map[string]profile{
		certs.APIServer: {CommonName: "kube-apiserver", ExtKeyUsage: server,
			DNSNames: []string{"*.example.com", "api.example.com", "cp-1", "kubernetes", "kubernetes.default",
				"kubernetes.default.svc", "kubernetes.default.svc.cluster.local"},
			Addresses: []string{"10.96.0.1", "192.0.2.11", "2001:db8::9", "203.0.113.9"}},
		certs.APIServerKubeletClient: {CommonName: "kube-apiserver-kubelet-client", ExtKeyUsage: client},
		certs.APIServerEtcdClient:    {CommonName: "kube-apiserver-etcd-client", ExtKeyUsage: client},
		certs.FrontProxyClient:       {CommonName: "front-proxy-client", ExtKeyUsage: client},
		certs.EtcdServer:             {CommonName: "cp-1", ExtKeyUsage: both, DNSNames: etcdNames, Addresses: etcdAddresses},
		certs.EtcdPeer:               {CommonName: "cp-1", ExtKeyUsage: both, DNSNames: etcdNames, Addresses: etcdAddresses},
		certs.EtcdHealthcheckClient:  {CommonName: "kube-etcd-healthcheck-client", ExtKeyUsage: client},
		certs.Admin:                  {CommonName: "kubernetes-admin", Organization: []string{"kubeadm:cluster-admins"}, ExtKeyUsage: client},
		certs.ControllerManager:      {CommonName: "system:kube-controller-manager", ExtKeyUsage: client},
		certs.Scheduler:              {CommonName: "system:kube-scheduler", ExtKeyUsage: client},
		certs.Kubelet:                {CommonName: "system:node:cp-1", Organization: []string{"system:nodes"}, ExtKeyUsage: client},
		certs.SuperAdmin:             {CommonName: "kubernetes-super-admin", Organization: []string{"system:masters"}, ExtKeyUsage: client},
	}
	pki, c := mintPKI(t, "ECDSA-P256"), demo()
	specs := append(certs.Specs(c, c.Hosts[0]), certs.SuperAdminSpec(c))
	leaves, err := Leaves(pki, specs, year, now)
	if err != nil {
		t.Fatal(err)
	}
	if len(leaves) != len(want) {
		t.Errorf("%d leaves, want %d", len(leaves), len(want))
	}
	for i, leaf := range leaves {
		expected := want[leaf.Name]
		expected.KeyUsage, expected.Constraints = leafUsage, true
		expected.Life, expected.Backdated = year, 5*time.Minute
		if diff := cmp.Diff(expected, profileOf(t, leaf.Cert)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", leaf.Name, diff)
		}
		if err := leaf.Check(); err != nil {
			t.Errorf("%s: %v", leaf.Name, err)
		}
		authority, _ := pki.Authority(specs[i].Authority)
		if reasons := certs.Acceptable(specs[i], leaf.Cert, authority.Cert, now, certs.MinLeft(year)); len(reasons) > 0 {
			t.Errorf("%s, as minted, is not acceptable: %v", leaf.Name, reasons)
		}
		verify(t, leaf, authority.Cert)
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

func TestAWorkerGetsOnlyItsKubeletsCertificate(t *testing.T) {
	c := demo()
	var names []string
	for _, spec := range certs.Specs(c, c.Hosts[1]) {
		names = append(names, spec.Name)
	}
	if want := []string{certs.Kubelet}; !slices.Equal(names, want) {
		t.Errorf("a worker gets %v, want %v", names, want)
	}
}

func TestKeyAlgorithms(t *testing.T) {
	for algorithm, block := range map[string]string{
		"RSA-2048":   "RSA PRIVATE KEY",
		"ECDSA-P256": "EC PRIVATE KEY", "ECDSA-P384": "EC PRIVATE KEY",
	} {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			c := demo()
			c.Certificates.KeyAlgorithm = algorithm
			pki := mintPKI(t, algorithm)
			leaf, err := Leaf(pki, certs.Specs(c, c.Hosts[0])[0], year, now)
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
				if details, err := certs.Inspect(cert); err != nil || details.KeyAlgorithm != algorithm {
					t.Errorf("%s has a key of %s (%v)", name, details.KeyAlgorithm, err)
				}
			}
			verify(t, leaf, pki.CA.Cert)
		})
	}
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

func TestServiceAccountPairIsKubeadms(t *testing.T) {
	for _, algorithm := range []string{"RSA-2048", "ECDSA-P256"} {
		sa := mintPKI(t, algorithm).ServiceAccount
		block, _ := pem.Decode(sa.Cert)
		if block == nil || block.Type != "PUBLIC KEY" {
			t.Fatalf("sa.pub is not a PUBLIC KEY:\n%s", sa.Cert)
		}
		public, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		switch public.(type) {
		case *rsa.PublicKey, *ecdsa.PublicKey:
		default:
			t.Errorf("sa.pub holds a %T", public)
		}
	}
}

func TestEverythingIsNew(t *testing.T) {
	one, other := mintPKI(t, "ECDSA-P256"), mintPKI(t, "ECDSA-P256")
	if slices.Equal(one.CA.Key, other.CA.Key) || slices.Equal(one.Secret, other.Secret) || slices.Equal(one.ServiceAccount.Key, other.ServiceAccount.Key) {
		t.Error("two PKIs share a secret")
	}
	seen := map[string]bool{}
	c := demo()
	leaves, err := Leaves(one, certs.Specs(c, c.Hosts[0]), year, now)
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
	c := demo()
	spec := certs.Specs(c, c.Hosts[0])[0]
	leaf, err := Leaf(pki, spec, year, now)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := certs.Expiry(leaf.Cert); !got.Equal(now.Add(30 * 24 * time.Hour)) {
		t.Errorf("the leaf ends on %s, its CA on %s", got, now.Add(30*24*time.Hour))
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
		token := BootstrapToken()
		if !form.MatchString(token.Reveal()) || seen[token.Reveal()] {
			t.Fatalf("%q is no new token", token.Reveal())
		}
		seen[token.Reveal()] = true
		if parsed, err := certs.ParseToken(token.Reveal()); err != nil || parsed != token {
			t.Errorf("read back as %v: %v", parsed, err)
		}
	}
}

func TestPasswordsUseTheWholeAlphabet(t *testing.T) {
	used := map[rune]int{}
	text := Password(20_000)
	if len(text) != 20_000 {
		t.Fatalf("%d characters, want 20000", len(text))
	}
	for _, r := range text {
		used[r]++
	}
	// 62 characters, some 322 each; far off would mean that some are likelier.
	for _, r := range passwordAlphabet {
		if used[r] < 200 || used[r] > 450 {
			t.Errorf("%c came %d times", r, used[r])
		}
	}
}

func BenchmarkPKI(b *testing.B) {
	for b.Loop() {
		if _, err := PKI("ECDSA-P256", decade, now); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkControlPlane(b *testing.B) {
	for _, algorithm := range []string{"ECDSA-P256", "RSA-2048"} {
		b.Run(algorithm, func(b *testing.B) {
			c := demo()
			c.Certificates.KeyAlgorithm = algorithm
			pki, err := PKI(algorithm, decade, now)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := Leaves(pki, certs.Specs(c, c.Hosts[0]), year, now); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
