package phases

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/certs/mint"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/view"
)

func TestPreflightFindsNothingOnOrdinaryHosts(t *testing.T) {
	w := newWorld(t, 3, 2)
	in := w.observe()
	for name, facts := range in.Facts {
		facts.Swaps = nil
		in.Facts[name] = facts
	}
	if problems := checks.Preflight(view.Init, in.View); len(problems) > 0 {
		t.Errorf("problems: %v", problems)
	}
}

func TestPreflight(t *testing.T) {
	on := func(name string, change func(*hosts.Facts)) func(*Input) {
		return func(in *Input) {
			facts := in.Facts[name]
			change(&facts)
			in.Facts[name] = facts
		}
	}
	unmanaged := func(spoil func(*Input)) func(*Input) {
		return func(in *Input) {
			in.Cluster.Firewall.Manage = new(false)
			spoil(in)
		}
	}
	tests := []struct {
		name    string
		spoil   func(*Input)
		check   string
		host    string
		warning bool
		detail  string
		fix     string
	}{
		{"a host that cannot be reached", func(in *Input) {
			delete(in.Facts, "w-1")
			in.Unreached["w-1"] = &hosts.Error{Kind: hosts.KindHostKeyChanged, Op: "connect", Err: errors.New("key differs")}
		}, "Connection", "w-1", false, "key differs", "ssh-keygen -R"},
		{"a file system that does not answer", on("w-1", func(f *hosts.Facts) {
			f.Unanswered = []hosts.Unanswered{{What: "disks", At: "/opt", Seconds: 10}}
			f.Disks = nil
		}), "Answers", "w-1", false, "disks: no answer at /opt in 10 s", "findmnt -T /opt"},
		{"a daemon that does not answer", on("cp-1", func(f *hosts.Facts) {
			f.Unanswered = []hosts.Unanswered{{What: "images", At: "containerd", Seconds: 10}}
		}), "Answers", "cp-1", false, "containerd", "systemctl status"},
		{"not root", on("w-1", func(f *hosts.Facts) { f.User = "ann" }), "IsPrivilegedUser", "w-1", false, "as ann", "sudo or doas"},
		{"CentOS 7's kernel", on("cp-1", func(f *hosts.Facts) { f.Kernel = "3.10.0-1160.el7.x86_64" }), "SystemVerification-Kernel", "cp-1", false, "3.10.0", "newer release"},
		{"CentOS 8's kernel", on("cp-1", func(f *hosts.Facts) { f.Kernel = "4.18.0-553.el8" }), "SystemVerification-Kernel", "cp-1", true, "tested with 5.4", ""},
		{"CentOS 9's kernel", on("cp-1", func(f *hosts.Facts) { f.Kernel = "5.14.0-503.el9" }), "", "", false, "", ""},
		{"an old systemd", on("cp-1", func(f *hosts.Facts) { f.Systemd.Version = 219 }), "SystemVerification-Systemd", "cp-1", false, "219", "newer release"},
		{"no systemd", on("cp-1", func(f *hosts.Facts) { f.Systemd = hosts.Systemd{} }), "SystemVerification-Systemd", "cp-1", false, "does not run", ""},
		{"a system that is still starting", on("cp-1", func(f *hosts.Facts) { f.Systemd.State = "starting" }), "SystemVerification-Systemd", "cp-1", true, "starting", "list-jobs"},
		{"no memory controller", on("w-1", func(f *hosts.Facts) { f.Cgroup.Controllers = []string{"cpu", "cpuset", "pids"} }), "SystemVerification-Cgroups", "w-1", false, "memory", "cgroup_enable"},
		{"another architecture", on("w-1", func(f *hosts.Facts) { f.Arch = "arm64" }), "Platform", "w-1", false, "linux/arm64", "linux/arm64"},
		{"a bundle of another version", func(in *Input) { in.Bill.KubernetesVersion = "v1.35.1" }, "KubernetesVersion", "", false, "v1.35.1", "v1.35.1"},
		{"one CPU for a control plane", on("cp-1", func(f *hosts.Facts) { f.CPUs = 1 }), "NumCPU", "cp-1", false, "1 CPU", ""},
		{"one CPU for a worker", on("w-1", func(f *hosts.Facts) { f.CPUs = 1 }), "", "", false, "", ""},
		{"little memory for a control plane", on("cp-1", func(f *hosts.Facts) { f.Memory = 1 << 30 }), "Mem", "cp-1", false, "1024 MiB", ""},
		{"a full disk", on("w-1", func(f *hosts.Facts) { f.Disks = []hosts.Disk{{Path: "/", Free: 10, Size: 1 << 40}} }), "Disk", "w-1", false, "10 B free", "df -h"},
		{"a disk that fills up", on("w-1", func(f *hosts.Facts) { f.Disks = []hosts.Disk{{Path: "/", Free: 1 << 20, Size: 1 << 40}} }), "Disk", "w-1", true, "evicts", "df -h"},
		{"a wrong address", on("w-1", func(f *hosts.Facts) { f.Interfaces = []hosts.Link{{Name: "e", Addresses: []string{"10.9.9.9/8"}}} }), "HostAddress", "w-1", false, "10.0.1.1", "10.9.9.9"},
		{"a taken port", on("cp-1", func(f *hosts.Facts) { f.Listeners = map[int]string{6443: "nginx (pid 7)"} }), "Port-6443", "cp-1", false, "6443 is taken by nginx", "ss -ltnp"},
		{"an API port on a worker", on("w-1", func(f *hosts.Facts) { f.Listeners = map[int]string{6443: "nginx (pid 7)"} }), "", "", false, "", ""},
		{"a kubelet of others", on("w-1", func(f *hosts.Facts) {
			f.Foreign = []hosts.Foreign{{What: "docker", Detail: "docker.service", Fix: "apt remove"}}
		}), "ForeignSoftware", "w-1", false, "docker.service", "apt remove"},
		{"another cluster's host", on("w-1", func(f *hosts.Facts) { f.Record = &hosts.Record{Cluster: hosts.Identity{ID: "abc", Name: "old"}} }), "Membership", "w-1", false, "cluster old", "slipway reset"},
		{"another cluster's CA", on("w-1", func(f *hosts.Facts) {
			other, _ := mint.PKI("ECDSA-P256", time.Hour, noon)
			f.Certificates = map[string]hosts.Certificate{certs.Kubernetes.CertPath(): {PEM: other.CA.Cert}}
		}), "CertificateAuthority", "w-1", false, "another cluster's CA", "kubeadm reset"},
		{"a clock that is off", on("w-1", func(f *hosts.Facts) { f.Time = f.Time.Add(10 * time.Second) }), "Clock", "w-1", true, "10s away", "set-ntp"},
		{"a clock that is far off", on("w-1", func(f *hosts.Facts) { f.Time = f.Time.Add(time.Hour) }), "Clock", "w-1", false, "1h0m0s away", "set-ntp"},
		{"a host that was looked at late", func(in *Input) {
			on("w-1", func(f *hosts.Facts) { f.Time = f.Time.Add(20 * time.Second) })(in)
			in.Observed = map[string]time.Time{"w-1": noon.Add(20 * time.Second), "cp-1": noon}
		}, "", "", false, "", ""},
		{"swap", on("w-1", func(f *hosts.Facts) { f.Swaps = []string{"/dev/sdb"} }), "Swap", "w-1", true, "/dev/sdb", ""},
		{"SELinux", on("w-1", func(f *hosts.Facts) { f.SELinux = "enforcing" }), "", "", false, "", ""},
		{"SELinux without its programs", on("w-1", func(f *hosts.Facts) {
			f.SELinux, f.SELinuxPolicy.Lacks = "enforcing", []string{"restorecon"}
		}), "SELinux", "w-1", false, "there is no restorecon", "install policycoreutils"},
		{"firewalld", on("cp-1", func(f *hosts.Facts) { f.Firewall = "firewalld" }), "", "", false, "", ""},
		{"firewalld that is left alone", unmanaged(on("cp-1", func(f *hosts.Facts) { f.Firewall = "firewalld" })), "Firewalld", "cp-1", true, "firewall.manage is false", "--add-port=6443/tcp"},
		{"firewalld and flannel's port", unmanaged(on("cp-1", func(f *hosts.Facts) { f.Firewall = "firewalld" })), "Firewalld", "cp-1", true, "firewalld",
			`'rule family="ipv4" source address="10.0.0.0/16" port port="8472" protocol="udp" accept'`},
		{"firewalld that is too old", on("w-1", func(f *hosts.Facts) { f.Firewall, f.FirewallState.Version = "firewalld", "0.8.2" }), "Firewalld", "w-1", true, "0.8.2 is too old", "--add-port=30000-32767/tcp"},
		{"firewalld that does not answer", on("w-1", func(f *hosts.Facts) { f.Firewall, f.FirewallState.Problem = "firewalld", "no reply" }), "Firewalld", "w-1", false, "no reply", "systemctl status firewalld"},
		{"firewalld with settings that a reload ends", on("w-1", func(f *hosts.Facts) {
			f.Firewall, f.FirewallState.Unsaved = "firewalld", []string{"zone public, services: http"}
		}), "Firewalld", "w-1", false, "zone public, services: http", "--runtime-to-permanent"},
		{"firewalld with settings that a reload brings into force", on("w-1", func(f *hosts.Facts) {
			f.Firewall, f.FirewallState.Unloaded = "firewalld", []string{"zone public, services: ssh"}
		}), "Firewalld", "w-1", true, "zone public, services: ssh", "--permanent"},
		{"firewalld that is too old to be asked", on("w-1", func(f *hosts.Facts) {
			f.Firewall, f.FirewallState.Version, f.FirewallState.Problem = "firewalld", "0.8.2", "ask firewalld (zone.getZoneSettings2): unknown method"
		}), "Firewalld", "w-1", true, "0.8.2 is too old", "--add-port=30000-32767/tcp"},
		{"firewalld with iptables", on("w-1", func(f *hosts.Facts) { f.Firewall, f.FirewallState.Flushes = "firewalld", true }), "Firewalld", "w-1", true, "takes kube-proxy's and flannel's rules away", "FirewallBackend=nftables"},
		{"firewalld with a zone for a set of addresses", on("w-1", func(f *hosts.Facts) {
			f.Firewall, f.FirewallState.Sources = "firewalld", map[string]string{"ipset:lan": "dmz", "10.0.0.0/16": "internal"}
		}), "Firewalld", "w-1", true, "zone dmz takes what comes from ipset:lan", "--zone=dmz --add-rich-rule="},
		{"ufw and flannel's port", unmanaged(on("w-1", func(f *hosts.Facts) { f.Firewall = "ufw" })), "Ufw", "w-1", true, "ufw", "to any port 8472 proto udp"},
		{"rules by hand", on("w-1", func(f *hosts.Facts) {
			f.Filters = []hosts.Filter{{Tool: "iptables", Table: "filter", Chain: "INPUT", Hook: "input"}}
		}), "Firewall", "w-1", true, "iptables table filter, chain INPUT drops what no rule lets in", "iptables -I INPUT -p udp --dport 30000:32767 -j ACCEPT"},
		{"an audit policy that is not there", audited(""), "FileExisting--etc-kubernetes-audit.yaml", "cp-1", false, "audit-policy-file of apiServer needs the file /etc/kubernetes/audit.yaml", "/etc/kubernetes/audit.yaml"},
		{"a folder in the audit policy's place", audited(hosts.TypeDirectory), "FileExisting--etc-kubernetes-audit.yaml", "cp-1", false, "/etc/kubernetes/audit.yaml", ""},
		{"an audit policy that is there", audited(hosts.TypeFile), "", "", false, "", ""},
		{"ufw", on("w-1", func(f *hosts.Facts) { f.Firewall = "ufw" }), "", "", false, "", ""},
		{"no overlay", on("w-1", func(f *hosts.Facts) { f.OverlayFS = false }), "SystemVerification-OverlayFS", "w-1", true, "copies", "ftype=1"},
		{"no packet filter", on("w-1", func(f *hosts.Facts) { f.NFTables, f.IPTables = false, false }), "SystemVerification-PacketFilter", "w-1", false, "neither", "nf_tables"},
		{"etcd's data of unknown origin", on("cp-1", func(f *hosts.Facts) { f.Files[view.EtcdLog] = hosts.File{Type: hosts.TypeDirectory} }), "DirAvailable--var-lib-etcd", "cp-1", false, "did not make", "mv /var/lib/etcd"},
		{"the same machine twice", func(in *Input) {
			on("w-1", func(f *hosts.Facts) {
				f.MachineID, f.Interfaces = in.Facts["cp-1"].MachineID, slices.Clone(f.Interfaces)
				f.Interfaces[1].MAC = in.Facts["cp-1"].Interfaces[1].MAC
			})(in)
		}, "Machine", "w-1", false, "same machine as cp-1", "ssh.host"},
		{"a copied machine", func(in *Input) {
			on("w-1", func(f *hosts.Facts) {
				f.MachineID = in.Facts["cp-1"].MachineID
				f.Interfaces = []hosts.Link{{Name: "e", MAC: "52:54:00:00:00:99", Addresses: []string{"10.0.1.1/16"}}}
			})(in)
		}, "MachineID", "w-1", false, "machine-id of cp-1", "rm -f /etc/machine-id /var/lib/dbus/machine-id && systemd-machine-id-setup"},
		{"a network in the Pod subnet", on("w-1", withLink("eth1", "10.244.7.9/16")), "AddressPlan", "w-1", false, "interface eth1 has 10.244.7.9/16, which lies inside the Pod subnet 10.244.0.0/16", "networking"},
		{"a network in the Service subnet", on("w-1", withLink("wg0", "10.100.3.1/24")), "AddressPlan", "w-1", false, "wg0 has 10.100.3.1/24, which lies inside the Service subnet", "networking"},
		{"a network that the Pod subnet lies in", on("w-1", withLink("eth1", "10.200.0.1/9")), "AddressPlan", "w-1", true, "has the Pod subnet 10.244.0.0/16 within it", "networking"},
		{"a network that an address of the Pod subnet is of", on("w-1", withLink("eth1", "10.244.7.9/8")), "AddressPlan", "w-1", false, "inside the Pod subnet", "networking"},
		{"a container engine's bridge", on("w-1", withLink("docker0", "172.17.0.1/16")), "", "", false, "", ""},
		{"what an older flannel left", on("w-1", withLink("cni0", "10.244.3.1/24")), "", "", false, "", ""},
		{"a route into the Pod subnet", on("w-1", withRoute("10.244.9.0/24", "192.0.2.1", "tun0")), "AddressPlan", "w-1", false, "route to 10.244.9.0/24 leads out of tun0", "networking"},
		{"a route that the subnets lie in", on("w-1", withRoute("10.0.0.0/8", "192.0.2.1", "eth0")), "AddressPlan", "w-1", true, "has the Pod subnet 10.244.0.0/16 within it", "such machines"},
		{"half of the default route", on("w-1", withRoute("0.0.0.0/1", "192.0.2.1", "tun0")), "", "", false, "", ""},
		{"a route of flannel's", on("w-1", withRoute("10.244.9.0/24", "10.244.9.0", "flannel.1")), "", "", false, "", ""},
		{"a route to another node's Pods", on("w-1", withRoute("10.244.9.0/24", "10.0.0.1", "eth0")), "", "", false, "", ""},
		{"a name server in the Service subnet", on("w-1", func(f *hosts.Facts) { f.NameServers = []string{"10.100.0.53"} }), "AddressPlan", "w-1", false, "name server 10.100.0.53 lies inside the Service subnet 10.96.0.0/12", "networking"},
		{"no name server on one host", on("w-1", func(f *hosts.Facts) { f.NameServers = nil }), "NameServers", "w-1", false, "/etc/resolv.conf names no name server, and CoreDNS", "resolvConf"},
		{"no resolv.conf on one host", on("w-1", func(f *hosts.Facts) { f.Resolver, f.NameServers = "", nil }), "NameServers", "w-1", false, "there is no /etc/resolv.conf", "to /etc/resolv.conf"},
		{"a resolver on one host's loopback", on("w-1", func(f *hosts.Facts) { f.NameServers = []string{"127.0.0.1", "::1"} }), "NameServers", "w-1", false, "names only 127.0.0.1, ::1, which a Pod cannot reach", "resolvConf"},
		{"a second server on the loopback", on("w-1", func(f *hosts.Facts) { f.NameServers = []string{"127.0.0.1", "192.0.2.53"} }), "", "", false, "", ""},
		{"no name server at all", func(in *Input) {
			for name := range in.Facts {
				on(name, func(f *hosts.Facts) { f.NameServers = nil })(in)
			}
		}, "NameServers", "", true, "CoreDNS will answer for the cluster's own names alone", "forward . /etc/resolv.conf"},
		{"another resolv.conf for the kubelets", func(in *Input) {
			in.Cluster.Kubelet = map[string]any{"resolvConf": "/etc/pods-resolv.conf"}
			for name := range in.Facts {
				on(name, func(f *hosts.Facts) {
					f.NameServers, f.Contents = nil, map[string][]byte{"/etc/pods-resolv.conf": []byte("nameserver 192.0.2.53\n")}
				})(in)
			}
		}, "", "", false, "", ""},
		{"no way to Services", on("w-1", func(f *hosts.Facts) { f.RouteTo = map[string]string{} }), "ServiceRoute", "w-1", true, "no route for Service addresses (10.96.0.0/12)", "ip route add 10.96.0.0/12 dev eth0"},
		{"no way to Services of version 6", func(in *Input) {
			in.Cluster.Networking.ServiceSubnets = []string{"10.96.0.0/12", "fd00:2::/112"}
			on("w-1", func(f *hosts.Facts) { f.RouteTo = map[string]string{"10.96.0.10": "eth0"} })(in)
		}, "ServiceRoute", "w-1", true, "no route for Service addresses (fd00:2::/112)", "ip -6 route add fd00:2::/112 dev eth0"},
		{"a file that undoes forwarding at boot", on("w-1", boot(hosts.Boot{Sysctls: map[string]hosts.BootSetting{"net.ipv4.ip_forward": {Value: "0", File: "/etc/sysctl.d/99-sysctl.conf"}}})), "NextBoot", "w-1", true, "/etc/sysctl.d/99-sysctl.conf sets net.ipv4.ip_forward to 0", "take the line out"},
		{"a file that is read before ours", on("w-1", boot(hosts.Boot{Sysctls: map[string]hosts.BootSetting{"net.ipv4.ip_forward": {Value: "0", File: "/usr/lib/sysctl.d/50-default.conf"}}})), "", "", false, "", ""},
		{"a file that says the same", on("w-1", boot(hosts.Boot{Sysctls: map[string]hosts.BootSetting{"net.ipv4.ip_forward": {Value: "1", File: "/etc/sysctl.d/zz.conf"}}})), "", "", false, "", ""},
		{"a limit that is raised further at boot", on("w-1", boot(hosts.Boot{Sysctls: map[string]hosts.BootSetting{"fs.inotify.max_user_watches": {Value: "1048576", File: "/etc/sysctl.d/zz.conf"}}})), "", "", false, "", ""},
		{"a limit that is lowered at boot", on("w-1", boot(hosts.Boot{Sysctls: map[string]hosts.BootSetting{"fs.inotify.max_user_watches": {Value: "8192", File: "/etc/sysctl.d/zz.conf"}}})), "NextBoot", "w-1", true, "max_user_watches to 8192", ""},
		{"a module that is not loaded at boot", on("w-1", boot(hosts.Boot{Barred: map[string]hosts.BarredModule{"br_netfilter": {File: "/etc/modprobe.d/x.conf"}}})), "NextBoot", "w-1", true, "/etc/modprobe.d/x.conf keeps the kernel module br_netfilter from being loaded at boot", "x.conf"},
		{"a module that is never loaded", on("w-1", boot(hosts.Boot{Barred: map[string]hosts.BarredModule{"br_netfilter": {File: "/etc/modprobe.d/x.conf", Always: true}}})), "NextBoot", "w-1", false, "which Kubernetes needs", "x.conf"},
		{"who writes /etc/hosts, where it has no line of ours", on("w-1", boot(hosts.Boot{HostsWriter: "/etc/cloud/cloud.cfg"})), "", "", false, "", ""},
		{"who writes /etc/hosts", func(in *Input) {
			in.Cluster.Endpoint = cluster.Endpoint{Mode: cluster.EndpointLocal, Host: "api.try.internal", Port: 16443}
			on("w-1", boot(hosts.Boot{HostsWriter: "/etc/cloud/cloud.cfg"}))(in)
		}, "NextBoot", "w-1", true, "cloud-init writes /etc/hosts anew (manage_etc_hosts in /etc/cloud/cloud.cfg)", "have the DNS know api.try.internal"},
		{"a vendor of clouds who writes /etc/hosts", func(in *Input) {
			in.Cluster.Endpoint = cluster.Endpoint{Mode: cluster.EndpointLocal, Host: "api.try.internal", Port: 16443}
			on("w-1", boot(hosts.Boot{HostsWriter: "/var/lib/cloud/instance/vendor-cloud-config.txt"}))(in)
		}, "NextBoot", "w-1", true, "manage_etc_hosts in /var/lib/cloud/instance/vendor-cloud-config.txt", "to false in the machine's user data"},
		{"who writes /etc/hosts, where the user has a line for the endpoint", func(in *Input) {
			in.Cluster.Endpoint = cluster.Endpoint{Mode: cluster.EndpointExternal, Host: "api.try.internal", Port: 6443}
			on("w-1", boot(hosts.Boot{HostsWriter: "/etc/cloud/cloud.cfg", HostsNames: []string{"api.try.internal"}}))(in)
		}, "NextBoot", "w-1", true, "without the line that it has for api.try.internal now", "/etc/cloud/templates/hosts.*.tmpl"},
		{"who writes /etc/hosts, where the user has a line for his etcd", func(in *Input) {
			in.Cluster.Etcd.External = &cluster.ExternalEtcd{Endpoints: []string{"https://etcd.try.internal:2379"}}
			on("cp-1", boot(hosts.Boot{HostsWriter: "/etc/cloud/cloud.cfg", HostsNames: []string{"etcd.try.internal"}}))(in)
		}, "NextBoot", "cp-1", true, "without the line that it has for etcd.try.internal now", "have the DNS know etcd.try.internal"},
		{"who writes /etc/hosts, where the user has other lines", on("w-1", boot(hosts.Boot{HostsWriter: "/etc/cloud/cloud.cfg", HostsNames: []string{"cp-1"}})), "", "", false, "", ""},
		{"name servers that do not answer", func(in *Input) {
			in.Cluster.Endpoint = cluster.Endpoint{Mode: cluster.EndpointLocal, Host: "api.try.internal", Port: 16443}
			on("w-1", func(f *hosts.Facts) {
				f.Unresolved = map[string]string{"api.try.internal": "no answer within 6 s"}
				f.Units[manifests.KubeletUnit] = hosts.Unit{Load: "loaded", Active: "active", Inputs: "sha256:x"}
			})(in)
		}, "EndpointName", "w-1", true, "the endpoint's name api.try.internal cannot be looked up now (no answer within 6 s)", "getent hosts api.try.internal"},
		{"a name server that fails for the user's own endpoint", func(in *Input) {
			in.Cluster.Endpoint = cluster.Endpoint{Mode: cluster.EndpointExternal, Host: "api.try.internal", Port: 6443}
			on("w-1", func(f *hosts.Facts) {
				f.Unresolved = map[string]string{"api.try.internal": "the name server 10.0.0.53:53 failed: server misbehaving"}
			})(in)
			on("cp-1", func(f *hosts.Facts) { f.Names = map[string][]string{"api.try.internal": {"10.0.9.9"}} })(in)
		}, "EndpointName", "w-1", false, "api.try.internal cannot be looked up now (the name server 10.0.0.53:53 failed: server misbehaving)", "getent hosts api.try.internal"},
		{"a firewall of the next boot", unmanaged(on("w-1", boot(hosts.Boot{Firewall: "ufw"}))), "Ufw", "w-1", true, "ufw does not run now, but will after the next boot", "port 10250 proto tcp"},
		{"a host that the file does not have", func(in *Input) { in.Hosts = []string{"w-7"} }, "Hosts", "", false, "w-7", "cluster file"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			in := newWorld(t, 1, 1).observe()
			for name := range in.Facts {
				on(name, func(f *hosts.Facts) { f.Swaps = nil })(&in)
			}
			test.spoil(&in)
			for name := range in.Facts {
				in.Facts[name] = sent(t, in.Facts[name])
			}
			problems := checks.Preflight(view.Init, in.View)
			if test.check == "" {
				if len(problems) > 0 {
					t.Errorf("problems: %v", problems)
				}
				return
			}
			for _, p := range problems {
				if err := checks.MayIgnore(view.Init, []string{p.Check}); err != nil && strings.Contains(err.Error(), "there is no check") {
					t.Errorf("what is told cannot be named to --ignore-checks: %v", err)
				}
				if p.Check == test.check && p.Host == test.host {
					if (p.Severity == checks.Warning) != test.warning || !strings.Contains(p.Seen, test.detail) || !strings.Contains(p.Fix, test.fix) {
						t.Errorf("got %+v", p)
					}
					return
				}
			}
			t.Errorf("not found among %v", problems)
		})
	}
}

