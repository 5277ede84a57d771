package checks

import (
	"slices"

	"github.com/slipway-k8s/slipway/phases/view"
)

// Gate is a check that a workflow has to pass, with what it has found.
type Gate struct {
	Check string `json:"check"`
	// Ignorable tells whether --ignore-checks lets its errors pass.
	Ignorable bool      `json:"ignorable"`
	Findings  []Finding `json:"findings,omitempty"`
}

// Stops tells whether the workflow is not begun because of what the gate has found.
func (g Gate) Stops() bool { return len(Errors(g.Findings)) > 0 }

// Gates are the checks of a workflow by their names, in the order of the table, with what of the
// findings is theirs. What is found only while a plan is made, such as a quorum that does not hold, has a
// gate of its own, which cannot be ignored.
func Gates(workflow view.Workflow, findings []Finding) []Gate {
	var gates []Gate
	for _, check := range Table {
		if !slices.Contains(check.In, workflow) {
			continue
		}
		at := slices.IndexFunc(gates, func(g Gate) bool { return g.Check == check.Name })
		if at < 0 {
			at, gates = len(gates), append(gates, Gate{Check: check.Name})
		}
		gates[at].Ignorable = gates[at].Ignorable || check.Needed == "" && check.Severity == Error
	}
	for _, found := range findings {
		at := slices.IndexFunc(gates, func(g Gate) bool { return covers(g.Check, found.Check) })
		if at < 0 {
			at, gates = len(gates), append(gates, Gate{Check: found.Check})
		}
		gates[at].Findings = append(gates[at].Findings, found)
	}
	return gates
}
