// Package manifests renders what should be: the state of every host (files, units,
// images, settings) and of the cluster (API objects), as a pure function of the cluster
// file, the minted keys, the bundle and the observed facts.
package manifests

import (
	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// Input is all that a rendering depends on.
type Input struct {
	Cluster *cluster.Cluster // completed and valid
	PKI     certs.PKI
	// Leaves are the minted leaves by host name, then by the catalogue's name.
	Leaves   map[string]map[string]certs.Leaf
	Bill     bundle.Bill
	Facts    map[string]hosts.Facts // by host name
	Settings Settings
	// ControlPlanes names those of the file that are in the cluster, or will be when the
	// plan is done: whom balancers send clients to. Nil: all of the file.
	ControlPlanes []string
	// Balancers names the hosts of the file that run keepalived, may run it without having been
	// reached, or will run it when the plan is done: each other's peers. Nil: all balancers.
	Balancers []string
	// EtcdFiles are the contents of the external etcd's files by the path in the cluster file.
	EtcdFiles map[string][]byte
	// RegistryFiles are the contents of the registries' CA and credentials files by
	// the path in the cluster file.
	RegistryFiles map[string][]byte
}

// Settings are cluster-wide choices made from all hosts' facts at init and kept in the
// cluster from then on.
type Settings struct {
	// FailCgroupV1 false lets kubelets run on hosts with version 1 control groups.
	FailCgroupV1 bool
	// ProxyMode is kube-proxy's: nftables, or iptables where a kernel lacks the former.
	ProxyMode string
	// ConntrackMaxPerCore is kube-proxy's; 0 leaves the limit alone where it cannot be written.
	ConntrackMaxPerCore *int32
}

// HostState is what one host should be.
type HostState struct {
	Host        string
	Hostname    string // the host's name must be this; empty: any will do
	DisableSwap bool
	Modules     []string
	Sysctls     map[string]string
	Entries     []HostsEntry
	Firewall    *hosts.OpenFirewall // nil: no firewall of the host's is Slipway's business
	// PolicyModule is Slipway's module of the host's SELinux policy; nil where that has none to take.
	PolicyModule []byte
	Directories  []Directory
	Files        []File
	Links        []Link
	Sets         []bundle.FileSet
	Units        []Unit
	Images       []Image
}

// Paths are those of all files, links, directories and unpacked files.
func (s HostState) Paths() []string {
	var paths []string
	for _, directory := range s.Directories {
		paths = append(paths, directory.Path)
	}
	for _, file := range s.Files {
		if file.Path != "" {
			paths = append(paths, file.Path)
		}
	}
	for _, link := range s.Links {
		paths = append(paths, link.Path)
	}
	for _, set := range s.Sets {
		for _, file := range set.Files {
			paths = append(paths, file.Path)
		}
	}
	return paths
}

// UnitNames are the names of its units.
func (s HostState) UnitNames() []string {
	var names []string
	for _, unit := range s.Units {
		names = append(names, unit.Name)
	}
	return names
}

// Certificates are those that are judged where they lie, each with its key.
func (s HostState) Certificates() []hosts.CertificateQuery {
	var queries []hosts.CertificateQuery
	for _, file := range s.Files {
		if file.Leaf != nil && !file.Kubeconfig {
			queries = append(queries, hosts.CertificateQuery{Cert: file.Path, Key: file.KeyPath})
		}
	}
	return queries
}

// Kubeconfigs are the paths of those that are judged where they lie.
func (s HostState) Kubeconfigs() []string {
	var paths []string
	for _, file := range s.Files {
		if file.Kubeconfig {
			paths = append(paths, file.Path)
		}
	}
	return paths
}

// References are the full names of its images.
func (s HostState) References() []string {
	var names []string
	for _, image := range s.Images {
		names = append(names, image.Reference)
	}
	return names
}

// Compare is how an item is compared with what a host has.
type Compare string

// The ways to compare.
const (
	Exact      Compare = "exact"      // bytes, mode and owner
	Seed       Compare = "seed"       // only where absent; then it is its maintainer's
	Acceptable Compare = "acceptable" // a certificate or kubeconfig that is as good as ours
)

// File is a file that should be on a host.
type File struct {
	Phase   plan.Phase // the phase that owns it: certs, kubeconfig, etcd, control-plane, kubelet, containerd, prepare
	Path    string     // in a skeleton that of the kubelet's dated certificate is empty
	Mode    uint32
	UID     int
	GID     int
	Content []byte
	Secret  bool
	Compare Compare
	// Leaf is set with Acceptable: what a certificate, or a kubeconfig's client certificate,
	// has to be. KeyPath is the key file that goes with a certificate; the key is a File of its own
	// whose CertPath names the certificate: both are written when the pair is not acceptable.
	Leaf     *certs.Spec
	KeyPath  string
	CertPath string
	// Unless is set with Seed: the file is not wanted where this path exists. A kubelet's
	// dated certificate is not, once there is a link to a current one.
	Unless string
	// Server is the API URL that an acceptable kubeconfig must have; CA its certificate authority's PEM.
	Kubeconfig bool
	Server     string
	CA         []byte

	render renderer // gives Content; set in a skeleton
}

// Directory is a directory that should be on a host.
type Directory struct {
	Phase plan.Phase
	Path  string
	Mode  uint32
	UID   int
	GID   int
	Seed  bool // made where it is absent, otherwise left as it is
}

// Link is a symbolic link that should be on a host.
type Link struct {
	Phase  plan.Phase
	Path   string
	Target string
	Seed   bool
}

// Unit is a systemd unit and the state it should be in.
type Unit struct {
	Phase   plan.Phase
	Name    string
	Enabled bool
	Active  bool
	// Inputs are the paths of the files that it reads: their digests decide on a restart.
	Inputs []string
	// Reloads are further ones, for whose change a reload is enough.
	Reloads []string
}

// Image is an image that should be in containerd, under its full reference.
type Image struct {
	Reference string
	bundle.Image
}

// HostsEntry is a line of /etc/hosts, wanted only where the name does not resolve so.
type HostsEntry struct {
	Address string
	Names   []string
}

// ClusterState is what the cluster should hold.
type ClusterState struct {
	Objects []Object
}

// Object is an API object that should exist.
type Object struct {
	Phase   plan.Phase // upload-config, bootstrap-token, addon/…, kubelet-finalize …
	Key     hosts.ObjectKey
	Content []byte // JSON
	Secret  bool
	Compare Compare // Exact: every field given must be so (others may be there); or Seed
}
