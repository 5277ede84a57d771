package manifests

import (
	"fmt"
	"strings"

	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/cluster"
)

// The user's files of an external etcd lie where kubeadm's documentation puts them.
func externalPaths() (ca, cert, key string) {
	client, _ := certs.Find(certs.APIServerEtcdClient)
	return certs.Etcd.CertPath(), client.CertPath(), client.KeyPath()
}

// externalEtcdFiles are what the API servers reach the user's etcd with: its CA and the
// client's pair, as the user gave them. The user renews them, and gives the new ones.
func externalEtcdFiles(c *cluster.Cluster, host cluster.Host) []File {
	external := c.Etcd.External
	if external == nil || !host.HasRole(cluster.RoleControlPlane) {
		return nil
	}
	ca, cert, key := externalPaths()
	var files []File
	for _, file := range []struct {
		from string
		to   certs.File
	}{
		{external.CAFile, certs.File{Path: ca, Mode: 0o644}},
		{external.CertFile, certs.File{Path: cert, Mode: 0o644}},
		{external.KeyFile, certs.File{Path: key, Mode: 0o600, Secret: true}},
	} {
		files = append(files, pkiFile(file.to, func(in Input) ([]byte, error) { return in.etcdFile(file.from) }))
	}
	return files
}

func (in Input) etcdFile(name string) ([]byte, error) {
	content, read := in.EtcdFiles[name]
	if !read {
		return nil, fmt.Errorf("find the external etcd's file %s: it was not read", name)
	}
	return content, nil
}

// etcdCA is the CA by which the API servers know their etcd.
func (in Input) etcdCA() ([]byte, error) {
	if external := in.Cluster.Etcd.External; external != nil {
		return in.etcdFile(external.CAFile)
	}
	return in.PKI.EtcdCA.Cert, nil
}

// etcdServers are where an API server finds its etcd: the member on the same host,
// or the user's etcd.
func etcdServers(c *cluster.Cluster, host cluster.Host) string {
	if external := c.Etcd.External; external != nil {
		return strings.Join(external.Endpoints, ",")
	}
	return "https://" + join(loopback(host.Address()), etcdClientPort)
}

// externalConfiguration is kubeadm's field etcd.external.
func externalConfiguration(external *cluster.ExternalEtcd) map[string]any {
	ca, cert, key := externalPaths()
	return map[string]any{"endpoints": external.Endpoints, "caFile": ca, "certFile": cert, "keyFile": key}
}
