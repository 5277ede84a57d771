// Package cluster says what is wanted: the Cluster file, its defaults and its
// validation, Kubernetes versions and the policy of version skew.
//
// It is pure: it reads bytes and gives values; it touches no file, host or clock.
package cluster

import (
	"slices"
	"time"
)

// APIVersion and Kind head every Cluster file.
const (
	APIVersion = "slipway.dev/v1alpha1"
	Kind       = "Cluster"
)

// Cluster is the Cluster file: all that a user says about one cluster.
type Cluster struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	// ID says which cluster of this name is meant: the SHA-256 of its CA's public key, in
	// hexadecimal, as status shows it. Unless said, it is the one that the name means in the
	// operator's state folder.
	ID                string       `json:"id,omitempty"`
	KubernetesVersion string       `json:"kubernetesVersion,omitempty"` // with a leading v
	ImageRepository   string       `json:"imageRepository,omitempty"`   // kubeadm's field: where image names begin
	Endpoint          Endpoint     `json:"endpoint,omitzero"`
	Networking        Networking   `json:"networking,omitzero"`
	Etcd              Etcd         `json:"etcd,omitzero"`
	SSH               SSH          `json:"ssh,omitzero"` // defaults for every host
	Hosts             []Host       `json:"hosts"`
	Registries        []Registry   `json:"registries,omitempty"`
	Bundle            Bundle       `json:"bundle,omitzero"`
	Certificates      Certificates `json:"certificates,omitzero"`
	ExtraArgs         ExtraArgs    `json:"extraArgs,omitzero"`
	ExtraVolumes      ExtraVolumes `json:"extraVolumes,omitzero"`
	Drain             Drain        `json:"drain,omitzero"`
	Upgrade           Upgrade      `json:"upgrade,omitzero"`
	Timeouts          Timeouts     `json:"timeouts,omitzero"`
	Firewall          Firewall     `json:"firewall,omitzero"`
	Prepare           Prepare      `json:"prepare,omitzero"`

	// Kubelet and KubeProxy are the further documents of the file: a
	// KubeletConfiguration and a KubeProxyConfiguration in their own API, laid over
	// what Slipway would write. Nil where the file has none.
	Kubelet   map[string]any `json:"-"`
	KubeProxy map[string]any `json:"-"`
}

// Bundle is what is demanded of the bundle that the hosts are made from.
type Bundle struct {
	// TrustedKeyFiles are files with an Ed25519 public key (PEM) each: the bundle has to be
	// signed by one of them. Without any, those of the operator's own folder of trusted keys
	// count.
	TrustedKeyFiles []string `json:"trustedKeyFiles,omitempty"`
}

// Drain is how nodes are drained, unless a command says otherwise.
type Drain struct {
	// Timeout is how long the Pods of one node have to go elsewhere.
	Timeout Duration `json:"timeout,omitempty"`
	// GracePeriod is how long each Pod gets to end; 0: as long as it says itself.
	GracePeriod Duration `json:"gracePeriod,omitempty"`
	// OnBlocked is what to do where the forecast says that a host's drain would not end.
	OnBlocked OnBlocked `json:"onBlocked,omitempty"`
	// ForceAfter is after how long a Pod is deleted whose eviction is refused, with OnBlocked force.
	ForceAfter Duration `json:"forceAfter,omitempty"`
	// Force has Pods deleted that no controller makes again.
	Force bool `json:"force,omitempty"`
	// DeleteEmptyDirData has Pods deleted whose data in an emptyDir are lost by it.
	DeleteEmptyDirData bool `json:"deleteEmptyDirData,omitempty"`
}

// Upgrade is how the cluster comes from one version to another.
type Upgrade struct {
	// KeepVersions is how many versions from before an upgrade each host keeps, so that it can go back.
	KeepVersions *int `json:"keepVersions,omitempty"`
	// WorkersAtOnce is how many workers have their turn at a time: a number, or a share of them such as 10%.
	// The first one has it alone.
	WorkersAtOnce string `json:"workersAtOnce,omitempty"`
}

// OnBlocked is what to do about a drain that would not end.
type OnBlocked string

