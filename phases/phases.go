// Package phases plans: it holds what should be (manifests) against what is seen (hosts'
// facts) and puts the difference in an order, as data. A workflow (init.go, join.go,
// reset.go) reads as a table of contents; every phase has a file of its own.
//
// It is pure: it touches no host, no clock and no file.
package phases

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// Workflow is what a plan is for.
type Workflow string

// The workflows.
const (
	WorkflowInit      Workflow = "init"
	WorkflowJoin      Workflow = "join"
	WorkflowReset     Workflow = "reset"
	WorkflowPrepare   Workflow = "prepare"
	WorkflowRemove    Workflow = "remove"
	WorkflowHATest    Workflow = "ha-test"
	WorkflowImageLoad Workflow = "image-load"
)

// Input is all that a plan depends on.
type Input struct {
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
	// Force goes on where what is lost by it was said: a reset without the API.
	Force bool
	// Now is when the plan is made: certificates are judged by it.
	Now time.Time

	// workflow is what the plan is for; set when it is begun.
	workflow Workflow
	// images are the user's own that are to be loaded; set when that is planned.
	images []OwnImage
}

// Refused is a plan that was not made, because of what would be wrong with it.
type Refused struct{ Problems []Problem }

func (e *Refused) Error() string {
	lines := make([]string, 0, len(e.Problems))
	for _, found := range e.Problems {
		lines = append(lines, found.String())
	}
	return strings.Join(lines, "\n")
}

// named finds the hosts of the file that the names mean; none means all.
func (in Input) named(names []string) ([]cluster.Host, error) {
	if len(names) == 0 {
		return in.Cluster.Hosts, nil
	}
	wanted := map[string]bool{}
	for _, name := range names {
		if _, ok := in.Cluster.Host(name); !ok {
			return nil, fmt.Errorf("find host %s: the cluster file has no host of this name", name)
		}
		wanted[name] = true
	}
	var found []cluster.Host
	for _, host := range in.Cluster.Hosts {
		if wanted[host.Name] {
			found = append(found, host)
		}
	}
	return found, nil
}

// node finds a node as the API shows it.
func (in Input) node(name string) (hosts.Node, bool) {
	for _, node := range in.ClusterFacts.Nodes {
		if node.Name == name {
			return node, true
		}
	}
	return hosts.Node{}, false
}

// manifests is the input of a rendering.
func (in Input) manifests() (manifests.Input, error) {
	settings, err := in.settings()
	if err != nil {
		return manifests.Input{}, err
	}
	return manifests.Input{
		Cluster:       in.Cluster,
		PKI:           in.PKI,
		Leaves:        in.Leaves,
		Bill:          in.Bill,
		Facts:         in.Facts,
		Settings:      settings,
		ControlPlanes: in.pool(),
		Balancers:     in.holders(),
		EtcdFiles:     in.EtcdFiles,
		RegistryFiles: in.RegistryFiles,
	}, nil
}

// Keys of the objects that keep the cluster-wide settings.
var (
	kubeletConfigKey   = hosts.ObjectKey{APIVersion: "v1", Kind: "ConfigMap", Namespace: "kube-system", Name: "kubelet-config"}
	kubeProxyConfigKey = hosts.ObjectKey{APIVersion: "v1", Kind: "ConfigMap", Namespace: "kube-system", Name: "kube-proxy"}
)

// settings are the given ones, else those that the cluster keeps, else those that the
// hosts of this file can all have.
func (in Input) settings() (manifests.Settings, error) {
	if in.Settings != nil {
		return *in.Settings, nil
	}
	kubelet, proxy := in.ClusterFacts.Objects[kubeletConfigKey], in.ClusterFacts.Objects[kubeProxyConfigKey]
	if len(kubelet) > 0 && len(proxy) > 0 {
		settings, err := manifests.SettingsFromObjects(kubelet, proxy)
		if err != nil {
			return manifests.Settings{}, fmt.Errorf("read the cluster's settings: %w", err)
		}
		return settings, nil
	}
	return manifests.SettingsFromFacts(in.nodeFacts()), nil
}

// nodeFacts are what was seen of the hosts that are to be nodes.
func (in Input) nodeFacts() map[string]hosts.Facts {
	facts := maps.Clone(in.Facts)
	maps.DeleteFunc(facts, func(name string, _ hosts.Facts) bool {
		host, known := in.Cluster.Host(name)
		return known && !isNode(host)
	})
	return facts
}

// begin looks whether the workflow may be planned, and begins the plan: what only has to
// be told is told with it.
func (in Input) begin(workflow Workflow) (*draft, error) {
	in.workflow = workflow
	problems := Preflight(workflow, in)
	if len(Errors(problems)) > 0 {
		return nil, &Refused{Problems: problems}
	}
	d := &draft{
		in:       in,
		plan:     plan.Plan{Workflow: string(workflow), Cluster: in.ClusterID, Steps: []plan.Step{}},
		contents: plan.Contents{},
	}
	for _, found := range problems {
		d.plan.Warnings = append(d.plan.Warnings, found.String())
	}
	return d, nil
}
