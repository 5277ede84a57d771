package plan

import "strings"

// Phase is a part of a workflow. Where kubeadm has the part, it has kubeadm's name.
type Phase string

// The phases of a host: what makes it a part of a cluster.
const (
	PhasePrepare      Phase = "prepare"
	PhaseBinaries     Phase = "binaries" // a version comes to the host, beside those that are there
	PhaseActivate     Phase = "activate" // it is the one that starts from then on
	PhaseContainerd   Phase = "containerd"
	PhaseImages       Phase = "images"
	PhaseCerts        Phase = "certs"
	PhaseKubeconfig   Phase = "kubeconfig"
	PhaseEtcd         Phase = "etcd"
	PhaseControlPlane Phase = "control-plane"
	PhaseKubelet      Phase = "kubelet"
	PhaseLoadBalancer Phase = "load-balancer"
	PhaseTidy         Phase = "tidy"
	PhasePrune        Phase = "prune" // what is no longer wanted goes
)

// The phases of API objects.
const (
	PhaseKubeletFinalize Phase = "kubelet-finalize"
	PhaseUploadConfig    Phase = "upload-config"
	PhaseBootstrapToken  Phase = "bootstrap-token"
	PhaseAddonKubeProxy  Phase = addonPrefix + "kube-proxy"
	PhaseAddonFlannel    Phase = addonPrefix + "flannel"
	PhaseAddonCoreDNS    Phase = addonPrefix + "coredns"
)

// The phases of a host in the cluster: its coming, its going, and a test of both.
const (
	PhaseWaitQuorum       Phase = "wait-quorum"
	PhaseEtcdJoin         Phase = "etcd-join"
	PhaseWaitControlPlane Phase = "wait-control-plane"
	PhaseWaitEndpoint     Phase = "wait-endpoint"
	PhaseWaitNode         Phase = "wait-node"
	PhaseMarkControlPlane Phase = "mark-control-plane"
	PhaseMarkNode         Phase = "mark-node"
	PhaseRemoveNode       Phase = "remove-node"
	PhaseRemoveEtcdMember Phase = "remove-etcd-member"
	PhaseCleanupNode      Phase = "cleanup-node"
	PhaseHATest           Phase = "ha-test"
	PhasePutBack          Phase = "put-back" // what runs only where the change of a host's version fails
	PhaseUpgrade          Phase = "upgrade"  // what is around the change of a host's version
	PhaseDrain            Phase = "drain"    // cordon and uncordon as well
	PhaseReboot           Phase = "reboot"   // what is around a host's reboot, and that itself
	PhaseSmoke            Phase = "smoke"
)

const addonPrefix = "addon/"

// Label is the phase as the value of a label, which may have no slash. PhaseOf reads it.
func (p Phase) Label() string { return strings.ReplaceAll(string(p), "/", ".") }

// PhaseOf is the phase that a label's value names.
func PhaseOf(label string) Phase { return Phase(strings.ReplaceAll(label, ".", "/")) }

// IsAddon tells whether the phase applies an add-on.
func (p Phase) IsAddon() bool { return strings.HasPrefix(string(p), addonPrefix) }
