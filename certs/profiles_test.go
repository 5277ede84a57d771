package certs_test

import (
	"crypto/x509"
	"encoding/pem"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/certs/mint"
	"github.com/slipway-k8s/slipway/cluster"
)

// named is a cluster whose API has more names than it must have.
func named() *cluster.Cluster {
	c := demo()
	c.Endpoint = cluster.Endpoint{Mode: cluster.EndpointVIP, Host: "api.example.com", Address: "192.0.2.100"}
	c.Certificates.ExtraSANs = []string{"*.example.com", "203.0.113.9", "2001:db8::9"}
	return c
}

// profile is all that tells one kind of certificate from another.
type profile struct {
	CommonName   string
	Organization []string
	DNSNames     []string
	Addresses    []string
	KeyUsage     x509.KeyUsage
	ExtKeyUsage  []x509.ExtKeyUsage
	IsCA         bool
	Constraints  bool
	Life         time.Duration
	Backdated    time.Duration
}

func profileOf(t *testing.T, certPEM []byte) profile {
	t.Helper()
	block, rest := pem.Decode(certPEM)
	if block == nil || block.Type != "CERTIFICATE" || len(rest) > 0 {
		t.Fatalf("want one CERTIFICATE block alone, got\n%s", certPEM)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	p := profile{
		CommonName: c.Subject.CommonName, Organization: c.Subject.Organization,
		DNSNames: c.DNSNames, KeyUsage: c.KeyUsage, ExtKeyUsage: c.ExtKeyUsage,
		IsCA: c.IsCA, Constraints: c.BasicConstraintsValid,
		Life: c.NotAfter.Sub(now), Backdated: now.Sub(c.NotBefore),
	}
	slices.Sort(p.DNSNames)
	for _, raw := range c.IPAddresses {
		address, _ := netip.AddrFromSlice(raw)
		p.Addresses = append(p.Addresses, address.Unmap().String())
	}
	slices.Sort(p.Addresses)
	return p
}

const leafUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment

// What kubeadm 1.36 gives its CAs.
func TestAuthoritiesAreKubeadms(t *testing.T) {
	pki := mintPKI(t)
	for authority, name := range map[certs.Authority]string{
		certs.Kubernetes: "kubernetes", certs.FrontProxy: "front-proxy-ca", certs.Etcd: "etcd-ca",
	} {
		pair, err := pki.Authority(authority)
		if err != nil {
			t.Fatal(err)
		}
		want := profile{CommonName: name, DNSNames: []string{name}, KeyUsage: leafUsage | x509.KeyUsageCertSign,
			IsCA: true, Constraints: true, Life: decade, Backdated: 5 * time.Minute}
		if diff := cmp.Diff(want, profileOf(t, pair.Cert)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", authority, diff)
		}
	}
	if err := pki.Check(); err != nil {
		t.Errorf("the PKI is not whole: %v", err)
	}
}

// What kubeadm 1.36 gives each leaf; its names are a superset of kubeadm's.
func TestLeavesAreKubeadms(t *testing.T) {
	var (
		client = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		server = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		both   = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	)
	etcdNames, etcdAddresses := []string{"cp-1", "localhost"}, []string{"127.0.0.1", "192.0.2.11", "::1"}
	want := map[string]profile{
		certs.APIServer: {CommonName: "kube-apiserver", ExtKeyUsage: server,
			DNSNames: []string{"*.example.com", "api.example.com", "cp-1", "kubernetes", "kubernetes.default",
				"kubernetes.default.svc", "kubernetes.default.svc.cluster.local"},
			Addresses: []string{"10.96.0.1", "192.0.2.100", "192.0.2.11", "2001:db8::9", "203.0.113.9"}},
		certs.APIServerKubeletClient: {CommonName: "kube-apiserver-kubelet-client", ExtKeyUsage: client},
		certs.APIServerEtcdClient:    {CommonName: "kube-apiserver-etcd-client", ExtKeyUsage: client},
		certs.FrontProxyClient:       {CommonName: "front-proxy-client", ExtKeyUsage: client},
		certs.EtcdServer:             {CommonName: "cp-1", ExtKeyUsage: both, DNSNames: etcdNames, Addresses: etcdAddresses},
		certs.EtcdPeer:               {CommonName: "cp-1", ExtKeyUsage: both, DNSNames: etcdNames, Addresses: etcdAddresses},
		certs.EtcdHealthcheckClient:  {CommonName: "kube-etcd-healthcheck-client", ExtKeyUsage: client},
		certs.EtcdOperator:           {CommonName: "slipway", ExtKeyUsage: client},
		certs.Admin:                  {CommonName: "kubernetes-admin", Organization: []string{"kubeadm:cluster-admins"}, ExtKeyUsage: client},
		certs.ControllerManager:      {CommonName: "system:kube-controller-manager", ExtKeyUsage: client},
		certs.Scheduler:              {CommonName: "system:kube-scheduler", ExtKeyUsage: client},
		certs.Kubelet:                {CommonName: "system:node:cp-1", Organization: []string{"system:nodes"}, ExtKeyUsage: client},
		certs.SuperAdmin:             {CommonName: "kubernetes-super-admin", Organization: []string{"system:masters"}, ExtKeyUsage: client},
	}
	pki, c := mintPKI(t), named()
	specs := append(certs.Specs(c, c.Hosts[0]), certs.SuperAdminSpec(c), certs.EtcdClientSpec(c))
	leaves, err := mint.Leaves(pki, specs, year, now)
	if err != nil {
		t.Fatal(err)
	}
	if len(leaves) != len(want) {
		t.Errorf("%d leaves, want %d", len(leaves), len(want))
	}
	for i, leaf := range leaves {
		expected := want[leaf.Name]
		expected.KeyUsage, expected.Constraints = leafUsage, true
		expected.Life, expected.Backdated = year, 5*time.Minute
		if diff := cmp.Diff(expected, profileOf(t, leaf.Cert)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", leaf.Name, diff)
		}
		if err := leaf.Check(); err != nil {
			t.Errorf("%s: %v", leaf.Name, err)
		}
		authority, _ := pki.Authority(specs[i].Authority)
		if reasons := certs.Acceptable(specs[i], leaf.Cert, authority.Cert, now, certs.MinLeft(year)); len(reasons) > 0 {
			t.Errorf("%s, as minted, is not acceptable: %v", leaf.Name, reasons)
		}
	}
}

func TestWhatAHostGetsGoesByItsRoles(t *testing.T) {
	stacked, external := demo(), demo()
	external.Etcd.External = &cluster.ExternalEtcd{}
	every := []string{certs.APIServer, certs.APIServerKubeletClient, certs.FrontProxyClient, certs.EtcdServer, certs.EtcdPeer,
		certs.EtcdHealthcheckClient, certs.APIServerEtcdClient, certs.Admin, certs.ControllerManager, certs.Scheduler, certs.Kubelet}
	withoutEtcd := []string{certs.APIServer, certs.APIServerKubeletClient, certs.FrontProxyClient,
		certs.Admin, certs.ControllerManager, certs.Scheduler, certs.Kubelet}
	authorities := []string{"ca.crt", "ca.key", "front-proxy-ca.crt", "front-proxy-ca.key", "etcd/ca.crt", "etcd/ca.key", "sa.key", "sa.pub"}
	for name, test := range map[string]struct {
		c            *cluster.Cluster
		role         cluster.Role
		leaves, keys []string
	}{
		"a control plane":                    {stacked, cluster.RoleControlPlane, every, authorities},
		"a control plane whose etcd is away": {external, cluster.RoleControlPlane, withoutEtcd, []string{"ca.crt", "ca.key", "front-proxy-ca.crt", "front-proxy-ca.key", "sa.key", "sa.pub"}},
		"a worker":                           {stacked, cluster.RoleWorker, []string{certs.Kubelet}, []string{"ca.crt"}},
		"a load balancer":                    {stacked, cluster.RoleLoadBalancer, nil, []string{"ca.crt"}},
	} {
		host := cluster.Host{Name: "h", Roles: []cluster.Role{test.role}}
		var leaves, files []string
		for _, spec := range certs.Specs(test.c, host) {
			leaves = append(leaves, spec.Name)
		}
		if !slices.Equal(leaves, test.leaves) {
			t.Errorf("%s gets %v, want %v", name, leaves, test.leaves)
		}
		for _, file := range (certs.PKI{}).HostFiles(test.c, host) {
			files = append(files, strings.TrimPrefix(file.Path, certs.PKIFolder+"/"))
		}
		if !slices.Equal(files, test.keys) {
			t.Errorf("%s keeps %v, want %v", name, files, test.keys)
		}
	}
}
