package manifests

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/templates"
)

const (
	dnsName     = "coredns"
	dnsRole     = "system:coredns"
	dnsReplicas = 2
)

// corefileKey names the Corefile, which its users edit: as with kubeadm it is theirs once
// it is there.
var corefileKey = hosts.ObjectKey{APIVersion: "v1", Kind: "ConfigMap", Namespace: namespaceKubeSystem, Name: dnsName}

var dnsLabels = map[string]string{"k8s-app": "kube-dns"}

// coreDNSObjects are the add-on CoreDNS, under kubeadm's names.
func coreDNSObjects(in Input) ([]runtime.Object, error) {
	reference, err := in.reference(imageCoreDNS)
	if err != nil {
		return nil, err
	}
	corefile, err := templates.Render("Corefile", struct {
		Domain   string
		Forwards bool
	}{in.Cluster.Networking.DNSDomain, in.forwards()})
	if err != nil {
		return nil, err
	}
	service, err := dnsService(in)
	if err != nil {
		return nil, err
	}
	read := []string{"list", "watch"}
	return []runtime.Object{
		serviceAccount(namespaceKubeSystem, dnsName),
		clusterRole(dnsRole,
			rbacv1.PolicyRule{Verbs: read, APIGroups: []string{""}, Resources: []string{"endpoints", "services", "pods", "namespaces"}},
			rbacv1.PolicyRule{Verbs: read, APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}}),
		clusterRoleBinding(dnsRole, dnsRole, account(namespaceKubeSystem, dnsName)),
		configMap(namespaceKubeSystem, dnsName, map[string]string{"Corefile": string(corefile)}),
		service,
		dnsDeployment(reference),
	}, nil
}

func dnsService(in Input) (*corev1.Service, error) {
	addresses := in.Cluster.Networking.DNSAddresses()
	if len(addresses) == 0 {
		return nil, fmt.Errorf("find the DNS address: no Service subnet has a tenth one")
	}
	labels := map[string]string{"kubernetes.io/cluster-service": "true", "kubernetes.io/name": "CoreDNS"}
	for key, value := range dnsLabels {
		labels[key] = value
	}
	service := &corev1.Service{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespaceKubeSystem, Name: "kube-dns", Labels: labels,
			Annotations: map[string]string{"prometheus.io/port": "9153", "prometheus.io/scrape": "true"},
		},
		Spec: corev1.ServiceSpec{
			ClusterIP: addresses[0].String(),
			Selector:  dnsLabels,
			Ports: []corev1.ServicePort{
				dnsPort("dns", 53, corev1.ProtocolUDP),
				dnsPort("dns-tcp", 53, corev1.ProtocolTCP),
				dnsPort("metrics", 9153, corev1.ProtocolTCP),
			},
		},
	}
	if len(addresses) > 1 {
		both := corev1.IPFamilyPolicyRequireDualStack
		service.Spec.IPFamilyPolicy = &both
		for _, address := range addresses {
			service.Spec.ClusterIPs = append(service.Spec.ClusterIPs, address.String())
		}
	}
	return service, nil
}

func dnsPort(name string, port int32, protocol corev1.Protocol) corev1.ServicePort {
	return corev1.ServicePort{Name: name, Port: port, Protocol: protocol, TargetPort: intstr.FromInt32(port)}
}

func dnsDeployment(image string) *appsv1.Deployment {
	replicas, one := int32(dnsReplicas), intstr.FromInt32(1)
	return &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: appsv1.SchemeGroupVersion.String(), Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespaceKubeSystem, Name: dnsName, Labels: dnsLabels},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: dnsLabels},
			Strategy: appsv1.DeploymentStrategy{
				Type:          appsv1.RollingUpdateDeploymentStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDeployment{MaxUnavailable: &one},
			},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: dnsLabels},
				Spec: corev1.PodSpec{
					Affinity:           &corev1.Affinity{PodAntiAffinity: apartByHost(dnsLabels)},
					Containers:         []corev1.Container{dnsContainer(image)},
					DNSPolicy:          corev1.DNSDefault, // it asks the host's servers, not itself
					NodeSelector:       map[string]string{corev1.LabelOSStable: "linux"},
					PriorityClassName:  "system-cluster-critical",
					ServiceAccountName: dnsName,
					Tolerations: []corev1.Toleration{
						{Key: "CriticalAddonsOnly", Operator: corev1.TolerationOpExists},
						// Exists is what kubeadm's own toleration, of an empty value, comes to.
						{Key: cluster.TaintControlPlane, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule},
					},
					Volumes: []corev1.Volume{
						configVolume("config-volume", dnsName, corev1.KeyToPath{Key: "Corefile", Path: "Corefile"}),
					},
				},
			},
		},
	}
}

func dnsContainer(image string) corev1.Container {
	escalate, readOnly := false, true
	port := func(name string, number int32, protocol corev1.Protocol) corev1.ContainerPort {
		return corev1.ContainerPort{Name: name, ContainerPort: number, Protocol: protocol}
	}
	liveness := httpProbe("/health", "liveness-probe")
	liveness.InitialDelaySeconds, liveness.TimeoutSeconds, liveness.FailureThreshold = 60, 5, 5
	// kubeadm leaves the period at ten seconds, and so a server that is ready waits up to
	// ten for its traffic. Asked each second, thirty times before it is given up, it gets
	// its traffic at once, and loses it no sooner than with kubeadm.
	readiness := httpProbe("/ready", "readiness-probe")
	readiness.PeriodSeconds, readiness.FailureThreshold = 1, 30
	return corev1.Container{
		Name:            dnsName,
		Image:           image,
		ImagePullPolicy: corev1.PullIfNotPresent,
		Args:            []string{"-conf", "/etc/coredns/Corefile"},
		Ports: []corev1.ContainerPort{
			port("dns", 53, corev1.ProtocolUDP),
			port("dns-tcp", 53, corev1.ProtocolTCP),
			port("metrics", 9153, corev1.ProtocolTCP),
			port("liveness-probe", 8080, corev1.ProtocolTCP),
			port("readiness-probe", 8181, corev1.ProtocolTCP),
		},
		LivenessProbe:  liveness,
		ReadinessProbe: readiness,
		Resources: corev1.ResourceRequirements{
			Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("170Mi")},
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("70Mi")},
		},
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: &escalate,
			ReadOnlyRootFilesystem:   &readOnly,
			Capabilities:             &corev1.Capabilities{Add: []corev1.Capability{"NET_BIND_SERVICE"}, Drop: []corev1.Capability{"ALL"}},
		},
		VolumeMounts: []corev1.VolumeMount{{Name: "config-volume", MountPath: "/etc/coredns", ReadOnly: true}},
	}
}

func httpProbe(path, port string) *corev1.Probe {
	return &corev1.Probe{ProbeHandler: corev1.ProbeHandler{
		HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromString(port), Scheme: corev1.URISchemeHTTP},
	}}
}

// apartByHost asks for replicas on different hosts, where there are any.
func apartByHost(labels map[string]string) *corev1.PodAntiAffinity {
	var terms []metav1.LabelSelectorRequirement
	for key, value := range labels {
		terms = append(terms, metav1.LabelSelectorRequirement{Key: key, Operator: metav1.LabelSelectorOpIn, Values: []string{value}})
	}
	return &corev1.PodAntiAffinity{
		PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{
			Weight: 100,
			PodAffinityTerm: corev1.PodAffinityTerm{
				LabelSelector: &metav1.LabelSelector{MatchExpressions: terms},
				TopologyKey:   corev1.LabelHostname,
			},
		}},
	}
}
