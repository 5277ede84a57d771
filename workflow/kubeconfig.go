package workflow

import (
	"fmt"
	"time"

	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/certs/mint"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/manifests"
)

// ProxyPort is where 'slipway proxy' listens unless told otherwise, and so what a
// kubeconfig made here points to.
const ProxyPort = 8443

// Kubeconfig is what a kubeconfig leads to, and what it is called.
type Kubeconfig struct {
	Endpoint bool   // it leads straight to the API's endpoint, else to the port of 'slipway proxy'
	Port     int    // of 'slipway proxy'
	Context  string // what to call cluster, user and context; empty: as the cluster is called
}

// MergeKubeconfig puts a kubeconfig into a file, your own where none is named: what it has of
// other clusters stays. With replace, entries go that have our names and lead elsewhere.
func (s *Session) MergeKubeconfig(wanted Kubeconfig, file string, replace bool) error {
	names := namesInKubeconfig(s.cluster.Name, wanted.Context)
	data, err := s.Kubeconfig(wanted)
	if err == nil && file == "" {
		file, err = ownKubeconfig(names.cluster)
	}
	if err != nil {
		return err
	}
	current, err := mergeInto(callerOfSudo(), file, data, s.keys.pki.CA.Cert, replace)
	if err != nil {
		return err
	}
	s.front.Note("wrote %s: context %s", file, names.context)
	if current != names.context {
		s.front.Note("the current context is %s still; to change that: kubectl config use-context %s --kubeconfig %s", current, names.context, file)
	}
	return nil
}

// kubeconfigNames are what the entries of a kubeconfig are called.
type kubeconfigNames struct{ cluster, user, context string }

// namesInKubeconfig are the names of a cluster's entries: all as chosen, or made of the
// cluster's name. The user's has it in it too, since kubeadm's kubernetes-admin is every
// cluster's.
func namesInKubeconfig(clusterName, chosen string) kubeconfigNames {
	if chosen != "" {
		return kubeconfigNames{chosen, chosen, chosen}
	}
	own := administrator + "@" + clusterName
	return kubeconfigNames{clusterName, own, own}
}

// Kubeconfig is an administrator's, with a certificate of its own.
func (s *Session) Kubeconfig(wanted Kubeconfig) ([]byte, error) {
	leaf, err := s.AdminLeaf(time.Duration(s.cluster.Certificates.Validity))
	if err != nil {
		return nil, err
	}
	names := namesInKubeconfig(s.cluster.Name, wanted.Context)
	to := manifests.OperatorKubeconfig{
		Cluster: names.cluster, User: names.user, Context: names.context,
		CA: s.keys.pki.CA.Cert, Cert: leaf.Cert, Key: leaf.Key,
	}
	if !wanted.Endpoint {
		to.Server, to.ServerName = fmt.Sprintf("https://127.0.0.1:%d", wanted.Port), s.api.ServerName()
	} else if to.Server, err = manifests.EndpointURL(s.cluster); err != nil {
		return nil, err
	}
	return to.Render(), nil
}

// administrator is the user of kubeadm's admin.conf.
const administrator = "kubernetes-admin"

// AdminLeaf is a fresh certificate of an administrator.
func (s *Session) AdminLeaf(validity time.Duration) (certs.Leaf, error) {
	entry, _ := certs.Find(certs.Admin)
	leaf, err := mint.Leaf(s.keys.pki, entry.Spec(s.cluster, cluster.Host{}), validity, time.Now())
	if err != nil {
		return certs.Leaf{}, fmt.Errorf("mint an administrator's certificate: %w", err)
	}
	return leaf, nil
}
