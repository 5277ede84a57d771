package manifests

import (
	"path"
	"slices"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// Where things lie on a host. The places below /etc/kubernetes, /var/lib/kubelet and
// /var/lib/etcd are kubeadm's.
const (
	KubernetesFolder   = "/etc/kubernetes"
	ManifestsFolder    = "/etc/kubernetes/manifests"
	AdminConf          = "/etc/kubernetes/admin.conf"
	SuperAdminConf     = "/etc/kubernetes/super-admin.conf"
	ControllerConf     = "/etc/kubernetes/controller-manager.conf"
	SchedulerConf      = "/etc/kubernetes/scheduler.conf"
	KubeletConf        = "/etc/kubernetes/kubelet.conf"
	BootstrapKubelet   = "/etc/kubernetes/bootstrap-kubelet.conf"
	EtcdManifest       = "/etc/kubernetes/manifests/etcd.yaml"
	APIServerManifest  = "/etc/kubernetes/manifests/kube-apiserver.yaml"
	ControllerManifest = "/etc/kubernetes/manifests/kube-controller-manager.yaml"
	SchedulerManifest  = "/etc/kubernetes/manifests/kube-scheduler.yaml"

	// BillFile is the bill of materials of the bundle that is in force on a host.
	BillFile = "/var/lib/slipway/bundle.json"

	EtcdData = "/var/lib/etcd"
	// EtcdNotes is where a host notes, outside of etcd's data, how far its member has come.
	// EtcdMayBegin lets it start without data; etcd renames it to EtcdBegun when it has some.
	EtcdNotes    = "/var/lib/slipway/etcd"
	EtcdMayBegin = EtcdNotes + "/begin"
	EtcdBegun    = EtcdNotes + "/begun"

	KubeletFolder   = "/var/lib/kubelet"
	KubeletConfig   = "/var/lib/kubelet/config.yaml"
	KubeletInstance = "/var/lib/kubelet/instance-config.yaml"
	KubeletFlags    = "/var/lib/kubelet/kubeadm-flags.env"

	RootKubeFolder = "/root/.kube"
	RootKubeconfig = "/root/.kube/config"

	ContainerdConfig = "/etc/containerd/config.toml"
	ContainerdData   = "/var/lib/containerd"
	ContainerdRun    = "/run/containerd"
	CertsFolder      = "/etc/containerd/certs.d"
	ContainerdSocket = "/run/containerd/containerd.sock"
	CRISocket        = "unix://" + ContainerdSocket
	CrictlConfig     = "/etc/crictl.yaml"

	UnitsFolder    = "/etc/systemd/system"
	ContainerdUnit = "containerd.service"
	KubeletUnit    = "kubelet.service"
	HandoverUnit   = "etcd-handover.service"
	KubeletDropIn  = UnitsFolder + "/kubelet.service.d/10-kubeadm.conf"
	ScopeDropIn    = UnitsFolder + "/cri-containerd-.scope.d/10-slipway.conf" // of every container: systemd.unit(5), "truncated"

	HAProxyConfig = "/etc/haproxy/haproxy.cfg"
	HAProxyUnit   = "haproxy.service"
	// BalancerCA is the cluster's CA for haproxy and its check: a copy, since kubeadm join
	// refuses a host that has one in its own place already.
	BalancerCA       = "/etc/haproxy/ca.crt"
	KeepalivedConfig = "/etc/keepalived/keepalived.conf"
	KeepalivedUnit   = "keepalived.service"

	ModulesFile = "/etc/modules-load.d/slipway.conf"
	// SysctlFile is named to be read late: what a distribution sets before does not undo it.
	SysctlFile = "/etc/sysctl.d/99-slipway.conf"

	BinFolder     = "/opt/slipway/bin"
	Containerd    = BinFolder + "/containerd"
	Runc          = BinFolder + "/runc"
	Kube          = BinFolder + "/kube"
	Handover      = BinFolder + "/etcd-handover"
	Etcdutl       = BinFolder + "/etcdutl"
	KubeletBinary = "/usr/bin/kubelet"

	// ProcSys has the kernel's parameters.
	ProcSys = "/proc/sys"

	CNIBinFolder  = "/opt/cni/bin"
	CNIConfFolder = "/etc/cni/net.d"
	CNIConf       = CNIConfFolder + "/10-flannel.conflist"
	CNIState      = "/var/lib/cni"
	FlannelRun    = "/run/flannel"
	SubnetFile    = FlannelRun + "/subnet.env"
)

// ObjectPhases lists the phases of API objects in the order that serves a new cluster
// soonest: what Pods wait for comes first. Nothing in one needs another to have ended.
var ObjectPhases = []plan.Phase{
	plan.PhaseKubeletFinalize, plan.PhaseAddonFlannel, plan.PhaseAddonKubeProxy, plan.PhaseAddonCoreDNS,
	plan.PhaseUploadConfig, plan.PhaseBootstrapToken,
}

// Parents are the directories on the way to all that the state puts on its host, but those
// that it names itself: what is missing of them is made. The root directory is none.
func (s HostState) Parents() []string {
	return slices.DeleteFunc(ParentsOf(s.Paths()), func(parent string) bool {
		return slices.ContainsFunc(s.Directories, func(own Directory) bool { return own.Path == parent })
	})
}

// ParentsOf are the directories on the way to paths, each once and in their order, but the
// root directory.
func ParentsOf(paths []string) []string {
	known := map[string]bool{"/": true, ".": true}
	var parents []string
	for _, file := range paths {
		for at := path.Dir(file); !known[at]; at = path.Dir(at) {
			known[at] = true
			parents = append(parents, at)
		}
	}
	slices.Sort(parents)
	return parents
}

// Ownership names what Slipway's cluster leaves on a host beside the files, units and
// images of a HostState: what its components make while they run. A reset looks for it,
// and removes it.
type Ownership struct {
	Links  []string // network links; a trailing * is a prefix
	Bridge string   // the veths enslaved to it are Pods'; no other veth is ours
	Tables []string // nft tables, by name
	Chains []string // iptables chains, as hosts.RemoveNetwork names them
	// Trees are files and folders that were empty when the host was claimed: preflight
	// sees to it. What is in them later is the cluster's, with all below.
	Trees []string
	// Logs are trees that the kubelet keeps to itself, and clears of others' things, once
	// it has run.
	Logs []string
	// Shared are folders that the cluster may make and others may use: they go when
	// nothing is left in them. What lies in a folder comes before it.
	Shared []string
	Mounts []string // folders below which Pods' mounts lie
	// Never are trees of which nothing is removed before the host leaves the cluster, but for what
	// lies in those of But.
	Never, But []string
}

// Keeps tells whether a path stays for as long as the host is in the cluster.
func (o Ownership) Keeps(path string) bool {
	below := func(tree string) bool { return cluster.Within(path, tree) }
	return slices.ContainsFunc(o.Never, below) && !slices.ContainsFunc(o.But, below)
}

// OwnershipTable is the whole of it.
func OwnershipTable() Ownership {
	return Ownership{
		Links:  []string{"flannel.1", "flannel-v6.1", "cni0", "kube-ipvs0", "nodelocaldns"},
		Bridge: "cni0",
		Tables: []string{"kube-proxy", "flannel-ipv4", "flannel-ipv6"},
		Chains: chains(),
		Trees: append(KubeadmPaths(),
			EtcdData, CNIState, FlannelRun, CNIConf, ContainerdRun, ContainerdData, KubeletFolder),
		Logs: []string{"/var/log/pods", "/var/log/containers", "/var/run/kubernetes"},
		Shared: []string{
			KubernetesFolder,
			CNIConfFolder, "/etc/cni",
			CNIBinFolder, "/opt/cni",
			"/usr/libexec/kubernetes/kubelet-plugins/volume/exec", "/usr/libexec/kubernetes/kubelet-plugins/volume",
			"/usr/libexec/kubernetes/kubelet-plugins", "/usr/libexec/kubernetes",
		},
		Mounts: []string{KubeletFolder, ContainerdRun, ContainerdData},
		Never:  []string{"/var/lib/slipway", EtcdData, KubeletFolder, ContainerdData, CNIState, KubernetesFolder, RootKubeFolder},
		But:    []string{ManifestsFolder},
	}
}

// chains are those of the kubelet, of kube-proxy in each of its modes and of flannel, by
// their whole names: KUBE-ADMIN or CNI-ADMIN may belong to another program. kube-proxy's for one
// Service or endpoint end with a hash.
func chains() []string {
	return []string{
		"KUBE-FIREWALL", "KUBE-IPTABLES-HINT", "KUBE-KUBELET-CANARY", "KUBE-MARK-DROP", "KUBE-MARK-MASQ", "KUBE-POSTROUTING",
		"KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES", "KUBE-NODEPORTS", "KUBE-FORWARD", "KUBE-PROXY-FIREWALL", "KUBE-PROXY-CANARY",
		"KUBE-SVC-*", "KUBE-SVL-*", "KUBE-SEP-*", "KUBE-FW-*", "KUBE-EXT-*", "KUBE-XLB-*",
		"KUBE-LOAD-BALANCER", "KUBE-NODE-PORT", "KUBE-SOURCE-RANGES-FIREWALL", "KUBE-IPVS-FILTER", "KUBE-IPVS-OUT-FILTER",
		"FLANNEL-FWD", "FLANNEL-POSTRTG",
	}
}

// KubeadmPaths are what kubeadm and Slipway write into /etc/kubernetes. The folder is
// theirs and the user's, who keeps an audit policy there, or patches.
func KubeadmPaths() []string {
	return []string{
		AdminConf, SuperAdminConf, ControllerConf, SchedulerConf, KubeletConf, BootstrapKubelet,
		ManifestsFolder, KubernetesFolder + "/pki", KubernetesFolder + "/tmp",
	}
}
