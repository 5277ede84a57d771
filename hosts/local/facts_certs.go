//go:build linux

package local

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/slipway-k8s/slipway/hosts"
)

func (h *Host) observeCertificates(ctx context.Context, query hosts.Query, facts *hosts.Facts) error {
	certificates := map[string]hosts.Certificate{}
	for _, asked := range query.Certificates {
		lookingAt(ctx, asked.Cert)
		data, err := readIfThere(h.at(asked.Cert))
		if err != nil {
			return err
		}
		if data == nil {
			continue
		}
		certificate := hosts.Certificate{PEM: publicParts(data)}
		if asked.Key != "" {
			key, err := readIfThere(h.at(asked.Key))
			if err != nil {
				return err
			}
			certificate.KeyPresent = hasPrivateKey(key)
			certificate.KeyMatches = keyMatches(data, key)
		}
		certificates[asked.Cert] = certificate
	}
	facts.Certificates = certificates
	return nil
}

// publicParts keeps of a PEM file what may leave the host: certificates and public keys.
func publicParts(data []byte) []byte {
	var public []byte
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" || block.Type == "PUBLIC KEY" {
			public = append(public, pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes})...)
		}
	}
	return public
}

func hasPrivateKey(data []byte) bool {
	_, err := privateKey(data)
	return err == nil
}

// privateKey finds the first private key of a PEM file.
func privateKey(data []byte) (crypto.Signer, error) {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue
		}
		if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
			if signer, ok := key.(crypto.Signer); ok {
				return signer, nil
			}
		}
		if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
			return key, nil
		}
		if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
			return key, nil
		}
		return nil, errors.New("its private key is of no kind that is known")
	}
	return nil, errors.New("it holds no private key")
}

// publicKey is that of a PEM file's first certificate or public key.
func publicKey(data []byte) (crypto.PublicKey, error) {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "CERTIFICATE":
			certificate, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, err
			}
			return certificate.PublicKey, nil
		case "PUBLIC KEY":
			return x509.ParsePKIXPublicKey(block.Bytes)
		}
	}
	return nil, errors.New("it holds no certificate")
}

// keyMatches tells whether a private key belongs to a certificate or public key.
func keyMatches(public, private []byte) bool {
	have, err := publicKey(public)
	if err != nil {
		return false
	}
	key, err := privateKey(private)
	if err != nil {
		return false
	}
	comparable, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && comparable.Equal(have)
}

// kubeconfigFile is what of a kubeconfig is looked at.
type kubeconfigFile struct {
	CurrentContext string `json:"current-context"`
	Clusters       []struct {
		Name    string `json:"name"`
		Cluster struct {
			Server string `json:"server"`
			CA     []byte `json:"certificate-authority-data"`
			CAFile string `json:"certificate-authority"`
		} `json:"cluster"`
	} `json:"clusters"`
	Contexts []struct {
		Name    string `json:"name"`
		Context struct {
			Cluster string `json:"cluster"`
			User    string `json:"user"`
		} `json:"context"`
	} `json:"contexts"`
	Users []struct {
		Name string `json:"name"`
		User struct {
			Cert     []byte `json:"client-certificate-data"`
			CertFile string `json:"client-certificate"`
			Key      []byte `json:"client-key-data"`
			KeyFile  string `json:"client-key"`
		} `json:"user"`
	} `json:"users"`
}

func (h *Host) observeKubeconfigs(ctx context.Context, query hosts.Query, facts *hosts.Facts) error {
	kubeconfigs := map[string]hosts.Kubeconfig{}
	facts.Kubeconfigs = kubeconfigs
	return h.eachFile(ctx, query.Kubeconfigs, func(path string, data []byte) {
		kubeconfig, err := h.judgeKubeconfig(path, data)
		if err != nil {
			kubeconfig.Invalid = err.Error()
		}
		kubeconfigs[path] = kubeconfig
	})
}

// judgeKubeconfig reads a kubeconfig's contexts, the current one first, and leaves its
// keys where they are.
func (h *Host) judgeKubeconfig(path string, data []byte) (hosts.Kubeconfig, error) {
	var file kubeconfigFile
	if err := yaml.Unmarshal(data, &file); err != nil {
		// The parser's own words may quote the file, which holds a key.
		return hosts.Kubeconfig{}, errors.New("it is not YAML of a kubeconfig's form")
	}
	result, err := h.judgeContext(path, file, file.CurrentContext)
	for _, c := range file.Contexts {
		if c.Name == file.CurrentContext {
			continue
		}
		if other, err := h.judgeContext(path, file, c.Name); err == nil {
			result.Others = append(result.Others, other)
		}
	}
	return result, err
}

// judgeContext reads what one context of a kubeconfig leads to.
func (h *Host) judgeContext(path string, file kubeconfigFile, name string) (hosts.Kubeconfig, error) {
	result := hosts.Kubeconfig{Context: name}
	var cluster string
	for _, c := range file.Contexts {
		if c.Name == name {
			cluster, result.User = c.Context.Cluster, c.Context.User
		}
	}
	if cluster == "" {
		return result, fmt.Errorf("its context %q is not among its contexts, or has no cluster", name)
	}
	relative := func(name string) string {
		if filepath.IsAbs(name) {
			return h.at(name)
		}
		return h.at(filepath.Join(filepath.Dir(path), name))
	}
	found := false
	for _, c := range file.Clusters {
		if c.Name == cluster {
			found = true
			result.Server, result.CA = c.Cluster.Server, c.Cluster.CA
			if c.Cluster.CAFile != "" && len(result.CA) == 0 {
				result.CA, _ = os.ReadFile(relative(c.Cluster.CAFile)) // absent: no CA
			}
			result.CA = publicParts(result.CA)
		}
	}
	if !found {
		return result, fmt.Errorf("it has no cluster %q", cluster)
	}
	for _, u := range file.Users {
		if u.Name != result.User {
			continue
		}
		cert, key := u.User.Cert, u.User.Key
		if len(cert) == 0 && u.User.CertFile != "" {
			result.CertFile = u.User.CertFile
			cert, _ = os.ReadFile(relative(u.User.CertFile)) // absent: no certificate
		}
		if len(key) == 0 && u.User.KeyFile != "" {
			key, _ = os.ReadFile(relative(u.User.KeyFile)) // absent: does not match
		}
		result.Cert = publicParts(cert)
		result.KeyMatches = keyMatches(cert, key)
		return result, nil
	}
	return result, fmt.Errorf("it has no user %q", result.User)
}
