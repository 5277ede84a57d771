// Package plan is what Slipway is going to do, as data: steps, the actions on the cluster,
// events, and what can be told from a plan without applying it.
//
// phases makes plans; phases/engine applies them.
package plan

import (
	"slices"

	"github.com/slipway-k8s/slipway/hosts"
)

// Plan is an ordered set of steps. It determines what applying it does.
type Plan struct {
	Workflow string         `json:"workflow"` // init, join, reset, …
	Cluster  hosts.Identity `json:"cluster"`
	// Bundle is what the hosts' binaries and images come from; nil where there is none.
	Bundle *Bundle `json:"bundle,omitempty"`
	// Versions says from which version of Kubernetes to which it leads, and on which hosts; empty where it
	// changes none.
	Versions string `json:"versions,omitempty"`
	Steps    []Step `json:"steps"`
	// Warnings are shown with the plan; they do not stop it.
	Warnings []string `json:"warnings,omitempty"`
	// Left is what the workflow changes and this plan leaves for later: hosts by name, and what runs in
	// the cluster.
	Left []string `json:"left,omitempty"`
}

// Bundle names a bundle and says who signed it.
type Bundle struct {
	Digest    string `json:"digest"`    // of its index, and so of all that is in it
	Signature string `json:"signature"` // who signed it, or that nobody did
}

// Step is one action at one place.
type Step struct {
	// ID is stable and part of the interface: host/phase/thing, or cluster/phase/thing.
	ID      string  `json:"id"`
	Phase   Phase   `json:"phase"`
	Subject Subject `json:"subject,omitzero"`
	// Host is where the step is done; empty for the cluster, which any healthy
	// control plane can serve.
	Host string `json:"host,omitempty"`
	// Lane: a place's steps in one lane run in the plan's order, different lanes at once.
	Lane  string       `json:"lane"`
	After []Dependency `json:"after,omitempty"`
	// Rescues makes it a rescue step: one that runs only where something of these steps has begun
	// and not all of them are done, because one failed, or was skipped, or the operator interrupted
	// the run. It waits until each of them has ended, whichever way. Else it is not needed, and
	// whatever waits for it goes on. It waits for other rescue steps by After and, among those that
	// rescue the same steps, by its lane; ordinary steps never wait for one. An interrupt does not
	// cut it short, and a run in which one was needed has failed all the same.
	Rescues []string `json:"rescues,omitempty"`
	Why     string   `json:"why"`
	// Change says what becomes of the step's object; empty where it only waits.
	Change Change `json:"change,omitempty"`
	// Action is what is done on Host; Cluster what is done to the cluster. One is set.
	Action  hosts.Action  `json:"-"`
	Cluster ClusterAction `json:"-"`
}

// Change is what a step does to its object, for showing.
type Change string

// The changes.
const (
	Create Change = "create"
	Update Change = "update"
	Remove Change = "remove"
)

// Dependency waits for all of a set of steps, or with Any for one of them.
type Dependency struct {
	Steps []string `json:"steps"`
	Any   bool     `json:"any,omitempty"`
}

// Lanes that the planners use.
const (
	LaneWork     = "work"     // settings, units, static Pods
	LaneFiles    = "files"    // files and links, while binaries are on their way
	LaneBinaries = "binaries" // sets of the bundle
	LaneImages   = "images"   // images into containerd
	LaneWait     = "wait"     // waiting, so that it holds up nothing else
)

// IsRescue tells whether the step runs only where others have not come to their end.
func (s Step) IsRescue() bool { return len(s.Rescues) > 0 }

// All waits for every one of the steps.
func All(steps ...string) Dependency { return Dependency{Steps: steps} }

// Any waits for the first of the steps.
func Any(steps ...string) Dependency { return Dependency{Steps: steps, Any: true} }

// Empty tells whether there is nothing to do.
func (p Plan) Empty() bool { return len(p.Steps) == 0 }

// Subject is whom a step is about: a host, an object of the API, or a member of etcd. A step that
// is done to the cluster for a host's sake is about that host.
type Subject struct {
	Host   string          `json:"host,omitempty"`
	Object hosts.ObjectKey `json:"object,omitzero"`
	Member string          `json:"member,omitempty"` // its name or, where it has none, where its peers are
}

// Kind is the name of what a step does, in plans, events and journals.
func Kind(step Step) string { return describe(step).Kind }

// Describe says in a few words what a step does, whether it is done or shown.
func Describe(step Step) string { return describe(step).Text() }

// Refs lists what a step's action needs to be there first, each once: contents by ref
// and the bundle's blobs by digest.
func Refs(step Step) []string {
	var refs []string
	for _, ref := range describe(step).Refs {
		if ref != "" && !slices.Contains(refs, ref) {
			refs = append(refs, ref)
		}
	}
	return refs
}

func describe(step Step) hosts.Description {
	switch {
	case step.Cluster != nil:
		return step.Cluster.describe()
	case step.Action != nil:
		return hosts.Describe(step.Action)
	}
	return hosts.Description{Deed: "do nothing"}
}
