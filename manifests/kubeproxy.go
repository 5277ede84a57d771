package manifests

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

const (
	proxyName   = "kube-proxy"
	proxyKey    = "config.conf"
	proxyFolder = "/var/lib/kube-proxy"
)

// kubeProxyObjects are the add-on kube-proxy, under kubeadm's names.
func kubeProxyObjects(in Input) ([]runtime.Object, error) {
	config, err := in.kubeProxyConfiguration().yaml()
	if err != nil {
		return nil, err
	}
	server, err := EndpointURL(in.Cluster)
	if err != nil {
		return nil, err
	}
	reference, err := in.reference(imageProxy)
	if err != nil {
		return nil, err
	}
	access := accountKubeconfig(server)
	data := configMap(namespaceKubeSystem, proxyName, map[string]string{
		proxyKey: string(config), "kubeconfig.conf": string(access),
	})
	data.Labels = map[string]string{"app": proxyName}
	objects := []runtime.Object{
		serviceAccount(namespaceKubeSystem, proxyName),
		clusterRoleBinding("kubeadm:node-proxier", roleNodeProxier, account(namespaceKubeSystem, proxyName)),
		data,
		in.kubeProxyDaemonSet(reference, digest(config, access)),
	}
	return append(objects, configMapReaders(namespaceKubeSystem, proxyName, proxyName, group(groupBootstrappers))...), nil
}

// accountKubeconfig leads a Pod to the endpoint with its service account. The Service
// "kubernetes" is no way for kube-proxy: it is what makes that Service work.
func accountKubeconfig(server string) []byte {
	const folder = "/var/run/secrets/kubernetes.io/serviceaccount/"
	return mustYAML(map[string]any{
		"apiVersion": "v1",
		"kind":       "Config",
		"clusters": []any{map[string]any{
			"name": "default", "cluster": map[string]any{"certificate-authority": folder + "ca.crt", "server": server},
		}},
		"users": []any{map[string]any{"name": "default", "user": map[string]any{"tokenFile": folder + "token"}}},
		"contexts": []any{map[string]any{
			"name": "default", "context": map[string]any{"cluster": "default", "namespace": "default", "user": "default"},
		}},
		"current-context": "default",
	})
}

func (in Input) kubeProxyDaemonSet(image, inputs string) *appsv1.DaemonSet {
	labels := map[string]string{"k8s-app": proxyName}
	privileged := true
	container := corev1.Container{
		Name:            proxyName,
		Image:           image,
		ImagePullPolicy: corev1.PullIfNotPresent,
		Command: []string{
			"/usr/local/bin/kube-proxy", "--config=" + proxyFolder + "/" + proxyKey, "--hostname-override=$(NODE_NAME)",
		},
		Env: []corev1.EnvVar{fieldEnv("NODE_NAME", "spec.nodeName"), idleEnv},
		// kubeadm asks for nothing, which gives it a five-hundredth of what the node's own
		// services may take: on a busy node Services then follow after seconds. So much is
		// what Kubernetes' own scripts (cluster/gce) and GKE ask for.
		Resources:       corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m")}},
		SecurityContext: &corev1.SecurityContext{Privileged: &privileged},
		VolumeMounts: []corev1.VolumeMount{
			{Name: proxyName, MountPath: proxyFolder},
			{Name: "lib-modules", MountPath: "/lib/modules", ReadOnly: true},
		},
	}
	set := daemonSet(namespaceKubeSystem, proxyName, labels, labels)
	// kube-proxy reads its configuration once: a change of it is a change of the Pods.
	set.Spec.Template.Annotations = map[string]string{AnnotationInputs: inputs}
	set.Spec.Template.Spec = corev1.PodSpec{
		Containers:         []corev1.Container{container},
		HostNetwork:        true,
		NodeSelector:       map[string]string{corev1.LabelOSStable: "linux"},
		PriorityClassName:  "system-node-critical",
		ServiceAccountName: proxyName,
		Tolerations:        []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
		Volumes: []corev1.Volume{
			configVolume(proxyName, proxyName),
			hostVolume("lib-modules", "/lib/modules", nil),
		},
	}
	in.lockXtables(&set.Spec.Template.Spec)
	return set
}

// lockXtables shares iptables' lock with the host, where Pods' programs use iptables.
// With nftables nothing takes it, and the host is spared the file.
func (in Input) lockXtables(spec *corev1.PodSpec) {
	if in.Settings.ProxyMode == ProxyNFTables {
		return
	}
	const name, path = "xtables-lock", "/run/xtables.lock"
	file := corev1.HostPathFileOrCreate
	spec.Volumes = append(spec.Volumes, hostVolume(name, path, &file))
	first := &spec.Containers[0]
	first.VolumeMounts = append(first.VolumeMounts, corev1.VolumeMount{Name: name, MountPath: path})
}

func daemonSet(namespace, name string, labels, selector map[string]string) *appsv1.DaemonSet {
	return &appsv1.DaemonSet{
		TypeMeta:   metav1.TypeMeta{APIVersion: appsv1.SchemeGroupVersion.String(), Kind: "DaemonSet"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels},
		Spec: appsv1.DaemonSetSpec{
			Selector:       &metav1.LabelSelector{MatchLabels: selector},
			UpdateStrategy: appsv1.DaemonSetUpdateStrategy{Type: appsv1.RollingUpdateDaemonSetStrategyType},
			Template:       corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}},
		},
	}
}

// idleEnv has a client of the endpoint ask in time whether its connection leads anywhere:
// client-go (k8s.io/apimachinery/pkg/util/net) asks by an HTTP/2 ping after so many seconds
// without a word; 30 where nothing is said. When the address has moved off a host that was
// not stopped, whoever only waits is told nothing: a kube-proxy was seen to learn of no
// Service for those 30 s.
var idleEnv = corev1.EnvVar{Name: "HTTP2_READ_IDLE_TIMEOUT_SECONDS", Value: "5"}

func fieldEnv(name, path string) corev1.EnvVar {
	return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{
		FieldRef: &corev1.ObjectFieldSelector{FieldPath: path},
	}}
}

func configVolume(name, configMap string, items ...corev1.KeyToPath) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
		LocalObjectReference: corev1.LocalObjectReference{Name: configMap}, Items: items,
	}}}
}

func hostVolume(name, path string, kind *corev1.HostPathType) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
		HostPath: &corev1.HostPathVolumeSource{Path: path, Type: kind},
	}}
}
