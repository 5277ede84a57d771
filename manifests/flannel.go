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
	"github.com/slipway-k8s/slipway/phases/plan"
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
// When is a node Ready? As soon as a network configuration lies in /etc/cni/net.d. After a
// reboot one lies there before flanneld runs, and in flannel's own manifest an init
// container puts it there first; a Pod that comes in between fails in flannel's plugin, and
// the kubelet tries again only after ten to fifteen seconds. So await-subnet goes before that
// plugin and holds such a Pod until flanneld has the node's subnet: no start and no reboot
// ends in a back-off, and Slipway can write the configuration with the kubelet's own. On
// hosts that join by hand a container beside flanneld does, with the plugins.
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
	data := configMap(flannelNamespace, flannelConfig, map[string]string{"cni-conf.json": in.cniConf(), "net-conf.json": network})
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
		in.flannelDaemonSet(reference, endpoint, digest([]byte(network), []byte(in.cniConf()))),
	}, nil
}

// The components of ours that a bundle which was built from source has: flannel's own
// published image has neither.
const (
	cniInstaller = "cni-install" // in flannel's image: puts plugins and configuration on a node
	cniAwait     = "cni-await"   // a plugin: waits for flanneld
)

func (in Input) has(component string) bool {
	_, found := in.Bill.Component(component)
	return found
}

// cniFiles are the network configuration, where the network is ours.
func (in Input) cniFiles() []File {
	if in.Cluster.Networking.AddOn != cluster.AddOnFlannel {
		return nil
	}
	return []File{{Phase: plan.PhaseKubelet, Path: CNIConf, Mode: 0o644, Content: []byte(in.cniConf()), Compare: Exact}}
}

// cniConf is the configuration of Pods' networks. Without await-subnet in the bundle the
// first Pods may meet the back-off.
func (in Input) cniConf() string {
	await := ""
	if in.has(cniAwait) {
		await = awaitConf
	}
	return fmt.Sprintf(cniConf, await)
}

// awaitConf is the plugin that only waits, as it stands before the others.
const awaitConf = `
    {
      "type": "await-subnet"
    },`

// cniConf has, after what waits, flannel's plugin, which hands on to bridge, and portmap for
// hostPort. The version is what the plugin's is.
const cniConf = `{
  "name": "cbr0",
  "cniVersion": "0.3.1",
  "plugins": [%s
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
	if in.has(cniInstaller) {
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
			idleEnv,
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
			"-plugins", "/await-subnet,/flannel", "-bin", CNIBinFolder,
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
