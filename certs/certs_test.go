package certs_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/certs/mint"
	"github.com/slipway-k8s/slipway/cluster"
)

func TestCatalogueIsOfOnePiece(t *testing.T) {
	seen := map[string]bool{}
	for _, entry := range certs.Catalogue() {
		if seen[entry.Name] {
			t.Errorf("%s is listed twice", entry.Name)
		}
		seen[entry.Name] = true
		if entry.CommonName == "" || len(entry.Usages) == 0 || entry.Place == "" || entry.Form == "" || !slices.Contains(certs.Authorities(), entry.Authority) {
			t.Errorf("%s is not whole: %+v", entry.Name, entry)
		}
		// A server's certificate without names serves nobody; a client's needs none.
		spec := specOf(t, entry.Name)
		if server := slices.Contains(entry.Usages, certs.ServerAuth); server != (len(spec.DNSNames) > 0 && len(spec.Addresses) > 0) {
			t.Errorf("%s: usages %v, names %v %v", entry.Name, entry.Usages, spec.DNSNames, spec.Addresses)
		}
	}
}

// A certificate must not change because it was asked for again.
func TestSpecsAreTheSameEachTime(t *testing.T) {
	c := demo()
	if diff := cmp.Diff(certs.Specs(c, c.Hosts[0]), certs.Specs(c, c.Hosts[0]), cmp.Comparer(func(a, b fmt.Stringer) bool { return a.String() == b.String() })); diff != "" {
		t.Errorf("asked twice:\n%s", diff)
	}
}

func TestEndpointAndHostMayBeTheSameAddress(t *testing.T) {
	spec := specOf(t, certs.APIServer)
	if got := fmt.Sprint(spec.Addresses); got != "[10.96.0.1 192.0.2.11]" {
		t.Errorf("addresses %s", got)
	}
}

// Paths and modes as kubeadm 1.36 leaves them.
func TestFilesAreKubeadms(t *testing.T) {
	pki := mintPKI(t)
	got := map[string]uint32{}
	secret := map[string]bool{}
	for _, file := range pki.ControlPlaneFiles() {
		got[file.Path], secret[file.Path] = file.Mode, file.Secret
		if len(file.Content) == 0 {
			t.Errorf("%s is empty", file.Path)
		}
	}
	for _, entry := range certs.Catalogue() {
		for _, file := range (certs.Leaf{Name: entry.Name, Pair: certs.Pair{Cert: []byte("c"), Key: []byte("k")}}).Files() {
			got[file.Path], secret[file.Path] = file.Mode, file.Secret
		}
	}
	want := map[string]uint32{}
	for _, name := range []string{"ca", "front-proxy-ca", "etcd/ca", "apiserver", "apiserver-kubelet-client", "apiserver-etcd-client",
		"front-proxy-client", "etcd/server", "etcd/peer", "etcd/healthcheck-client"} {
		want["/etc/kubernetes/pki/"+name+".crt"], want["/etc/kubernetes/pki/"+name+".key"] = 0o644, 0o600
	}
	want["/etc/kubernetes/pki/sa.key"], want["/etc/kubernetes/pki/sa.pub"] = 0o600, 0o600
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	for path, secret := range secret {
		if secret != strings.HasSuffix(path, ".key") {
			t.Errorf("%s: secret is %v", path, secret)
		}
	}
	worker := pki.WorkerFiles()
	if len(worker) != 1 || worker[0].Path != "/etc/kubernetes/pki/ca.crt" || !bytes.Equal(worker[0].Content, pki.CA.Cert) {
		t.Errorf("a worker gets %v", worker)
	}
}

func TestKubeletFileIsTheKubelets(t *testing.T) {
	pki := mintPKI(t)
	leaf := certs.Leaf{Name: certs.Kubelet, Pair: certs.Pair{Cert: mintLeaf(t, pki, specOf(t, certs.Kubelet)), Key: []byte("KEY")}}
	file, err := leaf.KubeletFile()
	if err != nil {
		t.Fatal(err)
	}
	if file.Path != "/var/lib/kubelet/pki/kubelet-client-2026-03-04-05-01-07.pem" || file.Mode != 0o600 || !file.Secret {
		t.Errorf("the file is %s, mode %o, secret %v", file.Path, file.Mode, file.Secret)
	}
	if !bytes.Equal(file.Content, append(bytes.Clone(leaf.Cert), "KEY"...)) {
		t.Errorf("the file is not certificate and key:\n%s", file.Content)
	}
}

