package plan

import "github.com/slipway-k8s/slipway/hosts"

// Refs lists what a step's action needs to be there first, each once: contents by ref
// and the bundle's blobs by digest.
func Refs(step Step) []string {
	var refs []string
	seen := map[string]bool{"": true}
	add := func(ref string) {
		if !seen[ref] {
			seen[ref] = true
			refs = append(refs, ref)
		}
	}
	switch action := step.Action.(type) {
	case hosts.WriteFile:
		add(action.Content)
	case hosts.Unpack:
		for _, file := range action.Files {
			add(file.Layer)
		}
	case hosts.LoadImage:
		add(action.Manifest.Digest)
		for _, blob := range action.Blobs {
			add(blob.Digest)
		}
	}
	switch action := step.Cluster.(type) {
	case Apply:
		add(action.Content)
	case WaitPods:
		for _, pod := range action.Pods {
			add(pod.Manifest)
		}
	}
	return refs
}
