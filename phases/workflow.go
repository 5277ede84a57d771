package phases

import (
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// planOf plans the phases of a workflow in their order, if nothing stands in its way: what only
// has to be told is told with the plan.
func planOf(in Input, workflow view.Workflow, phases ...func(*draft)) (plan.Plan, plan.Contents, error) {
	in.Workflow = workflow
	problems := Preflight(workflow, in)
	if len(Errors(problems)) > 0 {
		return plan.Plan{}, nil, &Refused{Problems: problems}
	}
	d := newDraft(in)
	for _, found := range problems {
		d.plan.Warnings = append(d.plan.Warnings, found.String())
	}
	for _, phase := range phases {
		if phase(d); d.err != nil {
			return plan.Plan{}, nil, d.err
		}
	}
	return d.done()
}