// sent are facts as they come from a host: as JSON, which has no empty fields.
func sent(t *testing.T, facts hosts.Facts) (received hosts.Facts) {
	t.Helper()
	data, err := json.Marshal(facts)
	if err == nil {
		err = json.Unmarshal(data, &received)
	}
	if err != nil {
		t.Fatal(err)
	}
	return received
}

// TestNoWorkflowPlansByMissingFacts, whatever it is for; only a host that is removed for
// dead may be silent.
func TestNoWorkflowPlansByMissingFacts(t *testing.T) {
	for _, workflow := range []view.Workflow{view.Init, view.Join, view.Prepare, view.Reset, view.ImageLoad, view.Remove} {
		for _, silent := range []string{"w-1", "cp-1"} {
			in := newWorld(t, 1, 1).observe()
			in.Hosts = []string{"w-1"}
			facts := in.Facts[silent]
			facts.Unanswered = []hosts.Unanswered{{What: "files", At: "/opt", Seconds: 10}}
			in.Facts[silent] = facts
			told := slices.ContainsFunc(checks.Errors(checks.Preflight(workflow, in.View)), func(p checks.Finding) bool {
				return p.Check == "Answers" && p.Host == silent
			})
			if want := workflow != view.Remove || silent != "w-1"; told != want {
				t.Errorf("%s, and %s is silent: told is %v", workflow, silent, told)
			}
		}
	}
}

