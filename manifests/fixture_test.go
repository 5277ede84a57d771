package manifests

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/certs/mint"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
)

// minted is when the fixtures' certificates were made: the date is in a file's name.
var minted = time.Date(2026, 3, 1, 12, 5, 0, 0, time.UTC)

// keys makes one PKI for all tests.
var keys = sync.OnceValues(func() (certs.PKI, error) {
	return mint.PKI("ECDSA-P256", 10*365*24*time.Hour, minted)
})

// modern are the facts of an ordinary host of today.
func modern() hosts.Facts {
	return hosts.Facts{
		Kernel: "6.1.0-28-amd64", Cgroup: hosts.Cgroup{Version: 2}, Systemd: hosts.Systemd{Version: 252},
		CanRaiseOOMScore: true, ConntrackWritable: true, NFTables: true, IPTables: true, OverlayFS: true,
		Resolver: "/run/systemd/resolve/resolv.conf", NameServers: []string{"192.0.2.53"},
		Files:   map[string]hosts.File{"/usr/share/ca-certificates": {}, "/usr/local/share/ca-certificates": {}, "/etc/ca-certificates": {}},
		Sysctls: map[string]string{"fs.inotify.max_user_instances": "128", "fs.inotify.max_user_watches": "1048576"},
	}
}

// confined are the facts of a host with version 1 control groups and few privileges.
func confined() hosts.Facts {
	facts := modern()
	facts.Cgroup.Version = 1
	facts.CanRaiseOOMScore, facts.ConntrackWritable = false, false
	facts.Resolver, facts.Kernel = "/etc/resolv.conf", "6.18.0"
	return facts
}

// one is a control plane and two workers, with nothing said that has a default.
func one() *cluster.Cluster {
	c := &cluster.Cluster{
		Name: "one",
		Hosts: []cluster.Host{
			{Name: "cp-1", Addresses: []string{"10.90.0.11"}, Roles: []cluster.Role{cluster.RoleControlPlane}},
			{Name: "worker-1", Addresses: []string{"10.90.0.21"}, Roles: []cluster.Role{cluster.RoleWorker}},
			{Name: "worker-2", Addresses: []string{"10.90.0.22"}, Roles: []cluster.Role{cluster.RoleWorker}},
		},
	}
	cluster.Defaults(c)
	return c
}

// dual are three control planes and a worker with addresses of both families, IPv4 before, and
// a virtual address of IPv6.
func dual() *cluster.Cluster {
	cp := []cluster.Role{cluster.RoleControlPlane}
	c := &cluster.Cluster{
		Name:     "dual",
		Endpoint: cluster.Endpoint{Host: "fd00:90::100"},
		Hosts: []cluster.Host{
			{Name: "cp-1", Addresses: []string{"10.90.0.11", "fd00:90::11"}, Roles: cp},
			{Name: "cp-2", Addresses: []string{"10.90.0.12", "fd00:90::12"}, Roles: cp},
			{Name: "cp-3", Addresses: []string{"10.90.0.13", "fd00:90::13"}, Roles: cp},
			{Name: "worker-1", Addresses: []string{"10.90.0.21", "fd00:90::21"}, Roles: []cluster.Role{cluster.RoleWorker}},
		},
	}
	cluster.Defaults(c)
	return c
}

// six is a control plane and a worker that have IPv6 and nothing else.
func six() *cluster.Cluster {
	c := &cluster.Cluster{
		Name: "six",
		Hosts: []cluster.Host{
			{Name: "cp-1", Addresses: []string{"fd00:90::11"}, Roles: []cluster.Role{cluster.RoleControlPlane}},
			{Name: "worker-1", Addresses: []string{"fd00:90::21"}, Roles: []cluster.Role{cluster.RoleWorker}},
		},
	}
	cluster.Defaults(c)
	return c
}

