// Package view is all that a plan depends on: the cluster file, what was minted, and what was
// seen of hosts and cluster. It answers what both the checks and the planners ask: which hosts
// are in the cluster, what of a host is Slipway's, whether etcd has begun.
//
// It is pure: it touches no host, no clock and no file.
package view

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/forecast"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// Workflow is what a plan is for.
type Workflow string

// The workflows.
const (
	Init      Workflow = "init"
	Join      Workflow = "join"
	Reset     Workflow = "reset"
	Prepare   Workflow = "prepare"
	Remove    Workflow = "remove"
	HATest    Workflow = "ha-test"
	ImageLoad Workflow = "image-load"
	Upgrade   Workflow = "upgrade-apply"
	Rollback  Workflow = "upgrade-rollback"
	Cordon    Workflow = "cordon"
	Uncordon  Workflow = "uncordon"
	Drain     Workflow = "drain"
	Stop      Workflow = "stop"
	Start     Workflow = "start"
	Smoke     Workflow = "smoke"
	Reboot    Workflow = "reboot"
)

// ChangesVersion tells whether a workflow brings hosts from one version of Kubernetes to another.
func (w Workflow) ChangesVersion() bool { return w == Upgrade || w == Rollback }

// PauseAfterControlPlanes stands, instead of a host, for all that an upgrade changes before the first
// worker: the control planes, the load balancers and what runs in the cluster.
const PauseAfterControlPlanes = "control-planes"

// View is all that a plan depends on.
type View struct {
	Cluster   *cluster.Cluster // completed and valid
	ClusterID hosts.Identity
	Bill      bundle.Bill
	PKI       certs.PKI
	// Leaves are the minted leaves by host name, then by the catalogue's name.
	Leaves map[string]map[string]certs.Leaf
	// Facts are what was seen, by host name; a host that could not be asked has none,
	// and its error in Unreached.
	Facts     map[string]hosts.Facts
	Unreached map[string]error
	// Observed is when, by the operator's clock, each host's facts were taken; may be nil.
	Observed map[string]time.Time
	// ClusterFacts are what was seen of the cluster, by ClusterQuery.
	ClusterFacts hosts.ClusterFacts
	// Settings are the cluster-wide choices. Where nil, they are those that the cluster
	// keeps or, before there is one, those that all hosts' facts allow.
	Settings *manifests.Settings
	// EtcdFiles are the external etcd's CA, certificate and key by the path in the cluster file.
	EtcdFiles map[string][]byte
	// Begun names the hosts that were let begin their member of etcd, as far as the operator's
	// state folder knows.
	Begun map[string]bool
	// JoinedBefore names the hosts that were in the cluster when a command last ended well, as far as
	// the operator's state folder knows: with one of them init has completed.
	JoinedBefore map[string]bool
	// RemoveStale lets a join remove etcd members that stand in its way.
	RemoveStale bool
	// RegistryFiles are the registries' CA and credentials files by the path in the cluster file.
	RegistryFiles map[string][]byte
	// Hosts are the names of those that this run touches; none means all that the
	// workflow is for.
	Hosts []string
	// HostsOnly has a prepare set the hosts' own settings and put nothing there that comes from a bundle.
	HostsOnly bool
	// Force goes on where what is lost by it was said: a reset without the API.
	Force bool
	// IgnoreChecks are the names of checks whose findings do not stop anything.
	IgnoreChecks []string
	// Back is what hosts have kept of before the bundle BackFrom came, by their names, and KeptContents
	// the contents of the files among it, by digest: what a rollback goes back to.
	Back         map[string]hosts.Kept
	BackFrom     string
	KeptContents map[string][]byte
	// WorkersAtOnce is how many workers an upgrade changes at a time; 0: as usual.
	WorkersAtOnce int
	// SnapshotRoom is what is free, in bytes, where the operator's machine keeps snapshots of etcd; 0: it
	// is not known.
	SnapshotRoom int64
	// SnapshotFolder is the folder there of the cluster's snapshots, of which there may be none yet; empty: it
	// is not known.
	SnapshotFolder string
	// PauseAfter is after whose turn an upgrade pauses: a host's name, or PauseAfterControlPlanes; empty: it
	// does not.
	PauseAfter string
	// Without are the names of the hosts that an upgrade or a rollback leaves out: they are down.
	Without []string
	// Boots are, by host name, the boots that a reboot is to end, as it has found them first; nil: it looks for
	// the first time.
	Boots map[string]string
	// Now is when the plan is made: certificates are judged by it.
	Now time.Time

	// Workloads is what runs in the cluster, where the plan goes by a forecast of drains; nil else.
	Workloads *forecast.State
	// Drains are the sets of hosts that the plan will drain, one set after another, where it takes hosts in
	// turns. Nil: they are not known; empty: it drains none.
	Drains []forecast.Set
	// Drain is how hosts are drained, by the command and the file; OnBlocked is what to do where a
	// drain would not end.
	Drain     plan.DrainOptions
	OnBlocked cluster.OnBlocked

	// Workflow is what the plan is for; set when it is begun.
	Workflow Workflow
	// Images are the user's own that are to be loaded; set when that is planned.
	Images []OwnImage
}

