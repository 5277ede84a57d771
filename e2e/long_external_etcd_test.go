//go:build long

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestLongExternalEtcd keeps the cluster's data in an etcd of the user's own: one that runs on
// a host of the lab which the cluster file does not have.
func TestLongExternalEtcd(t *testing.T) {
	l := newLab(t, "--control-planes", "2", "--workers", "1", "--spares", "1")
	address := l.address("spare-1")
	material := newMaterial(t, address)
	program := filepath.Join(t.TempDir(), "etcd")
	build := exec.Command(slipwayBinary(), "bundle", "build", "--component", "etcd", "--out", program)
	build.Dir = repository()
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build etcd: %v\n%s", err, out)
	}
	l.put("spare-1", program, "/usr/local/bin/etcd")
	for _, name := range []string{"ca.crt", "server.crt", "server.key"} {
		l.put("spare-1", filepath.Join(material, name), "/root/"+name)
	}
	l.exec("spare-1", "systemd-run", "--unit=etcd", "/usr/local/bin/etcd", "--data-dir=/var/lib/theirs",
		"--listen-client-urls=https://"+address+":2379", "--advertise-client-urls=https://"+address+":2379",
		"--cert-file=/root/server.crt", "--key-file=/root/server.key", "--trusted-ca-file=/root/ca.crt", "--client-cert-auth")
	l.file = edited(t, l, func(file map[string]any) {
		file["etcd"] = map[string]any{"external": map[string]any{
			"endpoints": []string{"https://" + address + ":2379"},
			"caFile":    filepath.Join(material, "ca.crt"), "certFile": filepath.Join(material, "client.crt"), "keyFile": filepath.Join(material, "client.key"),
		}}
	})
	promises(t, l, nil, []promise{
		{"init uses it, and runs none of its own", func(t *testing.T, l *lab) {
			l.init()
			l.wantReady("cp-1", "cp-2", "worker-1")
			l.planIsEmpty()
			if out := l.exec("cp-1", "sh", "-c", "ls /etc/kubernetes/manifests/etcd.yaml /var/lib/etcd/member 2>/dev/null || true"); strings.TrimSpace(out) != "" {
				t.Errorf("cp-1 has an etcd: %s", out)
			}
		}},
		{"a control plane of two may die", endpointSurvivesHolder},
		{"and one may leave", func(_ *testing.T, l *lab) {
			l.must(l.onCluster("reset", "cp-1", "--yes")...)
			nothingLeft(l, "cp-1")
			l.wantReady("cp-2", "worker-1")
		}},
	})
}

// newMaterial makes a CA, a server's and a client's certificate, and gives their folder.
func newMaterial(t *testing.T, address string) string {
	t.Helper()
	folder := t.TempDir()
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "their etcd"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	signer := issue(t, folder, "ca", authority, authority, nil)
	both := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	for i, name := range []string{"server", "client"} {
		leaf := &x509.Certificate{
			SerialNumber: big.NewInt(int64(i + 2)), Subject: pkix.Name{CommonName: name}, ExtKeyUsage: both,
			NotBefore: authority.NotBefore, NotAfter: authority.NotAfter, IPAddresses: []net.IP{net.ParseIP(address)},
		}
		issue(t, folder, name, leaf, authority, signer)
	}
	return folder
}

// issue writes a certificate and its key; without a signer it signs itself.
func issue(t *testing.T, folder, name string, leaf, authority *x509.Certificate, signer *ecdsa.PrivateKey) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if signer == nil {
		signer = key
	}
	certificate, err := x509.CreateCertificate(rand.Reader, leaf, authority, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		name + ".crt": {Type: "CERTIFICATE", Bytes: certificate},
		name + ".key": {Type: "EC PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(filepath.Join(folder, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return key
}
