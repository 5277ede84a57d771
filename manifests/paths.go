package manifests

import (
	"path"
	"slices"

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

	HAProxyConfig = "/etc/haproxy/haproxy.cfg"
	HAProxyUnit   = "haproxy.service"
	// BalancerCA is the cluster's CA for haproxy and its check: a copy, since kubeadm join
	// refuses a host that has one in its own place already.
	BalancerCA       = "/etc/haproxy/ca.crt"
	KeepalivedConfig = "/etc/keepalived/keepalived.conf"
	KeepalivedUnit   = "keepalived.service"
	// BalancerRoot is the root directory that both run in, out of the bundle.
	BalancerRoot = "/opt/slipway/load-balancer"

	ModulesFile = "/etc/modules-load.d/slipway.conf"
	// SysctlFile is named to be read late: what a distribution sets before does not undo it.
	SysctlFile = "/etc/sysctl.d/99-slipway.conf"

	BinFolder     = "/opt/slipway/bin"
	Containerd    = BinFolder + "/containerd"
	Runc          = BinFolder + "/runc"
	Kube          = BinFolder + "/kube"
	Handover      = BinFolder + "/etcd-handover"
	KubeletBinary = "/usr/bin/kubelet"

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
