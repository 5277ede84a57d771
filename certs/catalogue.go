package certs

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
)

// Authority names a CA by its file's base name below /etc/kubernetes/pki.
type Authority string

// The authorities of a cluster, as kubeadm has them.
const (
	Kubernetes Authority = "ca"
	FrontProxy Authority = "front-proxy-ca"
	Etcd       Authority = "etcd/ca"
)

// CommonName is the subject's name of the authority's certificate, as kubeadm writes it.
func (a Authority) CommonName() string {
	switch a {
	case Kubernetes:
		return "kubernetes"
	case FrontProxy:
		return "front-proxy-ca"
	case Etcd:
		return "etcd-ca"
	}
	return ""
}

// Authorities lists the CAs of a cluster.
func Authorities() []Authority { return []Authority{Kubernetes, FrontProxy, Etcd} }

// The names of the catalogue: base names below /etc/kubernetes/pki, then kubeconfigs
// below /etc/kubernetes, then the kubelet's client certificate.
const (
	APIServer              = "apiserver"
	APIServerKubeletClient = "apiserver-kubelet-client"
	APIServerEtcdClient    = "apiserver-etcd-client"
	FrontProxyClient       = "front-proxy-client"
	EtcdServer             = "etcd/server"
	EtcdPeer               = "etcd/peer"
	EtcdHealthcheckClient  = "etcd/healthcheck-client"
	EtcdOperator           = "etcd/operator"
	Admin                  = "admin.conf"
	SuperAdmin             = "super-admin.conf"
	ControllerManager      = "controller-manager.conf"
	Scheduler              = "scheduler.conf"
	Kubelet                = "kubelet"
)

// Place says where a certificate lives.
type Place string

// The places of certificates.
const (
	OnControlPlanes Place = "control planes" // on every one
	OnNodes         Place = "nodes"          // on every host that runs a kubelet
	WithOperator    Place = "operator"       // in the state folder, on no host
)

// Form says what a certificate is written as.
type Form string

// The forms of certificates.
const (
	AsFiles      Form = "files"      // NAME.crt and NAME.key below /etc/kubernetes/pki
	AsKubeconfig Form = "kubeconfig" // embedded in /etc/kubernetes/NAME
	AsKubeletPEM Form = "kubelet"    // a dated .pem below /var/lib/kubelet/pki, and a link to it
	AsStored     Form = "stored"     // in the state folder, as certs/store keeps it
)

// Usage is an extended key usage.
type Usage string

// The usages that the catalogue asks for.
const (
	ServerAuth Usage = "server auth"
	ClientAuth Usage = "client auth"
)

// Entry is one row of the catalogue: a certificate before it is known for whom.
type Entry struct {
	Name      string
	Authority Authority
	Place     Place
	Form      Form
	Usages    []Usage
	// CommonName and Organizations are the subject; %s stands for the node's name.
	CommonName    string
	Organizations []string
	// names gives the subject alternative names; nil for client certificates.
	names func(*cluster.Cluster, cluster.Host) names
}

// Spec is one certificate to be minted, and what an existing one is judged by.
type Spec struct {
	Name          string
	Authority     Authority
	CommonName    string
	Organizations []string
	Usages        []Usage
	DNSNames      []string
	Addresses     []netip.Addr
	KeyAlgorithm  string // in kubeadm's words
}

// Catalogue lists every leaf certificate of a cluster, in the order of kubeadm's own list.
// Where etcd is the user's, Specs leaves out those of etcd's CA.
func Catalogue() []Entry {
	server, client := []Usage{ServerAuth}, []Usage{ClientAuth}
	// etcd's server certificate is a client's too: etcd dials itself with it.
	both := []Usage{ServerAuth, ClientAuth}
	return []Entry{
		{Name: APIServer, Authority: Kubernetes, Place: OnControlPlanes, Form: AsFiles, Usages: server,
			CommonName: "kube-apiserver", names: apiServerNames},
		{Name: APIServerKubeletClient, Authority: Kubernetes, Place: OnControlPlanes, Form: AsFiles, Usages: client,
			CommonName: "kube-apiserver-kubelet-client"},
		{Name: FrontProxyClient, Authority: FrontProxy, Place: OnControlPlanes, Form: AsFiles, Usages: client,
			CommonName: "front-proxy-client"},
		{Name: EtcdServer, Authority: Etcd, Place: OnControlPlanes, Form: AsFiles, Usages: both,
			CommonName: "%s", names: etcdNames},
		{Name: EtcdPeer, Authority: Etcd, Place: OnControlPlanes, Form: AsFiles, Usages: both,
			CommonName: "%s", names: etcdNames},
		{Name: EtcdHealthcheckClient, Authority: Etcd, Place: OnControlPlanes, Form: AsFiles, Usages: client,
			CommonName: "kube-etcd-healthcheck-client"},
		{Name: APIServerEtcdClient, Authority: Etcd, Place: OnControlPlanes, Form: AsFiles, Usages: client,
			CommonName: "kube-apiserver-etcd-client"},
		{Name: EtcdOperator, Authority: Etcd, Place: WithOperator, Form: AsStored, Usages: client,
			CommonName: "slipway"},
		{Name: Admin, Authority: Kubernetes, Place: OnControlPlanes, Form: AsKubeconfig, Usages: client,
			CommonName: "kubernetes-admin", Organizations: []string{"kubeadm:cluster-admins"}},
		{Name: SuperAdmin, Authority: Kubernetes, Place: WithOperator, Form: AsKubeconfig, Usages: client,
			CommonName: "kubernetes-super-admin", Organizations: []string{"system:masters"}},
		{Name: ControllerManager, Authority: Kubernetes, Place: OnControlPlanes, Form: AsKubeconfig, Usages: client,
			CommonName: "system:kube-controller-manager"},
		{Name: Scheduler, Authority: Kubernetes, Place: OnControlPlanes, Form: AsKubeconfig, Usages: client,
			CommonName: "system:kube-scheduler"},
		{Name: Kubelet, Authority: Kubernetes, Place: OnNodes, Form: AsKubeletPEM, Usages: client,
			CommonName: "system:node:%s", Organizations: []string{"system:nodes"}},
	}
}

