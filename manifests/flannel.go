package manifests

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/slipway-k8s/slipway/cluster"
)

const (
	flannelNamespace = "kube-flannel"
	flannelName      = "flannel"
	flannelConfig    = "kube-flannel-cfg"
	flannelSet       = "kube-flannel-ds"
	flannelFolder    = "/etc/kube-flannel"
)

// flannelObjects are the network add-on, under the names of its own manifest.
//
// When is a node Ready? As soon as a network configuration lies in /etc/cni/net.d. But a
// Pod that comes before flanneld has its subnet fails, and the kubelet tries again only
// after ten to fifteen seconds. So neither Slipway nor an init container writes the
// configuration beforehand: a container beside flanneld does, in the moment in which
// the subnet is there. The kubelet looks for it ten times a second while the node is new;
// a node that says Ready is ready, the first Pods find their network at once, and
// CoreDNS is sooner available than with a head start that ends in a back-off. It is the
// same on hosts that join by hand.
func flannelObjects(in Input) ([]runtime.Object, error) {
	reference, err := in.reference(imageFlannel)
	if err != nil {
		return nil, err
	}
	endpoint, err := EndpointAddress(in.Cluster)
	if err != nil {
		return nil, err
	}
	network, err := flannelNetwork(in)
	if err != nil {
		return nil, err
	}
	data := configMap(flannelNamespace, flannelConfig, map[string]string{"cni-conf.json": cniConf, "net-conf.json": network})
	data.Labels = map[string]string{"app": flannelName, "k8s-app": flannelName, "tier": "node"}
	return []runtime.Object{
		&corev1.Namespace{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
			ObjectMeta: metav1.ObjectMeta{Name: flannelNamespace, Labels: map[string]string{
				"k8s-app": flannelName, "pod-security.kubernetes.io/enforce": "privileged",
			}},
		},
		serviceAccount(flannelNamespace, flannelName),
		clusterRole(flannelName,
			rbacv1.PolicyRule{Verbs: []string{"get", "list", "watch"}, APIGroups: []string{""}, Resources: []string{"nodes"}},
			rbacv1.PolicyRule{Verbs: []string{"patch"}, APIGroups: []string{""}, Resources: []string{"nodes/status"}}),
		clusterRoleBinding(flannelName, flannelName, account(flannelNamespace, flannelName)),
		data,
		in.flannelDaemonSet(reference, endpoint, digest([]byte(network), []byte(cniConf))),
	}, nil
}

// cniInstaller is the component that is in flannel's image where that can install the
// network configuration itself.
const cniInstaller = "cni-install"

// hasInstaller tells whether the bundle's flannel image can install its configuration;
// flannel's own published image cannot. Then Slipway writes the file, and the first Pods
// may meet the back-off.
func (in Input) hasInstaller() bool {
	_, found := in.Bill.Component(cniInstaller)
	return found
}

// cniFiles are the network configuration, where nobody else will write it.
func (in Input) cniFiles() []File {
	if in.Cluster.Networking.AddOn != cluster.AddOnFlannel || in.hasInstaller() {
		return nil
	}
	return []File{{Phase: PhaseContainerd, Path: CNIConf, Mode: 0o644, Content: []byte(cniConf), Compare: Exact}}
}

// cniConf is the configuration of Pods' networks: flannel's plugin, which hands on to
// bridge, and portmap for hostPort. The version is what the plugin's is.
const cniConf = `{
  "name": "cbr0",
  "cniVersion": "0.3.1",
  "plugins": [
    {
      "type": "flannel",
      "delegate": {
        "hairpinMode": true,
        "isDefaultGateway": true
      }
    },
    {
      "type": "portmap",
      "capabilities": {
        "portMappings": true
      }
    }
  ]
}
`

// flannelNetwork is flanneld's configuration. It filters as kube-proxy does: one kind of
// rules on a host, and one kind to look at.
func flannelNetwork(in Input) (string, error) {
	config := map[string]any{
		"EnableNFTables": in.Settings.ProxyMode == ProxyNFTables,
		"Backend":        map[string]any{"Type": "vxlan"},
	}
	four := false
	for _, subnet := range in.Cluster.Networking.PodPrefixes() {
		if subnet.Addr().Is6() {
			config["EnableIPv6"], config["IPv6Network"] = true, subnet.String()
			continue
		}
		four, config["Network"] = true, subnet.String()
	}
	if !four {
		config["EnableIPv4"] = false
	}
	text, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return "", fmt.Errorf("render net-conf.json: %w", err)
	}
	return string(text) + "\n", nil
}