// What may be done.
const (
	OnBlockedStop  OnBlocked = "stop"  // touch nothing
	OnBlockedWait  OnBlocked = "wait"  // drain, and wait until the time is over
	OnBlockedForce OnBlocked = "force" // drain, and delete what is refused for some time
	OnBlockedSkip  OnBlocked = "skip"  // leave these hosts out
)

// Etcd says where the cluster's data are kept: on the control planes, unless External is set.
type Etcd struct {
	External *ExternalEtcd `json:"external,omitempty"`
}

// ExternalEtcd is an etcd of the user's own. The files are on the operator's machine.
type ExternalEtcd struct {
	Endpoints []string `json:"endpoints"` // https://host:port
	CAFile    string   `json:"caFile"`
	CertFile  string   `json:"certFile"`
	KeyFile   string   `json:"keyFile"`
}

// Networking is the addresses inside the cluster. Lists, so that dual stack needs no new version.
type Networking struct {
	PodSubnets     []string `json:"podSubnets,omitempty"`
	ServiceSubnets []string `json:"serviceSubnets,omitempty"`
	DNSDomain      string   `json:"dnsDomain,omitempty"`
	// AddOn is the network add-on: flannel, or none (the user brings one).
	AddOn string `json:"addOn,omitempty"`
}

// Network add-ons.
const (
	AddOnFlannel = "flannel"
	AddOnNone    = "none"
)

// Role is what a host does for the cluster.
type Role string

// The roles. A host may have both of the first two: then it carries no control-plane taint.
// A load balancer has no other role, and no kubelet.
const (
	RoleControlPlane Role = "control-plane"
	RoleWorker       Role = "worker"
	RoleLoadBalancer Role = "load-balancer"
)

// Host is one machine. Its name becomes the node's name.
type Host struct {
	Name      string   `json:"name"`
	Addresses []string `json:"addresses,omitempty"` // what other hosts reach it by; `address` in the file is the one-element form
	Roles     []Role   `json:"roles"`
	// Hostname says what becomes of the machine's own host name: it is set to Name, unless
	// this is HostnameKeep.
	Hostname string            `json:"hostname,omitempty"`
	Labels   map[string]string `json:"labels,omitempty"`
	Taints   []Taint           `json:"taints,omitempty"`
	SSH      SSH               `json:"ssh,omitzero"`
}

// HostnameKeep leaves a machine's host name as it is: the node is called otherwise.
const HostnameKeep = "keep"

// Taint is a node's taint in the Kubernetes API's own form.
type Taint struct {
	Key    string `json:"key"`
	Value  string `json:"value,omitempty"`
	Effect string `json:"effect"`
}

// SSH is how the operator reaches a host. What it does not say, the configuration of ssh says: ~/.ssh/config and
// /etc/ssh/ssh_config. All files are the operator's.
type SSH struct {
	Host string `json:"host,omitempty"` // the host's first address unless said; as one would type it at ssh
	Port int    `json:"port,omitempty"`
	User string `json:"user,omitempty"`
	// Config is read in place of the configuration of ssh; none: no file is.
	Config         string   `json:"config,omitempty"`
	IdentityFile   string   `json:"identityFile,omitempty"`
	IdentityFiles  []string `json:"identityFiles,omitempty"` // in place of IdentityFile, where there are several
	KnownHostsFile string   `json:"knownHostsFile,omitempty"`
	// CertificateFile is a user certificate for one of the keys.
	CertificateFile string `json:"certificateFile,omitempty"`
	// IdentityAgent is the socket of an ssh-agent, or none.
	IdentityAgent string `json:"identityAgent,omitempty"`
	// HostKeys are the only keys that the host may have: fingerprints (SHA256:…) or public keys. Where there are
	// any, known_hosts says nothing of it but which keys are revoked.
	HostKeys []string `json:"hostKeys,omitempty"`
	// Jump are the hosts on the way, the first of which is connected to first.
	Jump []Jump `json:"jump,omitempty"`
	// ProxyCommand is run by the operator's shell; its stdin and stdout carry the
	// connection, with %h, %p, %r, %n and %% as OpenSSH expands them. none: the connection is direct.
	ProxyCommand string `json:"proxyCommand,omitempty"`
	// PasswordFile has the password to log in with, and BecomePasswordFile that for sudo or doas.
	PasswordFile       string `json:"passwordFile,omitempty"`
	BecomePasswordFile string `json:"becomePasswordFile,omitempty"`
	// ConnectTimeout bounds everything up to the end of the SSH handshake.
	ConnectTimeout Duration `json:"connectTimeout,omitzero"`
	// Become is what a user other than root becomes root with: sudo, doas, or none. Unless
	// said it is what the host has. The password that it may ask for is never in this file.
	Become string `json:"become,omitempty"`
}

