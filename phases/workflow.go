// Package phases plans: it holds what should be (manifests) against what is seen (hosts'
// facts) and puts the difference in an order, as data.
//
// Its files lie on floors, each of which uses only those below it:
//
//	init.go, join.go, reset.go …      the workflows: lists of phases
//	install.go, control_plane.go …    the phases, one a file
//	files.go, units.go, images.go …   what steps there are to bring a host to its state
//	compare.go, certs.go, objects.go  whether something is as it should be
//	draft.go, match.go, edges.go      the plan so far, and what of it a step waits for
//	input.go                          what a plan depends on
//
// It is pure: it touches no host, no clock and no file.
package phases

import (
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// planOf plans the phases of a workflow in their order, if nothing stands in its way: what only
// has to be told is told with the plan.
func planOf(in Input, workflow view.Workflow, phases ...func(*draft)) (plan.Plan, plan.Contents, error) {
	in.Workflow = workflow
	findings := checks.Preflight(workflow, in.View)
	if len(checks.Errors(findings)) > 0 {
		return plan.Plan{}, nil, &checks.Refused{Findings: findings}
	}
	d := newDraft(in)
	for _, found := range checks.Together(findings) {
		d.plan.Warnings = append(d.plan.Warnings, found.String())
	}
	return d.draw(phases)
}

// draw adds what each of the phases does, and gives the plan.
func (d *draft) draw(phases []func(*draft)) (plan.Plan, plan.Contents, error) {
	for _, phase := range phases {
		if phase(d); d.err != nil {
			return plan.Plan{}, nil, d.err
		}
	}
	return d.done()
}
