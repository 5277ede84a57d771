package plan

import (
	"slices"

	"github.com/slipway-k8s/slipway/hosts"
)

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
