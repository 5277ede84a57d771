// Package mint signs: it makes the cluster's CAs, its leaf certificates, tokens and
// passwords. It is the only importer of cfssl, and where all of Slipway's randomness
// comes from. What is minted goes to certs/store before anything else happens to it.
package mint

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/cloudflare/cfssl/csr"
	"github.com/cloudflare/cfssl/log"
	"golang.org/x/sync/errgroup"
	tokenutil "k8s.io/cluster-bootstrap/token/util"

	"github.com/slipway-k8s/slipway/certs"
)

// backdate is how far back a certificate's life begins, so that clocks may differ a
// little. kubeadm's own figure.
const backdate = 5 * time.Minute

// secretSize is the length of the cluster's own secret, in bytes.
const secretSize = 32

func init() {
	// cfssl tells its log, which is standard error, of each key and signature.
	log.Level = log.LevelFatal + 1
}

// PKI makes the key material of a new cluster.
func PKI(algorithm string, validity time.Duration, now time.Time) (certs.PKI, error) {
	return Complete(certs.PKI{}, algorithm, validity, now)
}

// Complete makes what a PKI lacks and keeps what it has.
func Complete(pki certs.PKI, algorithm string, validity time.Duration, now time.Time) (certs.PKI, error) {
	request, err := keyRequest(algorithm)
	if err != nil {
		return certs.PKI{}, err
	}
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	missing := map[certs.Authority]*certs.Pair{
		certs.Kubernetes: &pki.CA,
		certs.FrontProxy: &pki.FrontProxyCA,
		certs.Etcd:       &pki.EtcdCA,
	}
	for authority, pair := range missing {
		if !empty(*pair) {
			continue
		}
		group.Go(func() (err error) {
			*pair, err = selfSigned(authority, request, now.Add(validity), now)
			return err
		})
	}
	if empty(pki.ServiceAccount) {
		group.Go(func() (err error) {
			pki.ServiceAccount, err = serviceAccount(request)
			return err
		})
	}
	if len(pki.Secret) == 0 {
		pki.Secret = random(secretSize)
	}
	if err := group.Wait(); err != nil {
		return certs.PKI{}, err
	}
	return pki, nil
}

func empty(pair certs.Pair) bool { return len(pair.Cert) == 0 && len(pair.Key) == 0 }

// Leaves signs many certificates at once; the answer is in the order of the specs.
func Leaves(pki certs.PKI, specs []certs.Spec, validity time.Duration, now time.Time) ([]certs.Leaf, error) {
	leaves := make([]certs.Leaf, len(specs))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, spec := range specs {
		group.Go(func() (err error) {
			leaves[i], err = Leaf(pki, spec, validity, now)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return leaves, nil
}

// serviceAccount makes the pair that signs and proves service accounts' tokens.
func serviceAccount(request csr.KeyRequest) (certs.Pair, error) {
	key, keyPEM, err := newKey(request)
	if err != nil {
		return certs.Pair{}, fmt.Errorf("mint sa: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return certs.Pair{}, fmt.Errorf("mint sa: %w", err)
	}
	return certs.Pair{
		Cert: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}),
		Key:  keyPEM,
	}, nil
}

// keyRequest reads an algorithm in kubeadm's words.
func keyRequest(algorithm string) (csr.KeyRequest, error) {
	switch algorithm {
	case "RSA-2048":
		return csr.KeyRequest{A: "rsa", S: 2048}, nil
	case "RSA-3072":
		return csr.KeyRequest{A: "rsa", S: 3072}, nil
	case "RSA-4096":
		return csr.KeyRequest{A: "rsa", S: 4096}, nil
	case "ECDSA-P256":
		return csr.KeyRequest{A: "ecdsa", S: 256}, nil
	case "ECDSA-P384":
		return csr.KeyRequest{A: "ecdsa", S: 384}, nil
	}
	return csr.KeyRequest{}, fmt.Errorf("choose a key algorithm: %q is not one of kubeadm's", algorithm)
}

func random(size int) []byte {
	bytes := make([]byte, size)
	rand.Read(bytes) // never fails: it would end the program
	return bytes
}

var errNoLife = errors.New("the CA has no life left")

// BootstrapToken makes a token in kubeadm's form: six characters, a dot, sixteen.
func BootstrapToken() (certs.Token, error) {
	text, err := tokenutil.GenerateBootstrapToken()
	if err != nil {
		return certs.Token{}, fmt.Errorf("mint a bootstrap token: %w", err)
	}
	id, secret, _ := strings.Cut(text, ".")
	return certs.Token{ID: id, Secret: secret}, nil
}
