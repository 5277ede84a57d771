package phases

import (
	"slices"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// Images plans to bring the user's own images onto the hosts: those named in the input,
// or all. A host has an image when it has the very same under its name.
func Images(in Input, images []hosts.LoadImage) (plan.Plan, plan.Contents, error) {
	d, err := in.begin(WorkflowImageLoad)
	if err != nil {
		return plan.Plan{}, nil, err
	}
	for _, host := range in.targets(WorkflowImageLoad) {
		h := d.forHost(host, manifests.HostState{})
		for _, image := range images {
			have, there := h.facts.Images[image.Reference]
			switch {
			case !there:
				h.step(phaseImages, image.Reference, plan.LaneImages, plan.Create, "image missing", image)
			case have != image.Manifest.Digest:
				h.step(phaseImages, image.Reference, plan.LaneImages, plan.Update, "another image has this name", image)
			}
		}
		h.tidy()
	}
	return d.done()
}

// ImageQuery is a host's query that looks for these images only.
func ImageQuery(images []hosts.LoadImage) hosts.Query {
	query := hosts.Query{Units: []string{manifests.ContainerdUnit}}
	for _, image := range images {
		if !slices.Contains(query.Images, image.Reference) {
			query.Images = append(query.Images, image.Reference)
		}
	}
	return query
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
	problems := in.recordProblems(name, facts)
	if facts.Units[manifests.ContainerdUnit].Active != "active" {
		problems = append(problems, Problem{
			Check: "containerd", Host: name, Severity: SeverityError,
			Detail: "containerd is not running", Fix: "systemctl start " + manifests.ContainerdUnit,
		})
	}
	return problems
}
