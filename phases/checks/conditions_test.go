package checks

import (
	"slices"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/view"
)

// wellFacts are those of a host with which all is well, as far as these checks look.
func wellFacts(host cluster.Host) hosts.Facts {
	return hosts.Facts{
		Hostname: host.Name, Kernel: "6.1.0", Memory: 8 << 30, SystemUUID: "uuid-of-" + host.Name,
		Interfaces:  []hosts.Link{{Name: "eth0", MAC: "52:54:00:00:00:" + host.Address()[len(host.Address())-1:] + "0", Addresses: []string{host.Address() + "/24"}}},
		Disks:       []hosts.Disk{{Path: "/", Free: 40 << 30, Size: 50 << 30, Inodes: 1000, InodesFree: 900}},
		Modules:     map[string]bool{},
		Sysctls:     map[string]string{"net.ipv4.ip_forward": "0"},
		NameServers: []string{"192.0.2.53"}, Resolver: "/etc/resolv.conf",
		Conditions: &hosts.Conditions{
			Modules: map[string]bool{"overlay": true}, Mounts: map[string]hosts.Mount{"/etc": {At: "/"}, manifests.ProcSys: {At: "/proc"}},
			TimeKeeper: "chrony.service", Localhost: []string{"127.0.0.1"}, RouteTo: map[string]string{"10.0.0.2": "eth0"},
		},
	}
}

