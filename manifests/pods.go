package manifests

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"

	"github.com/slipway-k8s/slipway/cluster"
)

// AnnotationInputs carries the digest of what a static Pod is made of: its manifest, its image, of which
// another one may have the same name, and what it reads from disk once, when it starts. A change of the digest is a change of the Pod, and so
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
	name        string // of its image and its program too
	pod         cluster.StaticPod
	flags       []flag
	annotations map[string]string
	inputs      string // digest of what it reads once, for AnnotationInputs
	requests    corev1.ResourceList
	port        int32
	probes      probes
	env         []corev1.EnvVar
}

// probes are HTTP paths below one host and port; an empty path is no probe.
type probes struct {
	host                         string
	scheme                       corev1.URIScheme
	liveness, readiness, startup string
}

// staticPod renders a component as kubeadm does: on the host's network, of the class of
// what a node cannot do without.
func (in Input) staticPod(host cluster.Host, c component) ([]byte, error) {
	image, err := in.image(c.name)
	if err != nil {
		return nil, err
	}
	mounts := in.mounts(host, c.pod)
	annotations := map[string]string{AnnotationInputs: c.inputs + image.Manifest.Digest}
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
			Containers:        []corev1.Container{in.container(c, image.Reference, mounts)},
			HostNetwork:       true,
			Priority:          &priority,
			PriorityClassName: "system-node-critical",
			SecurityContext: &corev1.PodSecurityContext{
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Volumes: podVolumes(mounts),
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

// mounts are what of the host the Pod is shown, in kubeadm's order, so that its own diff of a
// manifest shows what differs and no more.
func (in Input) mounts(host cluster.Host, pod cluster.StaticPod) []cluster.HostPathMount {
	absent := func(mount cluster.HostPathMount) bool {
		_, exists := in.Facts[host.Name].Files[mount.HostPath]
		return slices.Contains(cluster.CAFolders[1:], mount.HostPath) && !exists
	}
	mounts := append(slices.DeleteFunc(slices.Clone(pod.Own), absent), pod.Volumes...)
	slices.SortFunc(mounts, func(a, b cluster.HostPathMount) int { return strings.Compare(a.Name, b.Name) })
	return mounts
}

func (in Input) container(c component, image string, mounts []cluster.HostPathMount) corev1.Container {
	container := corev1.Container{
		Name:            c.name,
		Image:           image,
		ImagePullPolicy: corev1.PullIfNotPresent,
		Command:         append([]string{c.name}, arguments(c.flags, c.pod.Args)...),
		Env:             c.env,
		Ports:           []corev1.ContainerPort{{Name: probePort, ContainerPort: c.port, Protocol: corev1.ProtocolTCP}},
		Resources:       corev1.ResourceRequirements{Requests: c.requests},
		LivenessProbe:   c.probes.probe(c.probes.liveness, 10, 8, 10),
		ReadinessProbe:  c.probes.probe(c.probes.readiness, 0, 3, 1),
		StartupProbe:    c.probes.probe(c.probes.startup, startupPeriod, in.startupFailures(), startupPeriod),
	}
	for _, mount := range mounts {
		container.VolumeMounts = append(container.VolumeMounts,
			corev1.VolumeMount{Name: mount.Name, MountPath: mount.MountPath, ReadOnly: mount.ReadOnly})
	}
	return container
}

// startupPeriod is in seconds, and kubeadm's, as the failures that make up its timeout are.
const startupPeriod = 10

// startupFailures is how often the startup probe may fail: kubeadm's formula, of the file's timeout.
// Once it has passed, liveness decides, which is quick.
func (in Input) startupFailures() int32 {
	seconds := time.Duration(in.Cluster.Timeouts.ControlPlaneComponentHealthCheck).Seconds()
	return int32(math.Ceil(seconds / startupPeriod))
}

func podVolumes(mounts []cluster.HostPathMount) []corev1.Volume {
	var volumes []corev1.Volume
	for _, mount := range mounts {
		kind := corev1.HostPathType(mount.PathType)
		volumes = append(volumes, corev1.Volume{Name: mount.Name, VolumeSource: corev1.VolumeSource{
			HostPath: &corev1.HostPathVolumeSource{Path: mount.HostPath, Type: &kind},
		}})
	}
	return volumes
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
