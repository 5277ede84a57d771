package manifests

import (
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	kubeproxyv1alpha1 "k8s.io/kube-proxy/config/v1alpha1"
	kubeletv1beta1 "k8s.io/kubelet/config/v1beta1"
	"sigs.k8s.io/yaml"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
)

// kube-proxy's modes.
const (
	ProxyNFTables = "nftables"
	ProxyIPTables = "iptables"
)

// SettingsFromFacts chooses what all the hosts can have. It is asked once, at init; from
// then on the cluster says what its settings are.
func SettingsFromFacts(facts map[string]hosts.Facts) Settings {
	settings := Settings{FailCgroupV1: true, ProxyMode: ProxyNFTables}
	for _, host := range facts {
		if host.Cgroup.Version != 2 {
			settings.FailCgroupV1 = false
		}
		if !proxiesByNFTables(host) {
			settings.ProxyMode = ProxyIPTables
		}
		if !host.ConntrackWritable {
			settings.ConntrackMaxPerCore = new(int32)
		}
	}
	return settings
}

// SaidIn are the settings with kube-proxy's mode that a cluster file says: flannel's rules follow
// that one from the beginning, and not once the cluster has it.
func (s Settings) SaidIn(c *cluster.Cluster) Settings {
	if mode, said := c.KubeProxy["mode"].(string); said && mode != "" {
		s.ProxyMode = mode
	}
	return s
}

// proxiesByNFTables tells whether kube-proxy's newer and faster mode runs on a host. It
// refuses kernels before 5.13, whose nftables lack what it needs.
func proxiesByNFTables(facts hosts.Facts) bool {
	var major, minor int
	if _, err := fmt.Sscanf(facts.Kernel, "%d.%d", &major, &minor); err != nil {
		return false
	}
	return facts.NFTables && (major > 5 || major == 5 && minor >= 13)
}

// SettingsFromObjects reads the settings that a running cluster has out of its ConfigMaps
// kubelet-config and kube-proxy, given as JSON.
func SettingsFromObjects(kubeletConfig, kubeProxyConfig []byte) (Settings, error) {
	kubelet, err := configMapKey[kubeletv1beta1.KubeletConfiguration](kubeletConfig, kubeletKey)
	if err != nil {
		return Settings{}, fmt.Errorf("read ConfigMap kube-system/kubelet-config: %w", err)
	}
	proxy, err := configMapKey[kubeproxyv1alpha1.KubeProxyConfiguration](kubeProxyConfig, proxyKey)
	if err != nil {
		return Settings{}, fmt.Errorf("read ConfigMap kube-system/kube-proxy: %w", err)
	}
	settings := Settings{
		FailCgroupV1:        kubelet.FailCgroupV1 == nil || *kubelet.FailCgroupV1, // the kubelet's default
		ProxyMode:           string(proxy.Mode),
		ConntrackMaxPerCore: proxy.Conntrack.MaxPerCore,
	}
	if settings.ProxyMode == "" {
		settings.ProxyMode = ProxyIPTables // kube-proxy's default
	}
	return settings, nil
}

// EndpointOf reads the endpoint that a cluster has out of its kubeadm-config; "" where it
// is nothing but the address of its only control plane.
func EndpointOf(kubeadmConfig []byte) (string, error) {
	found, err := configMapKey[struct {
		Endpoint string `json:"controlPlaneEndpoint"`
	}](kubeadmConfig, clusterKey)
	if err != nil {
		return "", fmt.Errorf("read ConfigMap kube-system/kubeadm-config: %w", err)
	}
	return found.Endpoint, nil
}

// NetworkingOf reads the subnets and the domain that a cluster has out of its kubeadm-config.
func NetworkingOf(kubeadmConfig []byte) (cluster.Networking, error) {
	found, err := configMapKey[struct {
		Networking struct {
			DNSDomain     string `json:"dnsDomain"`
			PodSubnet     string `json:"podSubnet"`
			ServiceSubnet string `json:"serviceSubnet"`
		} `json:"networking"`
	}](kubeadmConfig, clusterKey)
	if err != nil {
		return cluster.Networking{}, fmt.Errorf("read ConfigMap kube-system/kubeadm-config: %w", err)
	}
	have := found.Networking
	return cluster.Networking{
		PodSubnets: strings.Split(have.PodSubnet, ","), ServiceSubnets: strings.Split(have.ServiceSubnet, ","), DNSDomain: have.DNSDomain,
	}, nil
}

func configMapKey[T any](object []byte, key string) (T, error) {
	var typed T
	var configMap corev1.ConfigMap
	if err := json.Unmarshal(object, &configMap); err != nil {
		return typed, err
	}
	text, ok := configMap.Data[key]
	if !ok {
		return typed, fmt.Errorf("the key %s is missing", key)
	}
	if err := yaml.Unmarshal([]byte(text), &typed); err != nil {
		return typed, fmt.Errorf("the key %s: %w", key, err)
	}
	return typed, nil
}

// Unmet tells, in words, which of the cluster's settings a host cannot have. A host that
// joins must have none.
func (s Settings) Unmet(facts hosts.Facts) []string {
	var reasons []string
	if s.FailCgroupV1 && facts.Cgroup.Version != 2 {
		reasons = append(reasons, "the cluster's kubelets run only with version 2 control groups, the host has version 1")
	}
	if s.ProxyMode == ProxyNFTables && !proxiesByNFTables(facts) {
		reasons = append(reasons, fmt.Sprintf("the cluster's kube-proxy uses nftables, which needs kernel 5.13 or newer with nftables; the host has %s", facts.Kernel))
	}
	if s.ProxyMode == ProxyIPTables && !facts.IPTables {
		reasons = append(reasons, "the cluster's kube-proxy uses iptables, which the host's kernel does not support")
	}
	if (s.ConntrackMaxPerCore == nil || *s.ConntrackMaxPerCore != 0) && !facts.ConntrackWritable {
		reasons = append(reasons, "the cluster's kube-proxy sets the limit of tracked connections, which cannot be written on the host")
	}
	return reasons
}