// TestEachConditionIsFound: with which all is well finds nothing, and each of these changes is found by its check.
func TestEachConditionIsFound(t *testing.T) {
	type machine struct {
		c     *cluster.Cluster
		facts *hosts.Facts
		other *hosts.Facts
	}
	mount := func(place string, mount hosts.Mount) func(machine) {
		return func(m machine) { m.facts.Conditions.Mounts[place] = mount }
	}
	for name, test := range map[string]struct {
		change func(machine)
		check  string
		severe Severity
		want   []string
	}{
		"a module that there is not": {func(m machine) { m.facts.Conditions.Modules["br_netfilter"] = false },
			"SystemVerification-Modules", Error, []string{"no module br_netfilter", "/lib/modules/6.1.0"}},
		"modules are locked": {func(m machine) {
			m.facts.Conditions.ModulesLocked, m.facts.Conditions.Modules["overlay"] = true, false
		}, "SystemVerification-Modules", Error, []string{"modules_disabled", "printf '%s\\n' overlay >> /etc/modules-load.d/kubernetes-extra.conf"}},
		"a module that is locked in": {func(m machine) { m.facts.Conditions.ModulesLocked = true }, "SystemVerification-Modules", "", nil},
		"parameters that nobody can set": {mount(manifests.ProcSys, hosts.Mount{At: "/proc/sys", ReadOnly: true}),
			"FileContent--proc-sys-net-ipv4-ip_forward", Error, []string{"net.ipv4.ip_forward is 0 and has to be 1"}},
		"no mount program":           {func(m machine) { m.facts.Conditions.MissingPrograms = []string{"mount"} }, "FileExisting-mount", Error, []string{"util-linux"}},
		"no losetup":                 {func(m machine) { m.facts.Conditions.MissingPrograms = []string{"losetup"} }, "FileExisting-losetup", Warning, []string{"block volumes"}},
		"read-only":                  {mount("/etc", hosts.Mount{At: "/", ReadOnly: true}), "MountOptions", Error, []string{"at / is read-only", "writes to /etc", "remount,rw /"}},
		"noexec":                     {mount(bundle.ComponentsFolder, hosts.Mount{At: "/opt", NoExec: true}), "MountOptions", Error, []string{"at /opt is mounted noexec", "remount,exec /opt"}},
		"noexec for volumes":         {mount(manifests.KubeletFolder, hosts.Mount{At: "/var", NoExec: true}), "MountOptions", Warning, []string{"emptyDir"}},
		"noexec elsewhere":           {mount("/etc", hosts.Mount{At: "/etc", NoExec: true, NoSUID: true}), "MountOptions", "", nil},
		"no time server":             {func(m machine) { m.facts.Conditions.Unsynchronized, m.facts.Conditions.TimeKeeper = true, "" }, "NTP", Warning, []string{"timedatectl set-ntp true"}},
		"a time server that is away": {func(m machine) { m.facts.Conditions.Unsynchronized = true }, "NTP", Warning, []string{"though chrony.service runs"}},
		"a copied firmware":          {func(m machine) { m.other.SystemUUID = "UUID-of-cp-1" }, "ProductUUID", Warning, []string{"of w-1 too"}},
		"a copied MAC":               {func(m machine) { m.other.Interfaces[0].MAC = m.facts.Interfaces[0].MAC }, "MACAddress", Error, []string{"of w-1 too"}},
		"a host name that is kept": {func(m machine) { m.c.Hosts[0].Hostname, m.other.Hostname = cluster.HostnameKeep, "CP-1" },
			"Hostname", Warning, []string{"as w-1 does", "hostnamectl set-hostname cp-1"}},
		"a host name that is set":  {func(m machine) { m.other.Hostname = "cp-1" }, "Hostname", "", nil},
		"no localhost":             {func(m machine) { m.facts.Conditions.Localhost = nil }, "HostsFile", Warning, []string{"127.0.0.1 localhost"}},
		"localhost elsewhere":      {func(m machine) { m.facts.Conditions.Localhost = []string{"192.0.2.9"} }, "HostsFile", Warning, []string{"to 192.0.2.9"}},
		"somebody has its address": {func(m machine) { m.facts.Conditions.Conflicts = map[string]string{"10.0.0.1": "aa:bb:cc:dd:ee:ff"} }, "AddressConflict", Error, []string{"aa:bb:cc:dd:ee:ff"}},
		"a neighbour had its address of IPv6 before": {func(m machine) {
			m.c.Hosts[0].Addresses = append(m.c.Hosts[0].Addresses, "fd00::1")
			m.facts.Interfaces[0].Addresses = append(m.facts.Interfaces[0].Addresses, "fd00::1/64")
			m.facts.Interfaces[0].Duplicates = []string{"fd00::1/64"}
		}, "AddressConflict", Error, []string{"its address fd00::1 on eth0 already", "ndisc6 fd00::1 eth0"}},
		"a leased address":          {func(m machine) { m.facts.Interfaces[0].Leased = []string{"10.0.0.1/24"} }, "LeasedAddress", Warning, []string{"10.0.0.1 on eth0 is leased"}},
		"another address is leased": {func(m machine) { m.facts.Interfaces[0].Leased = []string{"10.0.0.7/24"} }, "LeasedAddress", "", nil},
		"others by a tunnel": {func(m machine) {
			m.facts.Conditions.RouteTo["10.0.0.2"] = "wg0"
			m.facts.Interfaces = append(m.facts.Interfaces, hosts.Link{Name: "wg0", Kind: "wireguard"})
		}, "HostRoute", Warning, []string{"w-1 are reached by wg0, a tunnel (wireguard)"}},
		"too many search domains": {func(m machine) { m.facts.SearchDomains = slices.Repeat([]string{"a.example"}, 30) }, "SearchDomains", Warning, []string{"30 search domains"}},
		"a proxy for hosts": {func(m machine) {
			m.facts.Conditions.Proxy = map[string]string{"https_proxy": "http://proxy:3128", "no_proxy": "10.96.0.0/12,10.244.0.0/16"}
		}, "HTTPProxy", Warning, []string{"the proxy proxy:3128", "10.0.0.1:6443", "NO_PROXY"}},
		"a proxy for subnets": {func(m machine) {
			m.facts.Conditions.Proxy = map[string]string{"https_proxy": "http://proxy:3128", "no_proxy": "10.0.0.0/24"}
		}, "HTTPProxyCIDR", Warning, []string{"10.244.0.0/16, 10.96.0.0/12"}},
		"a proxy for many hosts": {func(m machine) {
			for _, last := range strings.Split("3 4 5 6 7 8 9", " ") {
				m.c.Hosts = append(m.c.Hosts, cluster.Host{Name: "cp-" + last, Addresses: []string{"10.0.0." + last}, Roles: m.c.Hosts[0].Roles})
			}
			m.facts.Conditions.Proxy = map[string]string{"https_proxy": "http://proxy:3128", "no_proxy": "10.96.0.0/12,10.244.0.0/16"}
		}, "HTTPProxy", Warning, []string{"add 10.0.0.200,10.0.0.1,10.0.0.3,10.0.0.4,10.0.0.5,10.0.0.6,10.0.0.7,10.0.0.8,10.0.0.9 to NO_PROXY"}},
		"a proxy with exceptions": {func(m machine) {
			m.facts.Conditions.Proxy = map[string]string{"https_proxy": "http://proxy:3128", "no_proxy": "10.0.0.0/8"}
		}, "HTTPProxy", "", nil},
		"processes that are left": {func(m machine) { m.facts.Conditions.Leftovers.Processes = []hosts.Process{{PID: 77, Name: "etcd"}} }, "Leftovers", Error, []string{"etcd (77)", "kill 77"}},
		"many processes that are left": {func(m machine) {
			for pid := range 9 {
				m.facts.Conditions.Leftovers.Processes = append(m.facts.Conditions.Leftovers.Processes, hosts.Process{PID: 71 + pid, Name: "etcd"})
			}
		}, "Leftovers", Error, []string{"and 3 more", "kill 71 72 73 74 75 76 77 78 79;"}},
		"many mounts that are left": {func(m machine) { m.facts.Conditions.Leftovers.Mounts = strings.Split("/a /b /c /d /e /f /g /h", " ") },
			"Leftovers", Error, []string{"and 2 more", "(umount /a /b /c /d /e /f /g /h)"}},
		"links that are left":  {func(m machine) { m.facts.Conditions.Leftovers.Links = []string{"cni0"} }, "Leftovers", Error, []string{"ip link delete cni0"}},
		"mounts that are left": {func(m machine) { m.facts.Conditions.Leftovers.Mounts = []string{"/var/lib/kubelet/pods/x"} }, "Leftovers", Error, []string{"umount /var/lib/kubelet/pods/x"}},
		"rules that are left":  {func(m machine) { m.facts.Conditions.Leftovers.Tables = []string{"ip kube-proxy"} }, "Leftovers", Warning, []string{"nft delete table ip kube-proxy"}},
		"units that are left": {func(m machine) {
			m.facts.Conditions.Leftovers.Units = []string{"/etc/systemd/system/multi-user.target.wants/kubelet.service"}
		}, "Leftovers", Warning, []string{"rm /etc/systemd"}},
		"few inodes":   {func(m machine) { m.facts.Disks[0].InodesFree = 10 }, "Disk", Warning, []string{"10 of 1000 inodes", "less than 5% are free"}},
		"little space": {func(m machine) { m.facts.Disks[0].Free = 4 << 30 }, "Disk", Warning, []string{"less than 10% is free"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := testCluster("cp-1", "w-1")
			facts, other := wellFacts(c.Hosts[0]), wellFacts(c.Hosts[1])
			v := view.View{Cluster: c, Facts: map[string]hosts.Facts{"cp-1": facts, "w-1": other}, Workflow: view.Init}
			base, _, _ := strings.Cut(test.check, "--")
			for _, known := range []string{"FileExisting-", "FileContent-"} {
				if strings.HasPrefix(base, known) {
					base = strings.TrimSuffix(known, "-")
				}
			}
			on := func() []Finding {
				return slices.DeleteFunc(Some(view.Init, v, base), func(f Finding) bool { return f.Host != "cp-1" })
			}
			if before := on(); len(before) > 0 {
				t.Fatalf("all is well, and there is %v", before)
			}
			test.change(machine{c, &facts, &other})
			v.Facts["cp-1"], v.Facts["w-1"] = facts, other
			found := on()
			if test.want == nil {
				if len(found) > 0 {
					t.Fatalf("found %v", found)
				}
				return
			}
			at := slices.IndexFunc(found, func(f Finding) bool { return f.Check == test.check && f.Severity == test.severe })
			if at < 0 {
				t.Fatalf("not found by %s as %s: %v", test.check, test.severe, found)
			}
			for _, want := range test.want {
				if !slices.ContainsFunc(found, func(f Finding) bool { return strings.Contains(f.String(), want) }) {
					t.Errorf("%q is not in %v", want, found)
				}
			}
		})
	}
}

// TestMemoryByRole: a worker and a load balancer need less than a control plane.
func TestMemoryByRole(t *testing.T) {
	c := testCluster("cp-1", "w-1")
	v := view.View{Cluster: c, Facts: map[string]hosts.Facts{"cp-1": {Memory: 8 << 30}, "w-1": {Memory: 512 << 20}}}
	found := Some(view.Init, v, "Mem")
	if len(found) != 1 || found[0].Host != "w-1" || found[0].Severity != Warning {
		t.Errorf("%v", found)
	}
}