// Find gives the catalogue's row of that name.
func Find(name string) (Entry, bool) {
	for _, entry := range Catalogue() {
		if entry.Name == name {
			return entry, true
		}
	}
	return Entry{}, false
}

// Specs lists the certificates that belong on a host, by its roles. Where etcd is the
// user's own its CA is not ours: the user's certificate takes the place of the API
// servers', and there is no member to have the others.
func Specs(c *cluster.Cluster, host cluster.Host) []Spec {
	var specs []Spec
	for _, entry := range Catalogue() {
		if entry.Place.has(host) && (entry.Authority != Etcd || c.StackedEtcd()) {
			specs = append(specs, entry.Spec(c, host))
		}
	}
	return specs
}

// has tells whether a host is of the place, by its roles.
func (p Place) has(host cluster.Host) bool {
	switch p {
	case OnControlPlanes:
		return host.HasRole(cluster.RoleControlPlane)
	case OnNodes:
		return host.IsNode()
	case WithOperator:
	}
	return false
}

// SuperAdminSpec is the operator's certificate that bypasses RBAC.
func SuperAdminSpec(c *cluster.Cluster) Spec { return operatorSpec(c, SuperAdmin) }

// EtcdClientSpec is the certificate by which the operator looks after etcd's members,
// where they are Slipway's.
func EtcdClientSpec(c *cluster.Cluster) Spec { return operatorSpec(c, EtcdOperator) }

// operatorSpec is a certificate that stays with the operator.
func operatorSpec(c *cluster.Cluster, name string) Spec {
	entry, _ := Find(name)
	return entry.Spec(c, cluster.Host{})
}

// names are subject alternative names while they are gathered.
type names struct {
	dns       []string
	addresses []netip.Addr
}

// add takes an address or, where it is none, a DNS name.
func (n *names) add(values ...string) {
	for _, value := range values {
		if value == "" {
			continue
		}
		if address, err := netip.ParseAddr(value); err == nil {
			n.addresses = append(n.addresses, address)
			continue
		}
		n.dns = append(n.dns, value)
	}
}

// Spec is the certificate that the row means on a host of a cluster.
func (e Entry) Spec(c *cluster.Cluster, host cluster.Host) Spec {
	spec := Spec{
		Name:          e.Name,
		Authority:     e.Authority,
		CommonName:    strings.ReplaceAll(e.CommonName, "%s", host.Name),
		Organizations: slices.Clone(e.Organizations),
		Usages:        slices.Clone(e.Usages),
		KeyAlgorithm:  c.Certificates.KeyAlgorithm,
	}
	if e.names != nil {
		n := e.names(c, host)
		spec.DNSNames = sortedUnique(n.dns, strings.Compare)
		spec.Addresses = sortedUnique(n.addresses, netip.Addr.Compare)
	}
	return spec
}

// apiServerNames is every name that a client may know an API server by: kubeadm's, and
// all of the host's addresses.
func apiServerNames(c *cluster.Cluster, host cluster.Host) names {
	var n names
	n.add(host.Name, "kubernetes", "kubernetes.default", "kubernetes.default.svc")
	if c.Networking.DNSDomain != "" {
		n.add("kubernetes.default.svc." + c.Networking.DNSDomain)
	}
	n.addresses = append(n.addresses, c.Networking.APIServerAddresses()...)
	n.add(host.Addresses...)
	n.add(c.Endpoint.Host, c.Endpoint.Address)
	n.add(c.Certificates.ExtraSANs...)
	return n
}

func etcdNames(_ *cluster.Cluster, host cluster.Host) names {
	var n names
	n.add(host.Name, "localhost", "127.0.0.1", "::1")
	n.add(host.Addresses...)
	return n
}

func sortedUnique[T comparable](values []T, compare func(a, b T) int) []T {
	values = slices.Clone(values)
	slices.SortFunc(values, compare)
	return slices.Compact(values)
}
