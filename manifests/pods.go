package manifests

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"

	"github.com/slipway-k8s/slipway/cluster"
)

// AnnotationInputs carries the digest of what a static Pod is made of: its manifest, and what it
// reads from disk once, when it starts. A change of the digest is a change of the Pod, and so
// restarts it; and it tells by which manifest a Pod runs, whatever admission makes of the Pod
// that the API server shows (a LimitRange its resources, a webhook its images).
const AnnotationInputs = "slipway.dev/inputs"

// kubeadm's annotations, by which its commands find the members and the API servers.
const (
	annotationEtcd      = "kubeadm.kubernetes.io/etcd.advertise-client-urls"
	annotationAPIServer = "kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint"
)

const probePort = "probe-port"

// component is what the static Pods differ in; staticPod adds what they share.
type component struct {
	name        string
	image       string
	command     []string
	annotations map[string]string
	inputs      string // digest of what it reads once, for AnnotationInputs
	requests    corev1.ResourceList
	port        int32
	probes      probes
	mounts      []mount
	env         []corev1.EnvVar
	volumes     []cluster.HostPathMount // the user's
}

// probes are HTTP paths below one host and port; an empty path is no probe.
type probes struct {
	host                         string
	scheme                       corev1.URIScheme
	liveness, readiness, startup string
}

// mount is a path of the host, shown to the container at the same place.
type mount struct {
	name     string
	path     string
	file     bool
	readOnly bool
}

// staticPod renders a component as kubeadm does: on the host's network, of the class of
// what a node cannot do without.
func staticPod(c component) ([]byte, error) {
	annotations := map[string]string{AnnotationInputs: c.inputs}
	maps.Copy(annotations, c.annotations)
	priority := int32(2000001000) // system-node-critical; no admission fills it in for a static Pod
	pod := corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			Name:        c.name,
			Namespace:   metav1.NamespaceSystem,
			Labels:      map[string]string{"component": c.name, "tier": "control-plane"},
			Annotations: annotations,
		},
		Spec: corev1.PodSpec{
			Containers:        []corev1.Container{c.container()},
			HostNetwork:       true,
			Priority:          &priority,
			PriorityClassName: "system-node-critical",
			SecurityContext: &corev1.PodSecurityContext{
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Volumes: c.podVolumes(),
		},
	}
	data, err := yaml.Marshal(pod)
	if err == nil {
		annotations[AnnotationInputs] = digest(data)
		data, err = yaml.Marshal(pod)
	}
	if err != nil {
		return nil, fmt.Errorf("render static Pod %s: %w", c.name, err)
	}
	return data, nil
}

func (c component) container() corev1.Container {
	container := corev1.Container{
		Name:            c.name,
		Image:           c.image,
		ImagePullPolicy: corev1.PullIfNotPresent,
		Command:         c.command,
		Env:             c.env,
		Ports:           []corev1.ContainerPort{{Name: probePort, ContainerPort: c.port, Protocol: corev1.ProtocolTCP}},
		Resources:       corev1.ResourceRequirements{Requests: c.requests},
		LivenessProbe:   c.probes.probe(c.probes.liveness, 10, 8, 10),
		ReadinessProbe:  c.probes.probe(c.probes.readiness, 0, 3, 1),
		// Four minutes to come up, as kubeadm's timeout for the control plane.
		StartupProbe: c.probes.probe(c.probes.startup, 10, 24, 10),
	}
	for _, m := range c.mounts {
		container.VolumeMounts = append(container.VolumeMounts,
			corev1.VolumeMount{Name: m.name, MountPath: m.path, ReadOnly: m.readOnly})
	}
	for _, v := range c.volumes {
		container.VolumeMounts = append(container.VolumeMounts,
			corev1.VolumeMount{Name: v.Name, MountPath: v.MountPath, ReadOnly: v.ReadOnly})
	}
	sortByName(container.VolumeMounts, func(m corev1.VolumeMount) string { return m.Name })
	return container
}

func (c component) podVolumes() []corev1.Volume {
	var volumes []corev1.Volume
	for _, m := range c.mounts {
		kind := corev1.HostPathDirectoryOrCreate
		if m.file {
			kind = corev1.HostPathFileOrCreate
		}
		volumes = append(volumes, corev1.Volume{Name: m.name, VolumeSource: corev1.VolumeSource{
			HostPath: &corev1.HostPathVolumeSource{Path: m.path, Type: &kind},
		}})
	}
	for _, v := range c.volumes {
		kind := corev1.HostPathType(v.PathType)
		volumes = append(volumes, corev1.Volume{Name: v.Name, VolumeSource: corev1.VolumeSource{
			HostPath: &corev1.HostPathVolumeSource{Path: v.HostPath, Type: &kind},
		}})
	}
	sortByName(volumes, func(v corev1.Volume) string { return v.Name })
	return volumes
}

// sortByName brings volumes into kubeadm's order, so that its own diff of a manifest shows
// what differs and no more.
func sortByName[T any](list []T, name func(T) string) {
	slices.SortFunc(list, func(a, b T) int { return strings.Compare(name(a), name(b)) })
}

func (p probes) probe(path string, delay, failures, period int32) *corev1.Probe {
	if path == "" {
		return nil
	}
	return &corev1.Probe{
		ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
			Host: p.host, Path: path, Port: intstr.FromString(probePort), Scheme: p.scheme,
		}},
		InitialDelaySeconds: delay,
		TimeoutSeconds:      15,
		FailureThreshold:    failures,
		PeriodSeconds:       period,
	}
}

func cpu(quantity string) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(quantity)}
}

// probeHost is the address that the kubelet probes where a component was told to listen:
// empty, the Pod's own, where it listens everywhere.
func probeHost(bind string) string {
	if bind == "0.0.0.0" || bind == "::" {
		return ""
	}
	return bind
}
