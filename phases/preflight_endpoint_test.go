package phases

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/view"
)

// spoiled changes what was seen of a host.
func spoiled(name string, change func(*hosts.Facts)) func(*Input) {
	return func(in *Input) {
		facts := in.Facts[name]
		change(&facts)
		in.Facts[name] = facts
	}
}

// quiet is what is seen of ordinary bare hosts.
func quiet(t *testing.T, s shape) Input {
	t.Helper()
	in := newWorldOf(t, s).observe()
	for name := range in.Facts {
		spoiled(name, func(f *hosts.Facts) { f.Swaps, f.Reach = nil, nil })(&in)
	}
	return in
}

func ownsKeepalived(f *hosts.Facts, id hosts.Identity) {
	f.Record = &hosts.Record{Cluster: id, Paths: []hosts.Owned{{Path: manifests.UnitsFolder + "/" + manifests.KeepalivedUnit}}}
}

func TestPreflightOfTheEndpoint(t *testing.T) {
	router, err := manifests.RouterID(&cluster.Cluster{}, testPKI)
	if err != nil {
		t.Fatal(err)
	}
	answers := func(mac string, routers ...hosts.Router) func(*hosts.Facts) {
		return func(f *hosts.Facts) {
			f.VirtualIP = &hosts.VirtualIP{Interface: "eth0", Holder: mac, Routers: routers}
		}
	}
	vip := shape{mode: cluster.EndpointVIP, planes: 3, workers: 1}
	local := shape{mode: cluster.EndpointLocal, planes: 3, workers: 1}
	balancers := shape{mode: cluster.EndpointLoadBalancers, planes: 3, spares: 2}
	external := shape{mode: cluster.EndpointExternal, planes: 3, workers: 1}
	named := func(spoil func(*Input)) func(*Input) {
		return func(in *Input) {
			in.Cluster.Endpoint.Host, in.Cluster.Endpoint.Address = "api.example", testVIP
			if spoil != nil {
				spoil(in)
			}
		}
	}
	leads := func(host string, addresses ...string) func(*Input) {
		return func(in *Input) {
			spoiled(host, func(f *hosts.Facts) { f.Names = map[string][]string{in.Cluster.Endpoint.Host: addresses} })(in)
		}
	}
	reach := func(host, why string) func(*Input) {
		return spoiled(host, func(f *hosts.Facts) { f.Reach = map[string]string{testVIP + ":6443": why} })
	}
	tests := []struct {
		name    string
		shape   shape
		spoil   func(*Input)
		host    string // "": nothing is found
		warning bool
		want    string
	}{
		{"ordinary hosts", vip, func(*Input) {}, "", false, ""},
		{"a VIP that answers", vip, spoiled("cp-2", answers("52:54:00:aa:00:01")), "cp-2", false, "52:54:00:aa:00:01 answers for it on eth0"},
		{"a VIP that a cluster's host has", vip, func(in *Input) {
			spoiled("cp-2", answers("52:54:00:aa:00:01"))(in)
			spoiled("cp-1", func(f *hosts.Facts) {
				ownsKeepalived(f, in.ClusterID)
				f.Interfaces = append(slices.Clone(f.Interfaces), hosts.Link{Name: "e", MAC: "52:54:00:AA:00:01"})
			})(in)
		}, "", false, ""},
		{"a VIP on a host", vip, spoiled("cp-3", func(f *hosts.Facts) {
			f.Interfaces = append(slices.Clone(f.Interfaces), hosts.Link{Name: "e", Addresses: []string{testVIP + "/32"}})
		}), "cp-3", false, "the host's own already"},
		{"a VIP on a host by our keepalived", vip, func(in *Input) {
			spoiled("cp-3", func(f *hosts.Facts) {
				ownsKeepalived(f, in.ClusterID)
				f.Interfaces = append(slices.Clone(f.Interfaces), hosts.Link{Name: "e", Addresses: []string{testVIP + "/32"}})
			})(in)
		}, "", false, ""},
		{"a closed way to haproxy's root", vip, spoiled("cp-2", func(f *hosts.Facts) {
			f.Files = map[string]hosts.File{"/opt": {Type: hosts.TypeDirectory, Mode: 0o700}}
		}), "cp-2", false, "/opt has mode 0700: haproxy"},
		{"a closed folder of haproxy's configuration", vip, spoiled("cp-2", func(f *hosts.Facts) {
			f.Files = map[string]hosts.File{path.Dir(manifests.HAProxyConfig): {Type: hosts.TypeDirectory, Mode: 0o700}}
		}), "cp-2", false, "/etc/haproxy has mode 0700: haproxy"},
		{"a closed folder of keepalived's, which runs as root", vip, spoiled("cp-2", func(f *hosts.Facts) {
			f.Files = map[string]hosts.File{path.Dir(manifests.KeepalivedConfig): {Type: hosts.TypeDirectory, Mode: 0o700}}
		}), "", false, ""},
		{"a closed way that Slipway made", vip, func(in *Input) {
			spoiled("cp-2", func(f *hosts.Facts) {
				f.Files = map[string]hosts.File{"/opt/slipway": {Type: hosts.TypeDirectory, Mode: 0o700}}
				f.Record = &hosts.Record{Cluster: in.ClusterID, Paths: []hosts.Owned{{Path: "/opt/slipway", Type: hosts.TypeDirectory}}}
			})(in)
		}, "", false, ""},
		{"a VIP on a worker", vip, spoiled("w-1", answers("52:54:00:aa:00:01")), "", false, ""},
		{"a VIP outside the subnet", vip, func(in *Input) { in.Cluster.Endpoint.Address = "192.0.2.1" }, "cp-1", false, "192.0.2.1 lies outside the subnet of"},
		{"a VIP outside the subnet, told with it", vip, func(in *Input) { in.Cluster.Endpoint.Address = "192.0.2.1" }, "cp-1", false, "10.0.0.0/16"},
		{"a VIP on an interface without IPv4", vip, func(in *Input) {
			in.Cluster.Endpoint.VRRP.Interface = "eth9"
			spoiled("cp-2", withLink("eth9", "fe80::1/64"))(in)
			spoiled("cp-1", withLink("eth9", "10.0.0.77/16"))(in)
			spoiled("cp-3", withLink("eth9", "10.0.0.78/16"))(in)
		}, "cp-2", false, "interface eth9, which is to carry the virtual address 10.0.0.200, has no address of IPv4"},
		{"a VIP where each host has an address alone", vip, spoiled("cp-2", func(f *hosts.Facts) {
			f.Interfaces = []hosts.Link{{Name: "eth0", Addresses: []string{"fe80::1/64", "10.0.0.2/32"}}}
		}), "cp-2", false, "eth0 has only 10.0.0.2/32, a subnet of one address"},
		{"a VIP of the network's own", vip, func(in *Input) { in.Cluster.Endpoint.Address = "10.0.0.0" }, "cp-1", false, "the network's own address or the broadcast address of 10.0.0.0/16"},
		{"a VIP of everybody's", vip, func(in *Input) { in.Cluster.Endpoint.Address = "10.0.255.255" }, "cp-1", false, "broadcast address of 10.0.0.0/16"},
		{"a VIP at the end of a pair", vip, func(in *Input) {
			in.Cluster.Endpoint.Address = "198.51.100.1"
			for _, name := range []string{"cp-1", "cp-2", "cp-3"} {
				spoiled(name, func(f *hosts.Facts) {
					f.Interfaces = slices.Clone(f.Interfaces)
					f.Interfaces[1].Addresses = append(slices.Clone(f.Interfaces[1].Addresses), "198.51.100.0/31")
				})(in)
			}
		}, "", false, ""},
		{"an interface that is not there", vip, func(in *Input) { in.Cluster.Endpoint.VRRP.Interface = "bond7" }, "cp-1", false, "no interface bond7"},
		{"another router with the id", vip, spoiled("cp-1", answers("", hosts.Router{Source: "10.0.9.9", RouterID: router, Version: 2})), "cp-1", false, "10.0.9.9, VRRP version 2"},
		{"another router with the id, and a free one", vip, spoiled("cp-1", answers("",
			hosts.Router{Source: "10.0.9.9", RouterID: router}, hosts.Router{Source: "10.0.9.8", RouterID: router%255 + 1})), "cp-1", false, "e.g. " + strconv.Itoa((router%255+1)%255+1)},
		{"another router with another id", vip, spoiled("cp-1", answers("", hosts.Router{Source: "10.0.9.9", RouterID: router%255 + 1})), "", false, ""},
		{"a taken endpoint port", vip, spoiled("cp-1", func(f *hosts.Facts) { f.Listeners = map[int]string{16443: "nginx (pid 7)"} }), "cp-1", false, "16443 is taken by nginx"},
		{"a taken endpoint port on a balancer", balancers, spoiled("lb-1", func(f *hosts.Facts) { f.Listeners = map[int]string{16443: "nginx"} }), "lb-1", false, "16443 is taken"},
		{"an endpoint port where no balancer is", balancers, spoiled("cp-1", func(f *hosts.Facts) { f.Listeners = map[int]string{16443: "nginx"} }), "", false, ""},
		{"our own haproxy", vip, func(in *Input) {
			spoiled("cp-1", func(f *hosts.Facts) {
				ownsKeepalived(f, in.ClusterID)
				f.Listeners = map[int]string{16443: "haproxy (pid 7)"}
			})(in)
		}, "", false, ""},
		{"a haproxy of others", vip, spoiled("cp-1", func(f *hosts.Facts) { f.Foreign = []hosts.Foreign{{What: "haproxy", Fix: "disable it"}} }), "cp-1", false, "haproxy is there"},
		{"a haproxy of others on a worker", vip, spoiled("w-1", func(f *hosts.Facts) { f.Foreign = []hosts.Foreign{{What: "haproxy"}} }), "", false, ""},
		{"a keepalived of others where none comes", local, spoiled("cp-1", func(f *hosts.Facts) { f.Foreign = []hosts.Foreign{{What: "keepalived"}} }), "", false, ""},
		{"a Docker on a balancer", balancers, spoiled("lb-1", func(f *hosts.Facts) { f.Foreign = []hosts.Foreign{{What: "docker"}} }), "", false, ""},
		{"swap on a balancer", balancers, spoiled("lb-1", func(f *hosts.Facts) {
			f.Swaps, f.CPUs, f.Memory, f.Cgroup = []string{"/dev/sdb"}, 1, 1<<30, hosts.Cgroup{}
		}), "", false, ""},
		{"a name that is not known yet", vip, named(nil), "", false, ""},
		{"a name that leads to the VIP", vip, named(leads("w-1", testVIP)), "", false, ""},
		{"a name that leads elsewhere", vip, named(leads("w-1", "10.0.0.7")), "w-1", false, "has to lead to 10.0.0.200, and leads to 10.0.0.7"},
		{"a name that leads elsewhere, too", vip, named(leads("w-1", testVIP, "10.0.0.7")), "w-1", false, "leads to 10.0.0.200, 10.0.0.7"},
		{"a local name that leads elsewhere", local, leads("w-1", "10.0.0.7"), "w-1", false, "has to lead to 127.0.0.1"},
		{"an external name that nobody knows", external, named(nil), "w-1", false, "api.example does not resolve"},
		{"an external name", external, func(in *Input) {
			for name := range in.Facts {
				named(leads(name, "10.0.0.7"))(in)
			}
		}, "", false, ""},
		{"an external balancer that refuses", external, reach("w-1", "connection refused"), "w-1", true, "refuses connections"},
		{"an external balancer that refuses a cluster that runs", external, func(in *Input) {
			in.ClusterFacts.Reachable = true
			reach("w-1", "connection refused")(in)
		}, "w-1", false, "does not reach the load balancer"},
		{"an external balancer that is not there", external, reach("w-1", "no answer within 2s"), "w-1", false, "10.0.0.200:6443: no answer within 2s"},
		{"a name server that refuses", external, reach("w-1", "api.try.internal cannot be looked up: the name server 127.0.0.1:53 failed: connection refused"),
			"w-1", false, "the name server 127.0.0.1:53 failed"},
		{"an external balancer that is there", external, reach("w-1", ""), "", false, ""},
		{"an etcd of the user's", shape{mode: cluster.EndpointVIP, planes: 1, external: true}, spoiled("cp-1", func(f *hosts.Facts) {
			f.Reach = map[string]string{"10.0.3.1:2379": "no route to host"}
		}), "cp-1", false, "10.0.3.1:2379: no route to host"},
		{"data of an etcd of the user's", shape{mode: cluster.EndpointVIP, planes: 1, external: true}, spoiled("cp-1", func(f *hosts.Facts) {
			f.Files[view.EtcdLog] = hosts.File{Type: hosts.TypeDirectory}
			f.Listeners = map[int]string{2379: "etcd (pid 7)"}
		}), "", false, ""},
		{"data of a member that the cluster does not have", vip, func(in *Input) {
			in.ClusterFacts.Members = []hosts.Member{{ID: "1", Name: "cp-1", Peers: []string{"https://10.0.0.1:2380"}}}
			spoiled("cp-2", func(f *hosts.Facts) {
				f.Record = &hosts.Record{Cluster: in.ClusterID, Paths: []hosts.Owned{{Path: manifests.EtcdManifest}}}
				f.Files[view.EtcdLog] = hosts.File{Type: hosts.TypeDirectory}
			})(in)
		}, "cp-2", false, "data of a member that the cluster's etcd does not have"},
		{"a slow disk", vip, spoiled("cp-1", func(f *hosts.Facts) { f.Sync = 37 * time.Millisecond }), "cp-1", true, "37ms"},
		{"a disk that is too slow", vip, spoiled("cp-1", func(f *hosts.Facts) { f.Sync = 1370 * time.Millisecond }), "cp-1", false, "1.37s"},
		{"a good disk", vip, spoiled("cp-1", func(f *hosts.Facts) { f.Sync = 10 * time.Millisecond }), "", false, ""},
		{"two control planes", shape{mode: cluster.EndpointVIP, planes: 2}, func(*Input) {}, "the cluster", true, "etcd will have 2 members, of which a quorum is 2: it survives the loss of none"},
		{"four control planes", shape{mode: cluster.EndpointVIP, planes: 4}, func(*Input) {}, "the cluster", true, "quorum is 3: it survives the loss of 1, no more than with 3"},
		{"two beside the user's etcd", shape{mode: cluster.EndpointVIP, planes: 2, external: true}, func(*Input) {}, "", false, ""},
		{"firewalld beside a balancer", balancers, leftAlone("lb-1", hosts.Firewalld), "lb-1", true, "--add-port=16443/tcp && firewall-cmd --permanent --add-rich-rule='rule family=\"ipv4\" source address=\"10.0.2.2\" protocol value=\"vrrp\" accept' && firewall-cmd --reload)"},
		{"ufw beside a balancer", balancers, leftAlone("lb-1", hosts.UFW), "lb-1", true, "(ufw allow 16443/tcp && ufw allow from 10.0.2.2)"},
		{"ufw with a local balancer", local, leftAlone("w-1", hosts.UFW), "w-1", true, "port 10250 proto tcp && "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			in := quiet(t, test.shape)
			test.spoil(&in)
			problems := checks.Preflight(view.Init, in.View)
			for _, p := range problems {
				host := p.Host
				if host == "" {
					host = "the cluster"
				}
				if host == test.host && strings.Contains(p.String(), test.want) && (p.Severity == checks.Warning) == test.warning {
					return
				}
			}
			if test.host != "" || len(problems) > 0 {
				t.Errorf("problems: %v", problems)
			}
		})
	}
}