func TestPKIFromFiles(t *testing.T) {
	pki := mintPKI(t)
	contents := map[string][]byte{}
	for _, file := range pki.ControlPlaneFiles() {
		contents[file.Path] = file.Content
	}
	if paths := certs.SecretPaths(); len(paths) != len(contents) {
		t.Errorf("asks for %v", paths)
	}
	got, err := certs.FromFiles(contents)
	if err != nil {
		t.Fatal(err)
	}
	pki.Secret = nil
	if diff := cmp.Diff(pki, got); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
	for path := range contents {
		part := map[string][]byte{}
		for other, content := range contents {
			if other != path {
				part[other] = content
			}
		}
		if _, err := certs.FromFiles(part); err == nil {
			t.Errorf("read a PKI without %s", path)
		}
	}
}

// What is in the place of etcd's CA is the user's where his is the etcd, and its key is
// nowhere; the PKI is whole again all the same, and the same cluster's.
func TestPKIFromAHostWhoseEtcdIsAway(t *testing.T) {
	pki, foreign := mintPKI(t), mintPKI(t)
	c := demo()
	contents := map[string][]byte{certs.Etcd.CertPath(): foreign.EtcdCA.Cert}
	c.Etcd.External = &cluster.ExternalEtcd{}
	for _, file := range pki.HostFiles(c, c.Hosts[0]) {
		contents[file.Path] = file.Content
	}
	got, err := certs.FromHost(c, contents)
	if err != nil {
		t.Fatal(err)
	}
	want := pki
	want.EtcdCA, want.Secret = certs.Pair{}, nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
	whole, err := mint.Complete(got, cluster.DefaultKeyAlgorithm, decade, now)
	if err != nil || whole.Check() != nil || bytes.Equal(whole.EtcdCA.Cert, foreign.EtcdCA.Cert) || !bytes.Equal(whole.CA.Key, pki.CA.Key) {
		t.Errorf("completed: %v, %v", err, whole.Check())
	}
	// Where etcd is the cluster's own, a CA that is lost is never made anew: its members
	// would not know each other any more.
	c.Etcd.External = nil
	if _, err := certs.FromHost(c, contents); err == nil {
		t.Error("read a PKI without the key of etcd's CA")
	}
	c.Etcd.External = &cluster.ExternalEtcd{}
	delete(contents, certs.FrontProxy.KeyPath())
	if _, err := certs.FromHost(c, contents); err == nil {
		t.Error("read a PKI without the key of the front proxy's CA")
	}
}

// What is the operator's own has no place on a host.
func TestTheOperatorsCertificatesAreOnNoHost(t *testing.T) {
	for _, entry := range certs.Catalogue() {
		if entry.Form == certs.AsStored && (entry.CertPath() != "" || entry.KeyPath() != "" || entry.Place != certs.WithOperator) {
			t.Errorf("%s lies at %s", entry.Name, entry.CertPath())
		}
	}
	c := demo()
	if spec := certs.EtcdClientSpec(c); spec.Authority != certs.Etcd || spec.Name != certs.EtcdOperator {
		t.Errorf("etcd's client is %+v", spec)
	}
}

func TestCheckFindsWhatIsWrong(t *testing.T) {
	other := mintPKI(t)
	for name, spoil := range map[string]func(*certs.PKI){
		"ca: the private key does not belong":              func(p *certs.PKI) { p.CA.Key = other.CA.Key },
		"etcd/ca: parse certificate":                       func(p *certs.PKI) { p.EtcdCA.Cert = p.EtcdCA.Cert[:100] },
		"front-proxy-ca: parse private key":                func(p *certs.PKI) { p.FrontProxyCA.Key = nil },
		"front-proxy-ca: the certificate is not a CA's":    func(p *certs.PKI) { p.FrontProxyCA = leafPair(t, *p) },
		"sa: the private key does not belong":              func(p *certs.PKI) { p.ServiceAccount.Cert = other.ServiceAccount.Cert },
		"sa: parse public key: no PEM block":               func(p *certs.PKI) { p.ServiceAccount.Cert = p.CA.Cert },
		"secret: 31 bytes":                                 func(p *certs.PKI) { p.Secret = p.Secret[:31] },
		"ca: parse private key: the block is damaged":      func(p *certs.PKI) { p.CA.Key = damaged(p.CA.Key) },
		"ca: parse private key: no PEM block holds one":    func(p *certs.PKI) { p.CA.Key = p.CA.Cert },
		"etcd/ca: parse certificate: no PEM block of type": func(p *certs.PKI) { p.EtcdCA.Cert = p.EtcdCA.Key },
	} {
		pki := mintPKI(t)
		if err := pki.Check(); err != nil {
			t.Fatal(err)
		}
		spoil(&pki)
		err := pki.Check()
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("want %q, got %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "BEGIN") {
			t.Errorf("a key is quoted: %v", err)
		}
	}
}