// Jump is a host on the way to others; in the file also as [user@]host[:port].
type Jump struct {
	Host         string `json:"host,omitempty"` // as one would type it at ssh
	Port         int    `json:"port,omitempty"`
	User         string `json:"user,omitempty"`
	IdentityFile string `json:"identityFile,omitempty"`
}

// Registry becomes one folder of containerd's certs.d.
type Registry struct {
	Name    string   `json:"name"`              // the registry's host[:port] as it stands in image names; * for all others
	Mirrors []string `json:"mirrors,omitempty"` // URLs, tried in this order
	// OverridePath has the mirrors' paths taken as they are. It is seen by itself where one
	// goes on behind /v2; else containerd puts /v2 behind the path.
	OverridePath bool `json:"overridePath,omitempty"`
	// CAFile and CredentialsFile are read on the operator's machine, and are for the
	// mirror or, where there is none, for the registry itself. The latter has two lines,
	// the user's name and the password.
	CAFile          string `json:"caFile,omitempty"`
	CredentialsFile string `json:"credentialsFile,omitempty"`
	SkipVerify      bool   `json:"skipVerify,omitempty"`
}

// Certificates is how keys and certificates are minted.
type Certificates struct {
	Validity     Duration `json:"validity,omitzero"`      // of leaves; kubeadm's year unless said
	CAValidity   Duration `json:"caValidity,omitzero"`    // of CAs; kubeadm's ten years unless said
	KeyAlgorithm string   `json:"keyAlgorithm,omitempty"` // in kubeadm's words: RSA-2048, RSA-3072, RSA-4096, ECDSA-P256, ECDSA-P384
	ExtraSANs    []string `json:"extraSANs,omitempty"`    // of the API server: DNS names and addresses
}

// ExtraArgs are flags added to, or put in place of, those that Slipway sets.
type ExtraArgs struct {
	APIServer         []Arg `json:"apiServer,omitempty"`
	ControllerManager []Arg `json:"controllerManager,omitempty"`
	Scheduler         []Arg `json:"scheduler,omitempty"`
	Etcd              []Arg `json:"etcd,omitempty"`
	Kubelet           []Arg `json:"kubelet,omitempty"`
}

// Arg is one flag, in kubeadm v1beta4's form.
type Arg struct {
	Name  string `json:"name"` // without leading dashes
	Value string `json:"value"`
}

// Duration is a time.Duration written as Go writes it (8760h).
type Duration time.Duration

// HasRole tells whether the host has the role.
func (h Host) HasRole(role Role) bool { return slices.Contains(h.Roles, role) }

// IsNode tells whether the host runs a kubelet.
func (h Host) IsNode() bool { return !h.HasRole(RoleLoadBalancer) }

// Address is the host's first address: what the other hosts reach it by.
func (h Host) Address() string {
	if len(h.Addresses) == 0 {
		return ""
	}
	return h.Addresses[0]
}

// ControlPlanes lists the hosts that run the control plane, in the file's order.
func (c *Cluster) ControlPlanes() []Host { return c.withRole(RoleControlPlane) }

// Nodes lists the hosts that run a kubelet, in the file's order.
func (c *Cluster) Nodes() []Host {
	var nodes []Host
	for _, host := range c.Hosts {
		if host.IsNode() {
			nodes = append(nodes, host)
		}
	}
	return nodes
}

// StackedEtcd tells whether every control plane runs a member of the cluster's etcd.
func (c *Cluster) StackedEtcd() bool { return c.Etcd.External == nil }

func (c *Cluster) withRole(role Role) []Host {
	var found []Host
	for _, host := range c.Hosts {
		if host.HasRole(role) {
			found = append(found, host)
		}
	}
	return found
}

// Host finds a host by name.
func (c *Cluster) Host(name string) (Host, bool) {
	for _, host := range c.Hosts {
		if host.Name == name {
			return host, true
		}
	}
	return Host{}, false
}
