package manifests

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/cluster"
)

// etcd's ports.
const (
	etcdClientPort  = cluster.PortEtcdClient
	etcdPeerPort    = cluster.PortEtcdPeer
	etcdMetricsPort = 2381
)

// InitialCluster is what etcd's flags say of its cluster while it has no data. Once it has
// data, it ignores the flags: they are kept as they were found.
type InitialCluster struct {
	Members []Member
	// State is always StateExisting in a manifest; StateNew is only for the first start.
	State string
}

// The states of an initial cluster, in etcd's words.
const (
	StateNew      = "new"
	StateExisting = "existing"
)

// etcdNotes names to etcd the folder of EtcdMayBegin and EtcdBegun.
const etcdNotes = "SLIPWAY_ETCD_NOTES"

// GuardsEtcd tells whether the bundle's etcd looks at the host's notes before it starts. To
// begin a new cluster it is told by EtcdMayBegin, once.
func GuardsEtcd(bill bundle.Bill) bool { return bill.Can(imageEtcd, bundle.FeatureStartGuard) }

// Member is one member of the initial cluster.
type Member struct {
	Name    string
	PeerURL string
}

// StackedCluster is the initial cluster of all control planes, which start together.
func StackedCluster(c *cluster.Cluster) InitialCluster {
	var initial InitialCluster
	for _, host := range c.ControlPlanes() {
		initial.Members = append(initial.Members, Member{Name: host.Name, PeerURL: PeerURL(host)})
	}
	return initial
}

// PeerURL is where other members reach a host's etcd.
func PeerURL(host cluster.Host) string { return "https://" + join(host.Address(), etcdPeerPort) }

// ClientURL is where clients reach a host's etcd.
func ClientURL(host cluster.Host) string { return "https://" + join(host.Address(), etcdClientPort) }

// EtcdPod renders the manifest of a host's etcd with the members of the initial cluster given.
// The state is always existing: even without the host's notes it begins no second, empty cluster.
func EtcdPod(in Input, name string, initial InitialCluster) ([]byte, error) {
	host, err := in.host(name)
	if err != nil {
		return nil, err
	}
	pod := in.Cluster.StaticPod("etcd")
	initial.State = StateExisting
	metrics := etcdMetrics(loopback(host.Address()), pod.Args)
	return in.staticPod(host, component{
		name:        imageEtcd,
		pod:         pod,
		flags:       etcdFlags(host, initial),
		annotations: map[string]string{annotationEtcd: ClientURL(host)},
		// etcd reads its certificates and keys anew for each handshake, and the CA never again.
		inputs: digest(in.PKI.EtcdCA.Cert),
		requests: corev1.ResourceList{
			corev1.ResourceCPU:    resource.MustParse("100m"),
			corev1.ResourceMemory: resource.MustParse("100Mi"),
		},
		port: metrics.port,
		probes: probes{
			host: metrics.host, scheme: metrics.scheme,
			liveness: "/livez", readiness: "/readyz", startup: "/readyz",
		},
		env: []corev1.EnvVar{{Name: etcdNotes, Value: EtcdNotes}},
	})
}

func etcdFlags(host cluster.Host, initial InitialCluster) []flag {
	local := loopback(host.Address())
	return []flag{
		{"name", host.Name},
		{"data-dir", EtcdData},
		{"listen-client-urls", "https://" + join(local, etcdClientPort) + "," + ClientURL(host)},
		{"advertise-client-urls", ClientURL(host)},
		{"listen-peer-urls", PeerURL(host)},
		{"initial-advertise-peer-urls", PeerURL(host)},
		{"listen-metrics-urls", "http://" + join(local, etcdMetricsPort)},
		{"cert-file", certs.EtcdFolder + "/server.crt"},
		{"key-file", certs.EtcdFolder + "/server.key"},
		{"trusted-ca-file", certs.Etcd.CertPath()},
		{"client-cert-auth", "true"},
		{"peer-cert-file", certs.EtcdFolder + "/peer.crt"},
		{"peer-key-file", certs.EtcdFolder + "/peer.key"},
		{"peer-trusted-ca-file", certs.Etcd.CertPath()},
		{"peer-client-cert-auth", "true"},
		{"snapshot-count", "10000"},
		{"feature-gates", "InitialCorruptCheck=true"},
		{"watch-progress-notify-interval", "5s"},
		{"initial-cluster", initial.flag()},
		{"initial-cluster-state", initial.State},
	}
}

func (i InitialCluster) flag() string {
	var members []string
	for _, member := range i.Members {
		members = append(members, member.Name+"="+member.PeerURL)
	}
	return strings.Join(members, ",")
}

// InitialClusterOf reads the initial cluster out of an existing manifest; false where
// the manifest does not name one.
func InitialClusterOf(manifest []byte) (InitialCluster, bool) {
	var pod corev1.Pod
	if err := yaml.Unmarshal(manifest, &pod); err != nil || len(pod.Spec.Containers) == 0 {
		return InitialCluster{}, false
	}
	var initial InitialCluster
	words := append(pod.Spec.Containers[0].Command, pod.Spec.Containers[0].Args...)
	for _, word := range words {
		name, value, _ := strings.Cut(strings.TrimLeft(word, "-"), "=")
		switch name {
		case "initial-cluster":
			initial.Members = membersOf(value)
		case "initial-cluster-state":
			initial.State = value
		}
	}
	return initial, len(initial.Members) > 0
}

func membersOf(text string) []Member {
	var members []Member
	for pair := range strings.SplitSeq(text, ",") {
		if name, peer, ok := strings.Cut(pair, "="); ok && name != "" && peer != "" {
			members = append(members, Member{Name: name, PeerURL: peer})
		}
	}
	return members
}

// metricsAddress is where etcd serves its health to the kubelet.
type metricsAddress struct {
	host   string
	port   int32
	scheme corev1.URIScheme
}

// etcdMetrics follows the user's listen-metrics-urls, as kubeadm does: the probes must
// find where etcd serves them.
func etcdMetrics(local string, users []cluster.Arg) metricsAddress {
	ours := metricsAddress{host: local, port: etcdMetricsPort, scheme: corev1.URISchemeHTTP}
	value, set := argument(users, "listen-metrics-urls")
	if !set {
		return ours
	}
	first, _, _ := strings.Cut(value, ",")
	parsed, err := url.Parse(first)
	if err != nil {
		return ours
	}
	if parsed.Scheme == "https" {
		ours.scheme = corev1.URISchemeHTTPS
	}
	if parsed.Hostname() != "" {
		ours.host = parsed.Hostname()
	}
	if address, err := netip.ParseAddr(ours.host); err == nil && address.IsUnspecified() {
		ours.host = local
	}
	if port, err := strconv.ParseUint(parsed.Port(), 10, 16); err == nil && port > 0 {
		ours.port = int32(port)
	}
	return ours
}

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