// Named finds the hosts of the file that the names mean; none means all.
func (v View) Named(names []string) ([]cluster.Host, error) {
	if len(names) == 0 {
		return v.Cluster.Hosts, nil
	}
	wanted := map[string]bool{}
	for _, name := range names {
		if _, ok := v.Cluster.Host(name); !ok {
			return nil, fmt.Errorf("find host %s: the cluster file has no host of this name", name)
		}
		wanted[name] = true
	}
	var found []cluster.Host
	for _, host := range v.Cluster.Hosts {
		if wanted[host.Name] {
			found = append(found, host)
		}
	}
	return found, nil
}

// Node finds a node as the API shows it.
func (v View) Node(name string) (hosts.Node, bool) {
	for _, node := range v.ClusterFacts.Nodes {
		if node.Name == name {
			return node, true
		}
	}
	return hosts.Node{}, false
}

// Among tells whether a host of the name is in a list.
func Among(list []cluster.Host, name string) bool {
	return slices.ContainsFunc(list, func(host cluster.Host) bool { return host.Name == name })
}

// Keys of the objects that keep the cluster-wide settings.
var (
	KubeletConfigKey   = hosts.ObjectKey{APIVersion: "v1", Kind: "ConfigMap", Namespace: "kube-system", Name: "kubelet-config"}
	KubeProxyConfigKey = hosts.ObjectKey{APIVersion: "v1", Kind: "ConfigMap", Namespace: "kube-system", Name: "kube-proxy"}
)

// ChosenSettings are the given ones, else those that the cluster keeps, else those that the
// hosts of this file can all have; what the file itself says goes before both.
func (v View) ChosenSettings() (manifests.Settings, error) {
	if v.Settings != nil {
		return *v.Settings, nil
	}
	kubelet, proxy := v.ClusterFacts.Objects[KubeletConfigKey], v.ClusterFacts.Objects[KubeProxyConfigKey]
	if len(kubelet) > 0 && len(proxy) > 0 {
		settings, err := manifests.SettingsFromObjects(kubelet, proxy)
		if err != nil {
			return manifests.Settings{}, fmt.Errorf("read the cluster's settings: %w", err)
		}
		return settings.SaidIn(v.Cluster), nil
	}
	return manifests.SettingsFromFacts(v.nodeFacts()).SaidIn(v.Cluster), nil
}

// nodeFacts are what was seen of the hosts that are to be nodes.
func (v View) nodeFacts() map[string]hosts.Facts {
	facts := maps.Clone(v.Facts)
	maps.DeleteFunc(facts, func(name string, _ hosts.Facts) bool {
		host, known := v.Cluster.Host(name)
		return known && !host.IsNode()
	})
	return facts
}
