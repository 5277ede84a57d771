package checks

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/view"
)

func noContainerd(_ view.View, _ cluster.Host, facts hosts.Facts) []Finding {
	return when(facts.Record != nil && facts.Units[manifests.ContainerdUnit].Active != "active",
		finding("systemctl start "+manifests.ContainerdUnit, "containerd is not running"))
}

// otherImagePlatform are images that the host cannot run.
func otherImagePlatform(v view.View, _ cluster.Host, facts hosts.Facts) []Finding {
	if facts.Record == nil {
		return nil
	}
	platform := bundle.Platform{OS: "linux", Arch: facts.Arch}
	var all []Finding
	for _, reference := range view.References(v.Images) {
		if _, found := view.ImageFor(v.Images, reference, facts.Arch); found {
			continue
		}
		var there []string
		for _, image := range v.Images {
			if text := image.Platform.String(); image.Load.Reference == reference && !slices.Contains(there, text) {
				there = append(there, text)
			}
		}
		all = append(all, finding(fmt.Sprintf("build or pull the image for it (--platform %s), and save that", platform),
			"the image %s is for %s, the host is %s", reference, strings.Join(there, ", "), platform))
	}
	return all
}
