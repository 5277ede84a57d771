package phases

import (
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// Images plans to bring the user's own images onto the hosts: those named in the input,
// or all. A host has an image when it has the very same under its name. Of an image for
// several platforms it gets the one that it runs; of several, the first.
func Images(in Input, images []view.OwnImage) (plan.Plan, plan.Contents, error) {
	in.Images = images
	return planOf(in, view.ImageLoad,
		(*draft).beginHosts,
		(*draft).loadOwnImages,
	)
}

func (d *draft) loadOwnImages() {
	images := d.in.Images
	for _, h := range d.drafts {
		for _, reference := range view.References(images) {
			image, _ := view.ImageFor(images, reference, h.facts.Arch)
			have, there := h.facts.Images[reference]
			switch {
			case !there:
				h.step(plan.PhaseImages, reference, plan.LaneImages, plan.Create, "image missing", image)
			case have != image.Manifest.Digest:
				h.step(plan.PhaseImages, reference, plan.LaneImages, plan.Update, "another image has this name", image)
			case h.facts.Record.IsBundled(reference, have):
				h.step(plan.PhaseImages, reference, plan.LaneImages, plan.Update, "it would go when the bundle no longer has it", image)
			}
		}
		h.tidy()
	}
}

// ImageQuery is a host's query that looks for these images only.
func ImageQuery(images []view.OwnImage) hosts.Query {
	return hosts.Query{Units: []string{manifests.ContainerdUnit}, Images: view.References(images)}
}
