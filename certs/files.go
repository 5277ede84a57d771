package certs

import (
	"time"

	"github.com/slipway-k8s/slipway/cluster"
)

// The folders of certificates on a host: kubeadm's and the kubelet's.
const (
	Folder        = "/etc/kubernetes"
	PKIFolder     = "/etc/kubernetes/pki"
	EtcdFolder    = "/etc/kubernetes/pki/etcd"
	KubeletFolder = "/var/lib/kubelet/pki"
	// KubeletCurrent is the link to the kubelet's certificate of the day. It must be a
	// link to a dated file: the kubelet moves it when it rotates.
	KubeletCurrent = KubeletFolder + "/kubelet-client-current.pem"
)

// File is one file of the PKI on a host. All belong to root.
type File struct {
	Path    string
	Mode    uint32
	Content []byte
	Secret  bool
}

const (
	modePublic = 0o644
	modeSecret = 0o600
)

// CertPath is where the authority's certificate lies on a host.
func (a Authority) CertPath() string { return PKIFolder + "/" + string(a) + ".crt" }

// KeyPath is where the authority's key lies on a control plane.
func (a Authority) KeyPath() string { return PKIFolder + "/" + string(a) + ".key" }

// The service accounts' keys on a control plane.
const (
	ServiceAccountKeyPath    = PKIFolder + "/sa.key"
	ServiceAccountPublicPath = PKIFolder + "/sa.pub"
)

// CertPath is where a host keeps the certificate: for a kubeconfig, the kubeconfig. It is
// empty for what is never on a host.
func (e Entry) CertPath() string {
	switch e.Form {
	case AsStored:
		return ""
	case AsFiles:
		return PKIFolder + "/" + e.Name + ".crt"
	case AsKubeletPEM:
		return KubeletCurrent
	}
	return Folder + "/" + e.Name
}

// KeyPath is where a host keeps the key; with a kubeconfig or a kubelet's .pem it is in
// the same file.
func (e Entry) KeyPath() string {
	if e.Form == AsFiles {
		return PKIFolder + "/" + e.Name + ".key"
	}
	return e.CertPath()
}

// HostFiles are the PKI's files that belong on a host, by its roles: of a control plane
// all, but for the etcd CA where etcd is the user's; of any other host the CA.
func (p PKI) HostFiles(c *cluster.Cluster, host cluster.Host) []File {
	switch {
	case !host.HasRole(cluster.RoleControlPlane):
		return p.WorkerFiles()
	case c.StackedEtcd():
		return p.ControlPlaneFiles()
	}
	return p.files(Kubernetes, FrontProxy)
}

// ControlPlaneFiles are the PKI's files on a control plane that has a member of etcd,
// with kubeadm's modes.
func (p PKI) ControlPlaneFiles() []File { return p.files(Authorities()...) }

func (p PKI) files(authorities ...Authority) []File {
	var files []File
	for _, authority := range authorities {
		pair, _ := p.Authority(authority)
		files = append(files, pairFiles(authority.CertPath(), authority.KeyPath(), pair)...)
	}
	return append(files,
		File{Path: ServiceAccountKeyPath, Mode: modeSecret, Content: p.ServiceAccount.Key, Secret: true},
		// kubeadm writes the public key with a key's mode.
		File{Path: ServiceAccountPublicPath, Mode: modeSecret, Content: p.ServiceAccount.Cert})
}

// WorkerFiles are the PKI's files on a host that runs only a kubelet, and on one that
// only balances the load: its haproxy proves the API servers by the CA.
func (p PKI) WorkerFiles() []File {
	return []File{{Path: Kubernetes.CertPath(), Mode: modePublic, Content: p.CA.Cert}}
}

// Files are the two files of a leaf that is kept as files; none for the other forms.
func (l Leaf) Files() []File {
	entry, ok := Find(l.Name)
	if !ok || entry.Form != AsFiles {
		return nil
	}
	return pairFiles(entry.CertPath(), entry.KeyPath(), l.Pair)
}

// KubeletFile is a kubelet's certificate and key as the kubelet keeps them: one file,
// named for the certificate's first second. KubeletCurrent has to point to it.
func (l Leaf) KubeletFile() (File, error) {
	certificate, err := Parse(l.Cert)
	if err != nil {
		return File{}, err
	}
	return File{
		Path:    KubeletFolder + "/kubelet-client-" + dated(certificate.NotBefore) + ".pem",
		Mode:    modeSecret,
		Content: append(append([]byte{}, l.Cert...), l.Key...),
		Secret:  true,
	}, nil
}

// dated writes a time as the kubelet's certificate store names its files.
func dated(t time.Time) string { return t.UTC().Format("2006-01-02-15-04-05") }

func pairFiles(cert, key string, pair Pair) []File {
	return []File{
		{Path: cert, Mode: modePublic, Content: pair.Cert},
		{Path: key, Mode: modeSecret, Content: pair.Key, Secret: true},
	}
}

// SecretPaths are the files on a control plane that the PKI can be read back from.
func SecretPaths() []string {
	var paths []string
	for _, file := range (PKI{}).ControlPlaneFiles() {
		paths = append(paths, file.Path)
	}
	return paths
}

// FromFiles reads the whole PKI back from files by their paths on a control plane. The
// secret that keys digests is on no host: it stays empty, for the caller to make anew.
func FromFiles(contents map[string][]byte) (PKI, error) {
	pki := fromFiles(contents)
	if err := pki.CheckKeys(); err != nil {
		return PKI{}, err
	}
	return pki, nil
}

// FromHost reads the PKI back from a control plane's files. Where etcd is the user's own,
// what lies in its CA's place is not ours: that CA, which then has nothing to sign, stays
// empty with the secret.
func FromHost(c *cluster.Cluster, contents map[string][]byte) (PKI, error) {
	if c.StackedEtcd() {
		return FromFiles(contents)
	}
	pki := fromFiles(contents)
	pki.EtcdCA = Pair{}
	if err := pki.checkKeys(Kubernetes, FrontProxy); err != nil {
		return PKI{}, err
	}
	return pki, nil
}

func fromFiles(contents map[string][]byte) PKI {
	return PKI{
		CA:             Pair{contents[Kubernetes.CertPath()], contents[Kubernetes.KeyPath()]},
		FrontProxyCA:   Pair{contents[FrontProxy.CertPath()], contents[FrontProxy.KeyPath()]},
		EtcdCA:         Pair{contents[Etcd.CertPath()], contents[Etcd.KeyPath()]},
		ServiceAccount: Pair{contents[ServiceAccountPublicPath], contents[ServiceAccountKeyPath]},
	}
}
