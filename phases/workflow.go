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
	for _, found := range findings {
		d.plan.Warnings = append(d.plan.Warnings, found.String())
	}
	for _, phase := range phases {
		if phase(d); d.err != nil {
			return plan.Plan{}, nil, d.err
		}
	}
	return d.done()
}
