package manifests

// Ownership names what Slipway's cluster leaves on a host beside the files, units and
// images of a HostState: what its components make while they run. A reset looks for it,
// and removes it.
type Ownership struct {
	Links      []string // network links; a trailing * is a prefix
	Bridge     string   // the veths enslaved to it are Pods'; no other veth is ours
	Tables     []string // nft tables, by name
	Chains     []string // prefixes of iptables chains
	Namespaces []string // prefixes of named network namespaces
	Paths      []string // files and folders, with all below
	Mounts     []string // folders below which Pods' mounts lie
}

// OwnershipTable is the whole of it.
func OwnershipTable() Ownership {
	return Ownership{
		Links:      []string{"flannel.1", "flannel-v6.1", "cni0", "kube-ipvs0", "nodelocaldns"},
		Bridge:     "cni0",
		Tables:     []string{"kube-proxy", "flannel-ipv4", "flannel-ipv6", "cni_hostport"},
		Chains:     []string{"KUBE-", "FLANNEL-", "CNI-"},
		Namespaces: []string{"cni-"},
		Paths: []string{
			KubernetesFolder,
			KubeletFolder,
			EtcdData,
			"/etc/containerd",
			"/var/lib/containerd",
			"/run/containerd",
			CNIState,
			FlannelRun,
			CNIConf,
			"/var/log/pods",
			"/var/log/containers",
			"/var/run/kubernetes",
			"/usr/libexec/kubernetes",
		},
		Mounts: []string{KubeletFolder, "/run/containerd", "/var/lib/containerd", "/run/netns"},
	}
}
