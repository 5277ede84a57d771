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
func (in Input) pkiFiles(host cluster.Host) ([]File, error) {
	if host.HasRole(cluster.RoleLoadBalancer) {
		return nil, nil // its haproxy has the CA beside its configuration
	}
	files, err := in.externalEtcdFiles(host)
	if err != nil {
		return nil, err
	}
	for _, file := range in.PKI.HostFiles(in.Cluster, host) {
		files = append(files, pkiFile(file))
	}
	for _, spec := range certs.Specs(in.Cluster, host) {
		entry, _ := certs.Find(spec.Name)
		if entry.Form != certs.AsFiles {
			continue
		}
		leaf, err := in.leaf(host.Name, spec.Name)
		if err != nil {
			return nil, err
		}
		files = append(files, leafFiles(entry, spec, leaf)...)
	}
	return files, nil
}

func pkiFile(file certs.File) File {
	return File{
		Phase: plan.PhaseCerts, Path: file.Path, Mode: file.Mode, Content: file.Content,
		Secret: file.Secret, Compare: Exact,
	}
}

// leafFiles are a leaf's certificate and key, which are judged, and written, as a pair.
func leafFiles(entry certs.Entry, spec certs.Spec, leaf certs.Leaf) []File {
	var files []File
	for _, file := range leaf.Files() {
		one := pkiFile(file)
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
func (in Input) kubeconfigFiles(host cluster.Host) ([]File, error) {
	if !host.HasRole(cluster.RoleControlPlane) {
		return nil, nil
	}
	endpoint, err := EndpointURL(in.Cluster)
	if err != nil {
		return nil, err
	}
	local := "https://" + APIAddress(in.Cluster, host)
	servers := map[string]string{certs.Admin: endpoint, certs.ControllerManager: local, certs.Scheduler: local}
	var files []File
	for _, spec := range certs.Specs(in.Cluster, host) {
		server, wanted := servers[spec.Name]
		if !wanted {
			continue
		}
		leaf, err := in.leaf(host.Name, spec.Name)
		if err != nil {
			return nil, err
		}
		content := Kubeconfig(server, in.PKI.CA.Cert, spec.CommonName, leaf.Cert, leaf.Key, in.Cluster.Name)
		files = append(files, in.kubeconfigFile(plan.PhaseKubeconfig, spec, server, content))
	}
	return files, nil
}

func (in Input) kubeconfigFile(phase plan.Phase, spec certs.Spec, server string, content []byte) File {
	return File{
		Phase: phase, Path: certs.Folder + "/" + confName(spec.Name), Mode: 0o600, Content: content,
		Secret: true, Compare: Acceptable, Leaf: &spec,
		Kubeconfig: true, Server: server, CA: in.PKI.CA.Cert,
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