// three is a cluster that says all that can be said: three control planes, one of them a
// worker too, behind an endpoint of their own.
func three() *cluster.Cluster {
	cp := []cluster.Role{cluster.RoleControlPlane}
	c := &cluster.Cluster{
		Name:            "three",
		ImageRepository: "registry.aliyuncs.com/google_containers",
		Endpoint:        cluster.Endpoint{Mode: "external", Host: "api.three.example", Port: 8443},
		Networking: cluster.Networking{
			PodSubnets: []string{"10.100.0.0/16"}, ServiceSubnets: []string{"10.200.0.0/16"}, DNSDomain: "three.local",
		},
		Hosts: []cluster.Host{
			{Name: "a", Addresses: []string{"10.9.0.1"}, Roles: cp},
			{Name: "b", Addresses: []string{"10.9.0.2"}, Roles: cp},
			{Name: "c", Addresses: []string{"10.9.0.3"}, Roles: []cluster.Role{cluster.RoleControlPlane, cluster.RoleWorker}},
			{
				Name: "w", Addresses: []string{"10.9.0.4"}, Roles: []cluster.Role{cluster.RoleWorker},
				Labels: map[string]string{"disk": "fast"},
				Taints: []cluster.Taint{{Key: "gpu", Value: "yes", Effect: "NoSchedule"}},
			},
		},
		Registries: []cluster.Registry{
			{Name: "docker.io", Mirrors: []string{"https://mirror.example", "https://other.example"}},
			{Name: "registry.example:5000", CAFile: "ca.pem", CredentialsFile: "login"},
			{Name: "*", Mirrors: []string{"https://all.example"}, SkipVerify: true},
		},
		Certificates: cluster.Certificates{ExtraSANs: []string{"k8s.example"}},
		ExtraArgs: cluster.ExtraArgs{
			APIServer: []cluster.Arg{{Name: "audit-log-path", Value: "-"}, {Name: "enable-admission-plugins", Value: "NodeRestriction,PodSecurity"}},
			Etcd:      []cluster.Arg{{Name: "quota-backend-bytes", Value: "8589934592"}},
			Kubelet:   []cluster.Arg{{Name: "v", Value: "3"}},
		},
		Kubelet:   map[string]any{"maxPods": 200, "authentication": map[string]any{"webhook": map[string]any{"cacheTTL": "1m0s"}}},
		KubeProxy: map[string]any{"nodePortAddresses": []any{"primary"}},
	}
	cluster.Defaults(c)
	return c
}

// planes are three control planes and a worker behind an endpoint.
func planes(name string, endpoint cluster.Endpoint, more ...cluster.Host) *cluster.Cluster {
	cp := []cluster.Role{cluster.RoleControlPlane}
	c := &cluster.Cluster{Name: name, Endpoint: endpoint, Hosts: []cluster.Host{
		{Name: "cp-1", Addresses: []string{"10.90.0.11"}, Roles: cp},
		{Name: "cp-2", Addresses: []string{"10.90.0.12"}, Roles: cp},
		{Name: "cp-3", Addresses: []string{"10.90.0.13"}, Roles: cp},
		{Name: "worker-1", Addresses: []string{"10.90.0.21"}, Roles: []cluster.Role{cluster.RoleWorker}},
	}}
	c.Hosts = append(c.Hosts, more...)
	cluster.Defaults(c)
	return c
}

func vip() *cluster.Cluster { return planes("vip", cluster.Endpoint{Host: "10.90.0.100"}) }

// loadBalancers has a name for its endpoint, and who holds the address in the file's order.
func loadBalancers() *cluster.Cluster {
	lb := []cluster.Role{cluster.RoleLoadBalancer}
	endpoint := cluster.Endpoint{Host: "api.lb.example", Address: "10.90.0.100", Port: 443, VRRP: cluster.VRRP{Preempt: true}}
	return planes("lb", endpoint,
		cluster.Host{Name: "lb-1", Addresses: []string{"10.90.0.31"}, Roles: lb},
		cluster.Host{Name: "lb-2", Addresses: []string{"10.90.0.32"}, Roles: lb})
}

func local() *cluster.Cluster { return planes("local", cluster.Endpoint{Mode: cluster.EndpointLocal}) }

