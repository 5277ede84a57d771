package manifests

import (
	"fmt"
	"maps"
	"strings"

	kubeproxyv1alpha1 "k8s.io/kube-proxy/config/v1alpha1"
	kubeletv1beta1 "k8s.io/kubelet/config/v1beta1"
	"sigs.k8s.io/yaml"

	"github.com/slipway-k8s/slipway/cluster"
)

// document is a component's configuration in its own API, with only the fields that
// somebody sets: what is left out is the component's default.
type document map[string]any

// yaml writes the document and checks it against its API: an unknown field, or one of another
// type, is an error.
func (d document) yaml() ([]byte, error) {
	data, err := yaml.Marshal(map[string]any(d))
	if err != nil {
		return nil, fmt.Errorf("render %v: %w", d["kind"], err)
	}
	var typed any = &kubeletv1beta1.KubeletConfiguration{}
	if d["kind"] == "KubeProxyConfiguration" {
		typed = &kubeproxyv1alpha1.KubeProxyConfiguration{}
	}
	if err := yaml.UnmarshalStrict(data, typed); err != nil {
		return nil, fmt.Errorf("check %v: %w", d["kind"], err)
	}
	return data, nil
}

// overlay lays one document over another: maps are merged, all else is replaced, and
// null takes a field away.
func overlay(base, over map[string]any) document {
	merged := document(maps.Clone(base))
	for key, value := range over {
		inner, isMap := value.(map[string]any)
		if below, alsoMap := merged[key].(map[string]any); isMap && alsoMap {
			merged[key] = map[string]any(overlay(below, inner))
			continue
		}
		if value == nil {
			delete(merged, key)
			continue
		}
		merged[key] = value
	}
	return merged
}

// kubeletConfiguration is the cluster's: what kubeadm sets, the cluster's settings, and
// over both what the user says.
func (in Input) kubeletConfiguration() document {
	// One address, as with kubeadm: every Pod has the preferred family, and a resolver asks all
	// the servers that it is told of, some at the same time.
	var dns []any
	if addresses := in.Cluster.Networking.DNSAddresses(); len(addresses) > 0 {
		dns = append(dns, addresses[0].String())
	}
	ours := document{
		"apiVersion":         cluster.KubeletAPIVersion,
		"kind":               cluster.KubeletKind,
		"staticPodPath":      ManifestsFolder,
		"clusterDNS":         dns,
		"clusterDomain":      in.Cluster.Networking.DNSDomain,
		"failCgroupV1":       in.Settings.FailCgroupV1,
		"healthzPort":        kubeletHealthPort,
		"authorization":      map[string]any{"mode": "Webhook"},
		"authentication":     kubeletAuthentication(),
		"rotateCertificates": true,
		"healthzBindAddress": "127.0.0.1",
	}
	return overlay(ours, in.Cluster.Kubelet)
}

func kubeletAuthentication() map[string]any {
	return map[string]any{
		"anonymous": map[string]any{"enabled": false},
		"webhook":   map[string]any{"enabled": true},
		"x509":      map[string]any{"clientCAFile": "/etc/kubernetes/pki/ca.crt"},
	}
}

// kubeletHostConfiguration is the cluster's with what this host needs to differ in.
func (in Input) kubeletHostConfiguration(host cluster.Host) (document, error) {
	own := document{
		"containerRuntimeEndpoint": CRISocket,
		// The kubelet takes the driver from containerd; the field says the same, for those
		// who read it here.
		"cgroupDriver": in.cgroupDriver(host),
	}
	// Behind systemd-resolved's stub there is nothing that a Pod could reach. And a kubelet
	// that is told of a file which does not exist starts no Pod: an empty name is for no file.
	if facts, seen := in.Facts[host.Name]; seen && facts.Resolver != ResolvConf {
		own["resolvConf"] = facts.Resolver
	}
	base := in.kubeletConfiguration()
	return overlay(overlay(base, own), in.Cluster.Kubelet), nil
}

// Drivers of control groups.
const (
	driverSystemd  = "systemd"
	driverCgroupfs = "cgroupfs"
)

// cgroupDriver is systemd's where the host has one unified hierarchy that systemd rules.
// On the older hierarchies runc's own way works everywhere.
func (in Input) cgroupDriver(host cluster.Host) string {
	if driver, ok := in.Cluster.Kubelet["cgroupDriver"].(string); ok && driver != "" {
		return driver
	}
	facts := in.Facts[host.Name]
	if facts.Cgroup.Version == 2 && facts.Systemd.Version > 0 {
		return driverSystemd
	}
	return driverCgroupfs
}

// kubeProxyConfiguration is the cluster's, with what the user says laid over it.
func (in Input) kubeProxyConfiguration() document {
	bind := "0.0.0.0"
	if loopback(in.firstAddress()) == "::1" {
		bind = "::"
	}
	ours := document{
		"apiVersion":       cluster.KubeProxyAPIVersion,
		"kind":             cluster.KubeProxyKind,
		"bindAddress":      bind,
		"clusterCIDR":      strings.Join(in.Cluster.Networking.PodSubnets, ","),
		"clientConnection": map[string]any{"kubeconfig": proxyFolder + "/kubeconfig.conf"},
		"mode":             in.Settings.ProxyMode,
	}
	if max := in.Settings.ConntrackMaxPerCore; max != nil {
		ours["conntrack"] = map[string]any{"maxPerCore": *max}
	}
	return overlay(ours, in.Cluster.KubeProxy)
}

// firstAddress is any host's address: all hosts have the same families.
func (in Input) firstAddress() string {
	if len(in.Cluster.Hosts) == 0 {
		return ""
	}
	return in.Cluster.Hosts[0].Address()
}
