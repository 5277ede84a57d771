//go:build linux

package local

import (
	"context"
	"os"
	"path/filepath"

	"github.com/slipway-k8s/slipway/hosts"
)

func (h *Host) observeCertificates(ctx context.Context, query hosts.Query, facts *hosts.Facts) error {
	certificates := map[string]hosts.Certificate{}
	for _, asked := range query.Certificates {
		lookingAt(ctx, asked.Cert)
		cert, err := readIfThere(h.at(asked.Cert))
		if err != nil {
			return err
		}
		if cert == nil {
			continue
		}
		var key []byte
		if asked.Key != "" {
			if key, err = readIfThere(h.at(asked.Key)); err != nil {
				return err
			}
		}
		certificates[asked.Cert] = hosts.JudgeCertificate(cert, key)
	}
	facts.Certificates = certificates
	return nil
}

func (h *Host) observeKubeconfigs(ctx context.Context, query hosts.Query, facts *hosts.Facts) error {
	facts.Kubeconfigs = map[string]hosts.Kubeconfig{}
	return h.eachFile(ctx, query.Kubeconfigs, func(path string, data []byte) {
		file, err := hosts.ParseKubeconfig(data)
		if err != nil {
			facts.Kubeconfigs[path] = hosts.Kubeconfig{Invalid: err.Error()}
			return
		}
		facts.Kubeconfigs[path] = file.Judge(func(name string) []byte {
			if !filepath.IsAbs(name) {
				name = filepath.Join(filepath.Dir(path), name)
			}
			data, _ := os.ReadFile(h.at(name)) // absent: there is none
			return data
		}, hosts.KeyMatches)
	})
}