// externalEtcd keeps its data with the user; a single host holds the virtual address so far.
func externalEtcd() *cluster.Cluster {
	c := planes("external-etcd", cluster.Endpoint{
		Mode: cluster.EndpointVIP, Host: "10.90.0.100", VRRP: cluster.VRRP{Interface: "bond0", RouterID: 7},
	})
	c.Hosts = slices.Delete(c.Hosts, 1, 3)
	c.Etcd.External = &cluster.ExternalEtcd{
		Endpoints: []string{"https://etcd-1.example:2379", "https://etcd-2.example:2379"},
		CAFile:    "etcd-ca.pem", CertFile: "etcd-client.pem", KeyFile: "etcd-client-key.pem",
	}
	return c
}

// input is all that a rendering of the cluster needs, with real keys.
// inSubnet are addresses as an interface has them.
func inSubnet(addresses []string) []string {
	found := []string{"fe80::1/64"}
	for _, address := range addresses {
		found = append(found, address+map[bool]string{false: "/24", true: "/64"}[strings.Contains(address, ":")])
	}
	return found
}

func input(t *testing.T, c *cluster.Cluster, facts hosts.Facts) Input {
	t.Helper()
	pki, err := keys()
	if err != nil {
		t.Fatal(err)
	}
	in := Input{
		Cluster: c, PKI: pki, Bill: bill(),
		Leaves: map[string]map[string]certs.Leaf{}, Facts: map[string]hosts.Facts{},
		RegistryFiles: map[string][]byte{"ca.pem": pki.FrontProxyCA.Cert, "login": []byte("robot\nhush\n")},
		EtcdFiles: map[string][]byte{
			"etcd-ca.pem": pki.EtcdCA.Cert, "etcd-client.pem": pki.FrontProxyCA.Cert, "etcd-client-key.pem": pki.FrontProxyCA.Key,
		},
	}
	for _, host := range c.Hosts {
		facts.Interfaces = []hosts.Link{
			{Name: "lo", Up: true, Addresses: []string{"127.0.0.1/8"}},
			{Name: "eth0", Up: true, Addresses: []string{"192.0.2.7/24"}},
			{Name: "eth1", Up: true, Addresses: inSubnet(host.Addresses)},
		}
		in.Facts[host.Name] = facts
		leaves, err := mint.Leaves(pki, certs.Specs(c, host), time.Duration(c.Certificates.Validity), minted)
		if err != nil {
			t.Fatal(err)
		}
		in.Leaves[host.Name] = map[string]certs.Leaf{}
		for _, leaf := range leaves {
			in.Leaves[host.Name][leaf.Name] = leaf
		}
	}
	in.Settings = SettingsFromFacts(in.Facts)
	return in
}

func bill() bundle.Bill {
	tags := map[string]string{
		imageEtcd: "3.7.3-0", imageAPIServer: "v1.37.2", imageController: "v1.37.2", imageScheduler: "v1.37.2",
		imageProxy: "v1.37.2", imageCoreDNS: "v1.14.6", imagePause: "3.10.2", imageFlannel: "v0.28.4",
	}
	b := bundle.Bill{Components: []bundle.Component{{Name: cniInstaller}, {Name: cniAwait}, {Name: imageEtcd, Features: []string{bundle.FeatureStartGuard}}}}
	for _, name := range []string{
		imagePause, imageEtcd, imageAPIServer, imageController, imageScheduler, imageProxy, imageCoreDNS, imageFlannel,
	} {
		image := bundle.Image{Name: name, Tag: tags[name]}
		if name == imageFlannel {
			image.Repository = "ghcr.io/flannel-io"
		}
		b.Images = append(b.Images, image)
	}
	b.Sets = []bundle.FileSet{{Name: bundle.SetNode}, {Name: bundle.SetControlPlane}, {Name: bundle.SetLoadBalancer, Root: bundle.Folder(bundle.SetLoadBalancer, "", nil)}}
	return b
}

// file finds a file of a host state.
func (s HostState) file(t *testing.T, path string) File {
	t.Helper()
	for _, file := range s.Files {
		if file.Path == path {
			return file
		}
	}
	t.Fatalf("host %s has no file %s", s.Host, path)
	return File{}
}

func render(t *testing.T, in Input, name string) HostState {
	t.Helper()
	state, err := Host(in, name)
	if err != nil {
		t.Fatal(err)
	}
	return state
}
