package plan

import (
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
)

var _ = register(WaitAPI{}, WaitNode{}, WaitPods{}, WaitAvailable{}, WaitEndpoint{}, WaitTurn{}, WaitBoot{})

// WaitAPI waits until the API server on one host answers /readyz or, with Serving, takes
// requests, which it does before all is done that /readyz asks for.
type WaitAPI struct {
	Host    string `json:"host"`
	Serving bool   `json:"serving,omitempty"`
	// Version, if set, is what it has to be, with a leading v: one of before does not count.
	Version string `json:"version,omitempty"`
	Timeout int    `json:"timeoutSeconds"`
	Patience
}

func (a WaitAPI) describe() hosts.Description {
	until := " to be ready"
	if a.Serving {
		until = " to take requests"
	}
	if a.Version != "" {
		until += " with " + a.Version
	}
	return hosts.Description{Kind: "wait-api", Deed: "wait for the API server on " + a.Host + until}
}

// WaitNode waits until a node is registered or, with Ready, is Ready and has a ready Pod of
// each of the DaemonSets.
type WaitNode struct {
	Node       string            `json:"node"`
	Ready      bool              `json:"ready"`
	DaemonSets []hosts.ObjectKey `json:"daemonSets,omitempty"`
	// Restarted: its kubelet was restarted, and Ready may still be from before. It counts once the
	// kubelet has renewed its lease twice, ten seconds apart as usual: a kubelet that crashes in a
	// loop renews it sooner.
	Restarted bool `json:"restarted,omitempty"`
	Timeout   int  `json:"timeoutSeconds"`
	Patience
}

func (a WaitNode) describe() hosts.Description {
	until := " to register"
	if a.Ready {
		until = " to be Ready"
	}
	return hosts.Description{Kind: "wait-node", Deed: "wait for node " + a.Node + until}
}

// WaitPods waits until static Pods of a host run, ready, as their manifests say: a Pod of the
// manifest of before does not count.
type WaitPods struct {
	Host    string      `json:"host"`
	Pods    []StaticPod `json:"pods"`
	Timeout int         `json:"timeoutSeconds"`
	Patience
}

// StaticPod is a static Pod by its manifest.
type StaticPod struct {
	Name     string `json:"name"`     // as the manifest has it, without the node's
	Manifest string `json:"manifest"` // ref of its YAML
}

func (a WaitPods) describe() hosts.Description {
	var names, refs []string
	for _, pod := range a.Pods {
		names, refs = append(names, pod.Name), append(refs, pod.Manifest)
	}
	return hosts.Description{
		Kind: "wait-pods", Deed: "wait for the new " + strings.Join(names, ", ") + " on " + a.Host, Refs: refs,
	}
}

// WaitAvailable waits until a Deployment or DaemonSet has rolled out.
type WaitAvailable struct {
	Object hosts.ObjectKey `json:"object"`
	// Missing is how many of a DaemonSet's Pods may be missing: those of nodes that are left out.
	Missing int `json:"missing,omitempty"`
	Timeout int `json:"timeoutSeconds"`
	Patience
}

func (a WaitAvailable) describe() hosts.Description {
	return hosts.Description{Kind: "wait-available", Deed: "wait for " + a.Object.String() + " to be available"}
}

// WaitEndpoint waits until the API answers on host:port as seen from a host.
type WaitEndpoint struct {
	Host    string `json:"host"`
	Address string `json:"address"`
	Timeout int    `json:"timeoutSeconds"`
	Patience
}

func (a WaitEndpoint) describe() hosts.Description {
	return hosts.Description{Kind: "wait-endpoint", Deed: "wait until " + a.Host + " reaches the API by " + a.Address}
}

// WaitTurn has controllers that are spares start when all nodes there are Ready and the objects
// have rolled out, or the time is over. It never fails for that: it saves their work for when
// there is nothing more urgent.
type WaitTurn struct {
	Host    string            `json:"host"`
	Objects []hosts.ObjectKey `json:"objects,omitempty"` // Deployments and DaemonSets
	Timeout int               `json:"timeoutSeconds"`
}

func (a WaitTurn) describe() hosts.Description {
	return hosts.Description{Kind: "wait-turn", Deed: "let the controllers on " + a.Host + " start in turn"}
}

// WaitBoot waits until a host that reboots answers again, in another boot.
type WaitBoot struct {
	Host    string `json:"host"`
	Before  string `json:"before"` // the ID of the boot that is to end
	Timeout int    `json:"timeoutSeconds"`
}

func (a WaitBoot) describe() hosts.Description {
	return hosts.Description{Kind: "wait-boot", Deed: "wait until " + a.Host + " has booted and answers"}
}
