package workflow

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/certs/mint"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/checks"
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

// ownKubeconfig is the file that kubectl reads and would write to: of those that KUBECONFIG
// lists the first that there is, or the last where there is none; else ~/.kube/config. One of
// them that has the cluster already comes first.
func ownKubeconfig(clusterName string) (string, error) {
	var files []string
	for _, file := range filepath.SplitList(os.Getenv("KUBECONFIG")) {
		if file != "" && !slices.Contains(files, file) {
			files = append(files, file)
		}
	}
	if len(files) == 0 {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("find the kubeconfig: %w", err)
		}
		return filepath.Join(home, ".kube", "config"), nil
	}
	first := ""
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if first == "" {
			first = file
		}
		if document, err := kubeconfigDocument(content); err == nil && document != nil && find(document.Content[0], "clusters", clusterName) != nil {
			return file, nil
		}
	}
	if first != "" {
		return first, nil
	}
	return files[len(files)-1], nil
}

// mergeInto puts a kubeconfig into a file, which may hold others, whole or not at all, and
// gives the context that is the current one then. by is for whom root does so.
func mergeInto(by sudoer, path string, ours, ca []byte, replace bool) (current string, err error) {
	if err := by.makeFolder(filepath.Dir(path)); err != nil {
		return "", fmt.Errorf("write %s: %w", path, err)
	}
	unlock, err := lockKubeconfig(path) // by this name kubectl locks it, also where it is a link
	if err != nil {
		return "", err
	}
	defer unlock()
	path = followed(path)
	if err := by.makeFolder(filepath.Dir(path)); err != nil {
		return "", fmt.Errorf("write %s: %w", path, err)
	}
	existing, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the kubeconfig: %w", err)
	}
	merged, err := mergeKubeconfig(existing, ours, ca, replace)
	if taken, ok := errors.AsType[*takenError](err); ok {
		return "", &checks.Refused{Findings: []checks.Finding{{
			Check: "Kubeconfig", Severity: checks.Error, Seen: path + ": " + taken.Error(),
			Fix: "name yours otherwise by --context NAME, write to another file by --out FILE, or, if nobody needs that one any more, say --force",
		}}}
	}
	var document *yaml.Node
	if err == nil { // what cannot be read again is not written
		document, err = kubeconfigDocument(merged)
	}
	if err != nil {
		return "", fmt.Errorf("put the cluster into %s: %w; the file is as it was", path, err)
	}
	if err := writeOwned(path, merged, by.keepOwner(path)); err != nil {
		return "", err
	}
	return text(document.Content[0], "current-context"), nil
}

// lockKubeconfig takes the lock that kubectl takes when it changes the file.
func lockKubeconfig(path string) (unlock func(), err error) {
	lock := path + ".lock"
	file, err := os.OpenFile(lock, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("write %s: somebody else is changing it: %s is there; remove it if nobody is", path, lock)
	}
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	return func() { _ = os.Remove(lock) }, file.Close()
}
