// Package phases plans: it holds what should be (manifests) against what is seen (hosts'
// facts) and puts the difference in an order, as data. A workflow (init.go, join.go,
// reset.go) reads as a table of contents; every phase has a file of its own.
//
// It is pure: it touches no host, no clock and no file.
package phases

import (
	"strings"

	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// Input is all that a plan depends on.
type Input struct{ view.View }

// Refused is a plan that was not made, because of what would be wrong with it.
type Refused struct{ Problems []Problem }

func (e *Refused) Error() string {
	lines := make([]string, 0, len(e.Problems))
	for _, found := range e.Problems {
		lines = append(lines, found.String())
	}
	return strings.Join(lines, "\n")
}

// manifests is the input of a rendering.
func (in Input) manifests() (manifests.Input, error) {
	settings, err := in.ChosenSettings()
	if err != nil {
		return manifests.Input{}, err
	}
	return manifests.Input{
		Cluster:       in.Cluster,
		PKI:           in.PKI,
		Leaves:        in.Leaves,
		Bill:          in.Bill,
		Facts:         in.Facts,
		Settings:      settings,
		ControlPlanes: in.Pool(),
		Balancers:     in.Holders(),
		EtcdFiles:     in.EtcdFiles,
		RegistryFiles: in.RegistryFiles,
	}, nil
}

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
