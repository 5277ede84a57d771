package manifests

import (
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// The keys of kubeadm's ConfigMaps.
const (
	clusterKey = "ClusterConfiguration"
	kubeletKey = "kubelet"
)

// configObjects are the ConfigMaps by which kubeadm knows the cluster, and who may read them.
func configObjects(in Input) ([]Object, error) {
	clusterConfig, err := in.clusterConfiguration()
	if err != nil {
		return nil, err
	}
	kubeletConfig, err := in.kubeletConfiguration().yaml()
	if err != nil {
		return nil, err
	}
	readers := group(groupBootstrappers)
	objects := []runtime.Object{
		configMap(namespaceKubeSystem, "kubeadm-config", map[string]string{clusterKey: string(clusterConfig)}),
		// Without kubeadm's annotation of its own making: so kubeadm upgrade takes the
		// configuration for the user's, and keeps it.
		configMap(namespaceKubeSystem, "kubelet-config", map[string]string{kubeletKey: string(kubeletConfig)}),
	}
	objects = append(objects, configMapReaders(namespaceKubeSystem, "kubeadm:nodes-kubeadm-config", "kubeadm-config", readers, group(groupNodes))...)
	objects = append(objects, configMapReaders(namespaceKubeSystem, "kubeadm:kubelet-config", "kubelet-config", group(groupNodes), readers)...)
	return objectsOf(plan.PhaseUploadConfig, objects...)
}

// clusterConfiguration is the cluster in kubeadm's own words.
func (in Input) clusterConfiguration() ([]byte, error) {
	c := in.Cluster
	endpoint, err := controlPlaneEndpoint(c)
	if err != nil {
		return nil, err
	}
	minor, err := c.Minor()
	if err != nil {
		return nil, err
	}
	apiServer := componentOf(c.ExtraArgs.APIServer, c.ExtraVolumes.APIServer)
	if sans := c.Certificates.ExtraSANs; len(sans) > 0 {
		apiServer["certSANs"] = sans
	}
	config := map[string]any{
		"apiVersion":                  minor.KubeadmAPI,
		"kind":                        "ClusterConfiguration",
		"clusterName":                 c.Name,
		"kubernetesVersion":           c.KubernetesVersion,
		"imageRepository":             c.ImageRepository,
		"certificatesDir":             "/etc/kubernetes/pki",
		"caCertificateValidityPeriod": duration(c.Certificates.CAValidity),
		"certificateValidityPeriod":   duration(c.Certificates.Validity),
		"encryptionAlgorithm":         c.Certificates.KeyAlgorithm,
		"networking": map[string]any{
			"dnsDomain":     c.Networking.DNSDomain,
			"podSubnet":     strings.Join(c.Networking.PodSubnets, ","),
			"serviceSubnet": strings.Join(c.Networking.ServiceSubnets, ","),
		},
		"apiServer":         apiServer,
		"controllerManager": componentOf(withQuickStart(c.ExtraArgs.ControllerManager), c.ExtraVolumes.ControllerManager),
		"scheduler":         componentOf(c.ExtraArgs.Scheduler, c.ExtraVolumes.Scheduler),
		"dns":               map[string]any{},
		"proxy":             map[string]any{},
	}
	if endpoint != "" {
		config["controlPlaneEndpoint"] = endpoint
	}
	if config["etcd"], err = in.etcdConfiguration(minor); err != nil {
		return nil, err
	}
	dns := map[string]any{}
	if err := in.tagUnless(dns, imageCoreDNS, minor.CoreDNSTag); err != nil {
		return nil, err
	}
	config["dns"] = dns
	return mustYAML(config), nil
}

// etcdConfiguration is kubeadm's field etcd.
func (in Input) etcdConfiguration(minor cluster.Minor) (map[string]any, error) {
	if external := in.Cluster.Etcd.External; external != nil {
		return map[string]any{"external": externalConfiguration(external)}, nil
	}
	etcd := componentOf(in.Cluster.ExtraArgs.Etcd, in.Cluster.ExtraVolumes.Etcd)
	etcd["dataDir"] = EtcdData
	if err := in.tagUnless(etcd, imageEtcd, minor.EtcdTag); err != nil {
		return nil, err
	}
	return map[string]any{"local": etcd}, nil
}

// tagUnless says an image's tag where it is not the one that kubeadm would compute.
func (in Input) tagUnless(field map[string]any, image, computed string) error {
	found, err := in.image(image)
	if err != nil {
		return err
	}
	if found.Tag != computed {
		field["imageTag"] = found.Tag
	}
	return nil
}

// componentOf is a component's part of a ClusterConfiguration v1beta4.
func componentOf(args []cluster.Arg, volumes []cluster.HostPathMount) map[string]any {
	fields := map[string]any{}
	if len(args) > 0 {
		fields["extraArgs"] = args
	}
	if len(volumes) > 0 {
		fields["extraVolumes"] = volumes
	}
	return fields
}

// duration writes a duration as Kubernetes' API does.
func duration(d cluster.Duration) string { return time.Duration(d).String() }
