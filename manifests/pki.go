package manifests

import (
	"fmt"

	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// pkiFiles are the CAs, the service accounts' keys and the leaves that a host keeps
// below /etc/kubernetes/pki. The CAs are the cluster itself, so they are compared to the
// byte; a leaf may be anybody's that is as good as ours.
func pkiFiles(c *cluster.Cluster, host cluster.Host) []File {
	if host.HasRole(cluster.RoleLoadBalancer) {
		return nil // its haproxy has the CA beside its configuration
	}
	files := externalEtcdFiles(c, host)
	for i, file := range (certs.PKI{}).HostFiles(c, host) {
		files = append(files, pkiFile(file, func(in Input) ([]byte, error) { return in.PKI.HostFiles(c, host)[i].Content, nil }))
	}
	for _, spec := range certs.Specs(c, host) {
		files = append(files, leafFiles(host, spec)...)
	}
	return files
}

func pkiFile(file certs.File, render renderer) File {
	return File{Phase: plan.PhaseCerts, Path: file.Path, Mode: file.Mode, Secret: file.Secret, Compare: Exact, render: render}
}

// leafFiles are a leaf's certificate and key, which are judged, and written, as a pair; none of
// a leaf that is kept otherwise.
func leafFiles(host cluster.Host, spec certs.Spec) []File {
	entry, _ := certs.Find(spec.Name)
	var files []File
	for i, file := range (certs.Leaf{Name: spec.Name}).Files() {
		one := pkiFile(file, func(in Input) ([]byte, error) {
			leaf, err := in.leaf(host.Name, spec.Name)
			if err != nil {
				return nil, err
			}
			return leaf.Files()[i].Content, nil
		})
		one.Compare = Acceptable
		if file.Path == entry.CertPath() {
			one.Leaf, one.KeyPath = &spec, entry.KeyPath()
		} else {
			one.CertPath = entry.CertPath()
		}
		files = append(files, one)
	}
	return files
}

// kubeconfigFiles are the kubeconfigs of a control plane's own: the administrator's goes
// to the endpoint; the components' to the API server on the same host, which has their
// version and stops when they stop.
func kubeconfigFiles(c *cluster.Cluster, host cluster.Host) []File {
	endpoint, _ := EndpointURL(c) // Host asks whether there is one
	local := "https://" + APIAddress(c, host)
	servers := map[string]string{certs.Admin: endpoint, certs.ControllerManager: local, certs.Scheduler: local}
	var files []File
	for _, spec := range certs.Specs(c, host) {
		server, wanted := servers[spec.Name]
		if !wanted {
			continue
		}
		files = append(files, kubeconfigFile(plan.PhaseKubeconfig, spec, server, func(in Input) ([]byte, error) {
			leaf, err := in.leaf(host.Name, spec.Name)
			return Kubeconfig(server, in.PKI.CA.Cert, spec.CommonName, leaf.Cert, leaf.Key, in.Cluster.Name), err
		}))
	}
	return files
}

func kubeconfigFile(phase plan.Phase, spec certs.Spec, server string, render renderer) File {
	return File{
		Phase: phase, Path: certs.Folder + "/" + confName(spec.Name), Mode: 0o600,
		Secret: true, Compare: Acceptable, Leaf: &spec, Kubeconfig: true, Server: server, render: render,
	}
}

// confName is a kubeconfig's file name: the kubelet's certificate has one of its own.
func confName(leaf string) string {
	if leaf == certs.Kubelet {
		return "kubelet.conf"
	}
	return leaf
}

func (in Input) leaf(host, name string) (certs.Leaf, error) {
	leaf, minted := in.Leaves[host][name]
	if !minted {
		return certs.Leaf{}, fmt.Errorf("find certificate %s of %s: it was not minted", name, host)
	}
	return leaf, nil
}