func (in Input) flannelDaemonSet(image, endpoint, inputs string) *appsv1.DaemonSet {
	containers := []corev1.Container{flanneld(in.Cluster, image, endpoint)}
	if in.hasInstaller() {
		containers = append(containers, flannelInstaller(image))
	}
	labels := map[string]string{"app": flannelName, "k8s-app": flannelName, "tier": "node"}
	folder := corev1.HostPathDirectoryOrCreate
	set := daemonSet(flannelNamespace, flannelSet, labels, map[string]string{"app": flannelName})
	set.Spec.Template.Annotations = map[string]string{AnnotationInputs: inputs}
	set.Spec.Template.Spec = corev1.PodSpec{
		Containers:         containers,
		HostNetwork:        true,
		NodeSelector:       map[string]string{corev1.LabelOSStable: "linux"},
		PriorityClassName:  "system-node-critical",
		ServiceAccountName: flannelName,
		Tolerations:        []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
		Volumes: []corev1.Volume{
			hostVolume("run", FlannelRun, &folder),
			hostVolume("cni-plugin", CNIBinFolder, &folder),
			hostVolume("cni", CNIConfFolder, &folder),
			configVolume("flannel-cfg", flannelConfig),
		},
	}
	in.lockXtables(&set.Spec.Template.Spec)
	return set
}

func flanneld(c *cluster.Cluster, image, endpoint string) corev1.Container {
	privileged := false
	public := "--public-ip=$(HOST_IP)"
	if address, err := netip.ParseAddr(c.Hosts[0].Address()); err == nil && address.Is6() {
		public = "--public-ipv6=$(HOST_IP)"
	}
	// The endpoint itself, since the Service "kubernetes" works only once kube-proxy does:
	// so the two start side by side.
	host, port := splitAddress(endpoint)
	return corev1.Container{
		Name:    "kube-flannel",
		Image:   image,
		Command: []string{"/opt/bin/flanneld"},
		// The node's own address says which of a host's interfaces carries the network;
		// flanneld's guess is the default route's, and there may be none.
		Args: []string{"--ip-masq", "--kube-subnet-mgr", public},
		Env: []corev1.EnvVar{
			fieldEnv("NODE_NAME", "spec.nodeName"),
			fieldEnv("HOST_IP", "status.hostIP"),
			{Name: "EVENT_QUEUE_DEPTH", Value: "5000"},
			{Name: "KUBERNETES_SERVICE_HOST", Value: host},
			{Name: "KUBERNETES_SERVICE_PORT", Value: port},
		},
		ImagePullPolicy: corev1.PullIfNotPresent,
		Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("50Mi"),
		}},
		SecurityContext: &corev1.SecurityContext{
			Privileged:   &privileged,
			Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"NET_ADMIN", "NET_RAW"}},
		},
		VolumeMounts: []corev1.VolumeMount{
			{Name: "run", MountPath: FlannelRun},
			{Name: "flannel-cfg", MountPath: flannelFolder},
		},
	}
}

// flannelInstaller puts the plugin, and then the configuration, where a node lacks them.
func flannelInstaller(image string) corev1.Container {
	return corev1.Container{
		Name:    "install-cni",
		Image:   image,
		Command: []string{"/opt/bin/cni-install"},
		Args: []string{
			"-plugin", "/flannel", "-bin", CNIBinFolder + "/flannel",
			"-conf", flannelFolder + "/cni-conf.json", "-to", CNIConf, "-after", SubnetFile,
		},
		ImagePullPolicy: corev1.PullIfNotPresent,
		Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse("1m"), corev1.ResourceMemory: resource.MustParse("5Mi"),
		}},
		VolumeMounts: []corev1.VolumeMount{
			{Name: "run", MountPath: FlannelRun, ReadOnly: true},
			{Name: "cni-plugin", MountPath: CNIBinFolder},
			{Name: "cni", MountPath: CNIConfFolder},
			{Name: "flannel-cfg", MountPath: flannelFolder},
		},
	}
}

// splitAddress takes host:port apart; an IPv6 address loses its brackets.
func splitAddress(address string) (host, port string) {
	at := strings.LastIndex(address, ":")
	return strings.Trim(address[:at], "[]"), address[at+1:]
}
