package phases

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/bundle"
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
			}
		}
		h.tidy()
	}
}

// ImageQuery is a host's query that looks for these images only.
func ImageQuery(images []view.OwnImage) hosts.Query {
	return hosts.Query{Units: []string{manifests.ContainerdUnit}, Images: view.References(images)}
}

// platformProblems are images that the host cannot run.
func (in Input) platformProblems(name string, facts hosts.Facts) []Problem {
	var problems []Problem
	for _, reference := range view.References(in.Images) {
		if _, found := view.ImageFor(in.Images, reference, facts.Arch); found {
			continue
		}
		var there []string
		for _, image := range in.Images {
			if text := image.Platform.String(); image.Load.Reference == reference && !slices.Contains(there, text) {
				there = append(there, text)
			}
		}
		host := bundle.Platform{OS: "linux", Arch: facts.Arch}
		problems = append(problems, Problem{
			Check: "platform", Host: name, Severity: SeverityError,
			Detail: fmt.Sprintf("the image %s is for %s, the host is %s", reference, strings.Join(there, ", "), host),
			Fix:    fmt.Sprintf("build or pull the image for it (--platform %s), and save that", host),
		})
	}
	return problems
}

func (in Input) loadProblems(name string) []Problem {
	facts, seen := in.Facts[name]
	if !seen {
		return []Problem{in.unreached(name)}
	}
	if facts.Record == nil {
		return []Problem{{
			Check: "membership", Host: name, Severity: SeverityError,
			Detail: "the host is in no cluster", Fix: "bring it in first: slipway join",
		}}
	}
	var problems []Problem
	if facts.Units[manifests.ContainerdUnit].Active != "active" {
		problems = append(problems, Problem{
			Check: "containerd", Host: name, Severity: SeverityError,
			Detail: "containerd is not running", Fix: "systemctl start " + manifests.ContainerdUnit,
		})
	}
	return append(problems, in.platformProblems(name, facts)...)
}
