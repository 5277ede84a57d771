// Package cluster says what is wanted: the Cluster file, its defaults and its
// validation, Kubernetes versions and the policy of version skew.
//
// It is pure: it reads bytes and gives values; it touches no file, host or clock.
package cluster

import "time"

// APIVersion and Kind head every Cluster file.
const (
	APIVersion = "slipway.dev/v1alpha1"
	Kind       = "Cluster"
)

// Cluster is the Cluster file: all that a user says about one cluster.
type Cluster struct {
	APIVersion        string       `json:"apiVersion"`
	Kind              string       `json:"kind"`
	Name              string       `json:"name"`
	KubernetesVersion string       `json:"kubernetesVersion,omitempty"` // with a leading v
	ImageRepository   string       `json:"imageRepository,omitempty"`   // kubeadm's field: where image names begin
	Endpoint          Endpoint     `json:"endpoint,omitzero"`
	Networking        Networking   `json:"networking,omitzero"`
	SSH               SSH          `json:"ssh,omitzero"` // defaults for every host
	Hosts             []Host       `json:"hosts"`
	Registries        []Registry   `json:"registries,omitempty"`
	Certificates      Certificates `json:"certificates,omitzero"`
	ExtraArgs         ExtraArgs    `json:"extraArgs,omitzero"`

	// Kubelet and KubeProxy are the further documents of the file: a
	// KubeletConfiguration and a KubeProxyConfiguration in their own API, laid over
	// what Slipway would write. Nil where the file has none.
	Kubelet   map[string]any `json:"-"`
	KubeProxy map[string]any `json:"-"`
}

// EndpointMode says who keeps the API's endpoint reachable.
type EndpointMode string

// EndpointControlPlane makes the address of the only control plane the endpoint.
// The modes that survive the loss of a control plane come with high availability.
const EndpointControlPlane EndpointMode = "controlPlane"

// Endpoint is the stable host:port by which everything reaches the API.
type Endpoint struct {
	Mode EndpointMode `json:"mode,omitempty"`
	Host string       `json:"host,omitempty"`
	Port int          `json:"port,omitempty"`
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
const (
	RoleControlPlane Role = "control-plane"
	RoleWorker       Role = "worker"
)

// Host is one machine. Its name becomes the node's name.
type Host struct {
	Name      string            `json:"name"`
	Addresses []string          `json:"addresses,omitempty"` // what other hosts reach it by; `address` in the file is the one-element form
	Roles     []Role            `json:"roles"`
	Labels    map[string]string `json:"labels,omitempty"`
	Taints    []Taint           `json:"taints,omitempty"`
	SSH       SSH               `json:"ssh,omitzero"`
}

// Taint is a node's taint in the Kubernetes API's own form.
type Taint struct {
	Key    string `json:"key"`
	Value  string `json:"value,omitempty"`
	Effect string `json:"effect"`
}

// SSH is how the operator reaches a host.
type SSH struct {
	Host           string `json:"host,omitempty"` // the host's first address unless said
	Port           int    `json:"port,omitempty"`
	User           string `json:"user,omitempty"`
	IdentityFile   string `json:"identityFile,omitempty"`
	KnownHostsFile string `json:"knownHostsFile,omitempty"` // ~/.ssh/known_hosts unless said
	// ProxyCommand is run by the operator's shell; its stdin and stdout carry the
	// connection, with %h, %p, %r, %n and %% as OpenSSH expands them.
	ProxyCommand string `json:"proxyCommand,omitempty"`
	// ConnectTimeout bounds everything up to the end of the SSH handshake.
	ConnectTimeout Duration `json:"connectTimeout,omitzero"`
}

// Registry becomes one folder of containerd's certs.d.
type Registry struct {
	Name    string   `json:"name"`              // the registry's host[:port] as it stands in image names; * for all others
	Mirrors []string `json:"mirrors,omitempty"` // URLs, tried in this order
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
func (h Host) HasRole(role Role) bool {
	for _, r := range h.Roles {
		if r == role {
			return true
		}
	}
	return false
}

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
		if host.HasRole(RoleControlPlane) || host.HasRole(RoleWorker) {
			nodes = append(nodes, host)
		}
	}
	return nodes
}

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