// TestOnlyWhatAWorkflowPlansByHoldsItUp: what else got no answer is told all the same.
func TestOnlyWhatAWorkflowPlansByHoldsItUp(t *testing.T) {
	for _, test := range []struct {
		workflow view.Workflow
		silent   string
		what     string
		want     checks.Severity
	}{
		{view.Reset, "cp-1", hosts.LookSync, checks.Warning},
		{view.Reset, "cp-1", hosts.LookSandboxes, checks.Warning},
		{view.Reset, "cp-1", "units", checks.Error},
		{view.Reset, "w-1", hosts.LookSync, checks.Warning},
		{view.Reset, "w-1", hosts.LookSandboxes, checks.Error},
		{view.Reset, "w-1", "files", checks.Error},
		{view.Remove, "cp-1", hosts.LookNames, checks.Warning},
		{view.Remove, "cp-1", "network", checks.Error},
		{view.Prepare, "cp-1", hosts.LookCgroups, checks.Warning},
		{view.Prepare, "w-1", hosts.LookCgroups, checks.Error},
		{view.Join, "cp-1", hosts.LookVirtualIP, checks.Warning},
		{view.Join, "cp-1", "contents", checks.Error},
		{view.Join, "w-1", hosts.LookNames, checks.Error},
		{view.ImageLoad, "w-1", hosts.LookDisks, checks.Warning},
		{view.ImageLoad, "w-1", hosts.LookImages, checks.Error},
		{view.ImageLoad, "cp-1", hosts.LookImages, checks.Warning},
		{view.Init, "cp-1", hosts.LookCgroups, checks.Error},
		{view.Init, "w-1", hosts.LookSync, checks.Error},
	} {
		in := newWorld(t, 1, 1).observe()
		in.Hosts = []string{"w-1"}
		facts := in.Facts[test.silent]
		facts.Unanswered = []hosts.Unanswered{{What: test.what, Seconds: 10}}
		in.Facts[test.silent] = facts
		told := keep(checks.Preflight(test.workflow, in.View), func(p checks.Finding) bool { return p.Check == "Answers" })
		if len(told) != 1 || told[0].Severity != test.want || told[0].Host != test.silent {
			t.Errorf("%s of w-1, %s: %s got no answer: %+v", test.workflow, test.silent, test.what, told)
		}
	}
}