// TestANameServerThatRefusesIsToldOnce, and nobody is sent to look at the load balancer.
func TestANameServerThatRefusesIsToldOnce(t *testing.T) {
	in := quiet(t, shape{mode: cluster.EndpointExternal, planes: 1, workers: 1})
	name := "api.try.internal"
	in.Cluster.Endpoint.Host = name
	spoiled("w-1", func(f *hosts.Facts) {
		f.Unresolved = map[string]string{name: "the name server 10.0.0.53:53 failed: refused"}
		f.Reach = map[string]string{name + ":6443": name + " cannot be looked up"}
	})(&in)
	var told []string
	for _, p := range checks.Preflight(view.Init, in.View) {
		if p.Host == "w-1" {
			told = append(told, p.String())
		}
	}
	if len(told) != 1 || !strings.Contains(told[0], "cannot be looked up now") {
		t.Errorf("want the name alone to be told, got %q", told)
	}
}

func TestWhatIsLookedAtByModeAndRole(t *testing.T) {
	bill, _ := testBill()
	query := func(s shape, name string) hosts.Query {
		c := newWorldOf(t, s).cluster
		host, _ := c.Host(name)
		return HostQuery(c, bill, host)
	}
	root := balancerRoot(bill) + "/usr/sbin/haproxy"
	vip := shape{mode: cluster.EndpointVIP, planes: 3, workers: 1}
	plane := query(vip, "cp-1")
	if plane.VirtualIP == nil || plane.VirtualIP.Address != testVIP || plane.VirtualIP.Unit != manifests.KeepalivedUnit ||
		plane.Sync != manifests.EtcdData || !slices.Contains(plane.Ports, 16443) || !slices.Contains(plane.Paths, root) {
		t.Errorf("a control plane that balances: %+v", plane)
	}
	worker := query(vip, "w-1")
	if worker.VirtualIP != nil || worker.Sync != "" || slices.Contains(worker.Ports, 16443) || slices.Contains(worker.Paths, root) ||
		!worker.Recorded { // what it may have been before is looked for
		t.Errorf("a worker: %+v", worker)
	}
	if local := query(shape{mode: cluster.EndpointLocal, planes: 3, workers: 1}, "w-1"); local.VirtualIP != nil || !slices.Contains(local.Paths, root) {
		t.Errorf("a worker that balances for itself: %+v", local)
	}
	balancer := query(shape{mode: cluster.EndpointLoadBalancers, planes: 3, spares: 1}, "lb-1")
	if balancer.VirtualIP == nil || len(balancer.Images) > 0 || len(balancer.Sysctls) > 0 || len(balancer.Kubeconfigs) > 0 ||
		!slices.Equal(balancer.Ports, []int{16443}) || slices.Contains(balancer.Paths, manifests.Containerd) {
		t.Errorf("a load balancer: %+v", balancer)
	}
	if external := query(shape{mode: cluster.EndpointExternal, planes: 1, workers: 1}, "w-1"); !slices.Equal(external.Reach, []string{testVIP + ":6443"}) {
		t.Errorf("a worker looks for %v", external.Reach)
	}
	users := query(shape{mode: cluster.EndpointVIP, planes: 1, external: true}, "cp-1")
	if !slices.Equal(users.Reach, []string{"10.0.3.1:2379"}) || users.Sync != "" || slices.Contains(users.Ports, 2379) {
		t.Errorf("a control plane without an etcd: %+v", users)
	}
	c := newWorldOf(t, vip).cluster
	host, _ := c.Host("cp-1")
	if bare := HostQuery(c, bundle.Bill{}, host); !slices.Contains(bare.Paths, manifests.Kube) || !slices.Contains(bare.Paths, manifests.UnitsFolder+"/"+manifests.HAProxyUnit) {
		t.Error("without a bundle it would seem that what the units run had changed")
	}
}

// leftAlone has a firewall on a host that Slipway is not to open.
func leftAlone(name, firewall string) func(*Input) {
	return func(in *Input) {
		in.Cluster.Firewall.Manage = new(false)
		spoiled(name, func(f *hosts.Facts) { f.Firewall = firewall })(in)
	}
}
