package view

import (
	"slices"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
)

// KeptFolders are the components' folders that a host needs to go back to the versions that it keeps:
// those that were named, and those that kept links lead into. They are sorted.
func KeptFolders(facts hosts.Facts) []string {
	var folders []string
	for _, kept := range facts.Kept {
		folders = append(folders, kept.Folders...)
		for _, path := range kept.Paths {
			if folder, is := bundle.FolderOf(path.Target); is {
				folders = append(folders, folder)
			}
		}
	}
	slices.Sort(folders)
	return slices.Compact(folders)
}

// KeptImages are the images that it needs for that, by their full references and by the names that they
// lie by beside others of those.
func KeptImages(facts hosts.Facts) []string {
	var images []string
	for _, kept := range facts.Kept {
		for name, digest := range kept.Images {
			images = append(images, name)
			if beside, err := hosts.DigestName(name, digest); err == nil {
				images = append(images, beside)
			}
		}
	}
	return images
}

// StagesOnly tells whether a host is in the cluster and has another bundle in force than this one: what
// a prepare brings there lies beside that, until an upgrade puts it in force.
func (v View) StagesOnly(host cluster.Host) bool {
	facts, seen := v.Facts[host.Name]
	if !seen || !v.Joined(host.Name) && !v.HasCome(host, facts) {
		return false
	}
	return !v.InForce(facts)
}