func boot(next hosts.Boot) func(*hosts.Facts) {
	return func(f *hosts.Facts) { f.Boot = next }
}

// audited is a cluster whose API servers have an audit policy, which lies on cp-1 as this.
func audited(there hosts.FileType) func(*Input) {
	const policy = "/etc/kubernetes/audit.yaml"
	return func(in *Input) {
		c := *in.Cluster
		c.ExtraArgs.APIServer = []cluster.Arg{{Name: "audit-policy-file", Value: policy}}
		c.ExtraVolumes.APIServer = []cluster.HostPathMount{{Name: "audit", HostPath: policy, MountPath: policy, ReadOnly: true, PathType: "File"}}
		in.Cluster = &c
		if facts := in.Facts["cp-1"]; there != "" {
			facts.Files[policy] = hosts.File{Type: there}
		}
	}
}

func TestPreflightTellsEverythingAtOnce(t *testing.T) {
	in := newWorld(t, 1, 2).observe()
	for name, facts := range in.Facts {
		facts.User, facts.Arch, facts.Systemd = "ann", "arm64", hosts.Systemd{}
		in.Facts[name] = facts
	}
	in.Bill.KubernetesVersion = "v1.30.0"
	_, _, err := Init(in)
	var refused *checks.Refused
	if !errors.As(err, &refused) || len(checks.Errors(refused.Findings)) != 1+3*3 {
		t.Fatalf("refused for %v", err)
	}
	if refused.Findings[0].Host != "" || refused.Findings[1].Host != "cp-1" {
		t.Errorf("order: %v", refused.Findings)
	}
}
