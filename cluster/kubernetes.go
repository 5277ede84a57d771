package cluster

import (
	"fmt"
	"slices"
	"strings"
)

// Minor is what depends on the minor version of Kubernetes. All else is the same for all minors
// of the table: the flags and probes of the static Pods, the RBAC, the tokens, the skew.
//
// A further minor is a row here and a set of pins in bundle/components. The tests in e2e hold each
// row against that minor's own kubeadm, programs and sources.
type Minor struct {
	Name string // v1.37

	// The tags that kubeadm computes for images with versions of their own.
	EtcdTag, CoreDNSTag, PauseTag string
	// KubeadmAPI is the apiVersion that its configuration is written in.
	KubeadmAPI string

	// NewFields are what configurations may say from this minor on, by their kind.
	NewFields map[string][]string
	// Gone is what the minor before took, and with what this one's programs do not start.
	Gone Gone
}

// Gone is what a minor has no more.
type Gone struct {
	// Flags, without dashes, by the program: etcd, kube-apiserver, kubelet …
	Flags map[string][]string
	// FeatureGates that are not known any more.
	FeatureGates []string
	// LockedGates may only say the one value that they are locked to.
	LockedGates map[string]bool
	// Fields of configurations, by their kind.
	Fields map[string][]string
}

// minors is the table, the newest first.
var minors = []Minor{
	{
		Name:       "v1.37",
		EtcdTag:    "3.7.0-0",
		CoreDNSTag: "v1.14.6",
		PauseTag:   "3.10.2",
		KubeadmAPI: "kubeadm.k8s.io/v1beta4",
		NewFields:  map[string][]string{KubeletKind: {"defaultPodSysctls"}},
		Gone: Gone{
			Flags: map[string][]string{
				"etcd": { // from 3.6 to 3.7
					"discovery", "discovery-proxy",
					"experimental-bootstrap-defrag-threshold-megabytes", "experimental-compact-hash-check-enabled", "experimental-compact-hash-check-time",
					"experimental-compaction-batch-limit", "experimental-compaction-sleep-interval", "experimental-corrupt-check-time",
					"experimental-distributed-tracing-address", "experimental-distributed-tracing-instance-id",
					"experimental-distributed-tracing-sampling-rate", "experimental-distributed-tracing-service-name",
					"experimental-downgrade-check-time", "experimental-enable-distributed-tracing", "experimental-enable-lease-checkpoint",
					"experimental-enable-lease-checkpoint-persist", "experimental-initial-corrupt-check", "experimental-memory-mlock",
					"experimental-peer-skip-client-san-verification", "experimental-snapshot-catchup-entries", "experimental-stop-grpc-service-on-defrag",
					"experimental-txn-mode-write-with-shared-buffer", "experimental-warning-apply-duration",
					"experimental-warning-unary-request-duration", "experimental-watch-progress-notify-interval",
				},
				"kube-controller-manager": {"concurrent-service-syncs"},
				"kubelet": {
					"application-metrics-count-limit", "boot-id-file", "container-hints", "containerd", "containerd-namespace",
					"enable-load-reader", "event-storage-age-limit", "event-storage-event-limit", "global-housekeeping-interval",
					"log-cadvisor-usage", "machine-id-file", "storage-driver-buffer-duration", "storage-driver-db", "storage-driver-host",
					"storage-driver-password", "storage-driver-secure", "storage-driver-table", "storage-driver-user",
				},
			},
			FeatureGates: []string{
				"APIServerTracing", "AnonymousAuthConfigurableEndpoints", "AnyVolumeDataSource", "AuthorizeNodeWithSelectors",
				"AuthorizeWithSelectors", "BtreeWatchCache", "ConsistentListFromCache", "GangScheduling", "JobBackoffLimitPerIndex",
				"JobPodReplacementPolicy", "JobSuccessPolicy", "LogarithmicScaleDown", "OrderedNamespaceDeletion",
				"PodLifecycleSleepAction", "PodLifecycleSleepActionAllowZero", "PreventStaticPodAPIReferences",
				"RelaxedDNSSearchValidation", "ResilientWatchCacheInitialization", "RetryGenerateName", "SchedulerQueueingHints",
				"SidecarContainers", "StreamingCollectionEncodingToJSON", "StreamingCollectionEncodingToProtobuf",
				"StructuredAuthenticationConfiguration", "WorkloadAwarePreemption",
			},
			LockedGates: map[string]bool{
				"DRAExtendedResource": true, "DRAPrioritizedList": true, "DRAResourceClaimDeviceStatus": true,
				"DeclarativeValidationTakeover": false, "DisableCPUQuotaWithExclusiveCPUs": true, "HPAConfigurableTolerance": true,
				"HostnameOverride": true, "InPlacePodVerticalScalingInitContainers": true, "NodeDeclaredFeatures": true,
				"PLEGOnDemandRelist": true, "PodReadyToStartContainersCondition": true, "RelaxedServiceNameValidation": true,
				"WatchCacheInitializationPostStartHook": true,
			},
		},
	},
	{
		Name:       "v1.36",
		EtcdTag:    "3.6.8-0",
		CoreDNSTag: "v1.14.2",
		PauseTag:   "3.10.2",
		KubeadmAPI: "kubeadm.k8s.io/v1beta4",
	},
}

// Minors are the minor versions that this Slipway installs, the newest first.
func Minors() []Minor { return slices.Clone(minors) }

// MinorOf finds the row of a version.
func MinorOf(v Version) (Minor, bool) {
	i := slices.IndexFunc(minors, func(m Minor) bool { return m.Name == v.MinorString() })
	if i < 0 {
		return Minor{}, false
	}
	return minors[i], true
}

// Minor is the row of the cluster's version. What Load has read has one.
func (c *Cluster) Minor() (Minor, error) {
	v, err := ParseVersion(c.KubernetesVersion)
	if err != nil {
		return Minor{}, err
	}
	if err := Installable(v); err != nil {
		return Minor{}, err
	}
	minor, _ := MinorOf(v)
	return minor, nil
}

// Installable tells whether this Slipway can install a version: those of the minors that its
// templates are written for. Which of them a bundle holds, the bundle says.
func Installable(v Version) error {
	if _, found := MinorOf(v); found {
		return nil
	}
	var names []string
	for _, minor := range minors {
		names = append(names, minor.Name+".x")
	}
	return fmt.Errorf("this Slipway installs %s, not %s", strings.Join(names, " and "), v)
}

// comesWith is the minor with which a field of a kind comes, where a version does not have it.
func comesWith(v Version, kind, field string) (minor string, later bool) {
	for _, m := range minors {
		if m.Name == v.MinorString() {
			return minor, minor != ""
		}
		if slices.Contains(m.NewFields[kind], field) {
			minor = m.Name
		}
	}
	return "", false
}

// sinceMinor finds the minor, up to a version's own, of which something is true.
func sinceMinor(v Version, is func(Minor) bool) (name string, found bool) {
	from := slices.IndexFunc(minors, func(m Minor) bool { return m.Name == v.MinorString() })
	if from < 0 {
		return "", false
	}
	for _, minor := range minors[from:] {
		if is(minor) {
			return minor.Name, true
		}
	}
	return "", false
}
