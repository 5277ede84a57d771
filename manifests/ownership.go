package manifests

import (
	"slices"

	"github.com/slipway-k8s/slipway/cluster"
)

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
