package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"
)

const (
	kubeletPKI     = "/var/lib/kubelet/pki/"
	kubeletCurrent = kubeletPKI + "kubelet-client-current.pem"
)

// kubeletRotation gives a kubelet a certificate that lives a minute, as if its year were
// nearly over: the kubelet has to get a new one from the cluster by itself, in time.
func kubeletRotation(t *testing.T, l *lab) {
	short := kubeletPKI + "kubelet-client-2020-01-01-00-00-00.pem"
	r := l.runWith(shortLived(t, l, "worker-1", time.Minute), "lab", "exec", "--name", l.name, "worker-1", "--", "sh", "-c",
		fmt.Sprintf("umask 077 && cat > %s && ln -sfn %s %s && systemctl restart kubelet", short, short, kubeletCurrent))
	if r.code != 0 {
		t.Fatal(r)
	}
	// The kubelet asks for a new one when between 70 and 90 hundredths of its life are over.
	eventually(t, 90*time.Second, "the kubelet has a new certificate", func() error {
		if now := strings.TrimSpace(l.exec("worker-1", "readlink", kubeletCurrent)); now == short {
			return fmt.Errorf("still %s", now)
		}
		return nil
	})
	l.wantReady("cp-1", "worker-1")
	l.planIsEmpty()
}

// shortLived signs a kubelet's client certificate with the cluster's CA: certificate
// and key in one, as the kubelet keeps them.
func shortLived(t *testing.T, l *lab, node string, life time.Duration) []byte {
	t.Helper()
	authority, err := tls.X509KeyPair(
		[]byte(l.exec("cp-1", "cat", "/etc/kubernetes/pki/ca.crt")),
		[]byte(l.exec("cp-1", "cat", "/etc/kubernetes/pki/ca.key")))
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: "system:node:" + node, Organization: []string{"system:nodes"}},
		NotBefore:    time.Now().Add(-time.Second),
		NotAfter:     time.Now().Add(life),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, authority.Leaf, key.Public(), authority.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private})...)
}