// leafPair is a whole pair that is no CA's.
func leafPair(t *testing.T, pki certs.PKI) certs.Pair {
	t.Helper()
	leaf, err := mint.Leaf(pki, specOf(t, certs.APIServer), year, now)
	if err != nil {
		t.Fatal(err)
	}
	return leaf.Pair
}

func damaged(keyPEM []byte) []byte {
	block, _ := pem.Decode(keyPEM)
	block.Bytes = block.Bytes[:len(block.Bytes)/2]
	return pem.EncodeToMemory(block)
}

func TestIdentity(t *testing.T) {
	pki := mintPKI(t)
	certificate, err := certs.Parse(pki.CA.Cert)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(certificate.RawSubjectPublicKeyInfo)
	want := hex.EncodeToString(sum[:])
	id, err := certs.ID(pki)
	if err != nil || id != want {
		t.Errorf("ID %s, %v; want %s", id, err, want)
	}
	if pin, err := certs.Pin(pki.CA.Cert); err != nil || pin != "sha256:"+want {
		t.Errorf("pin %s, %v", pin, err)
	}
	if got := certs.ShortID(id); got != want[:12] || certs.ShortID("ab") != "ab" {
		t.Errorf("short %s", got)
	}
	if _, err := certs.ID(certs.PKI{}); err == nil {
		t.Error("no CA has an ID")
	}
}

func TestSeals(t *testing.T) {
	const purpose = "a note"
	one, other := mintPKI(t), mintPKI(t)
	content := []byte("content")
	colleague := one
	colleague.Secret = other.Secret
	seal := func(pki certs.PKI, purpose string, content []byte) string {
		sealed, err := pki.Seal(purpose, content)
		if err != nil || len(sealed) != 64 {
			t.Fatalf("seal %q: %v", sealed, err)
		}
		return sealed
	}
	want := seal(one, purpose, content)
	if got := seal(colleague, purpose, content); got != want {
		t.Errorf("another operator's seal is %s, want %s", got, want)
	}
	for name, got := range map[string]string{
		"another cluster's": seal(other, purpose, content),
		"another content's": seal(one, purpose, []byte("other")),
		"another purpose's": seal(one, "another", content),
	} {
		if got == want {
			t.Errorf("%s seal is the same", name)
		}
	}
	one.CA.Key = nil
	if _, err := one.Seal(purpose, content); err == nil {
		t.Error("sealed without a key")
	}
}

func TestTokensHideTheirSecret(t *testing.T) {
	token := certs.Token{ID: "abcdef", Secret: "0123456789abcdef"}
	if token.Reveal() != "abcdef.0123456789abcdef" {
		t.Errorf("revealed as %s", token.Reveal())
	}
	for _, format := range []string{"%v", "%s", "%+v", "%#v", "%d"} {
		if text := fmt.Sprintf(format, token); strings.Contains(text, "0123456789abcdef") {
			t.Errorf("%s shows the secret: %s", format, text)
		}
	}
	if text, err := json.Marshal(token); err != nil || string(text) != `"abcdef.…"` {
		t.Errorf("as JSON: %s, %v", text, err)
	}
}

func TestPrintingShowsNoKey(t *testing.T) {
	pki := mintPKI(t)
	leaf := certs.Leaf{Name: certs.APIServer, Pair: leafPair(t, pki)}
	for _, format := range []string{"%v", "%s", "%+v", "%#v", "%q", "%x"} {
		for _, value := range []any{pki, &pki, pki.CA, leaf, []certs.Leaf{leaf}} {
			if text := fmt.Sprintf(format, value); len(text) > 60 {
				t.Errorf("%s of %T shows %s", format, value, text)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	f.Add([]byte("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if all, err := certs.ParseAll(text); err == nil && len(all) == 0 {
			t.Error("no certificate and no error")
		}
		if key, err := certs.ParseKey(text); err == nil && key == nil {
			t.Error("no key and no error")
		}
	})
}
