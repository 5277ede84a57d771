package phases

import (
	"github.com/slipway-k8s/slipway/phases/forecast"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// Whom a plan that takes hosts in turns drains, and when, follows from the plan. Whether it may begin
// follows from what those drains will do: so they are known beforehand, by a plan that nothing has checked.

// UpgradeDrains are the sets of hosts that Upgrade drains, one set after another.
func UpgradeDrains(in Input) []forecast.Set { return in.drains(view.Upgrade, upgradePhases) }

// RollbackDrains are those that Rollback drains.
func RollbackDrains(in Input) []forecast.Set { return in.drains(view.Rollback, rollbackPhases) }

// TurnsForecast is what the drains of the input will do.
func TurnsForecast(in Input) (forecast.Forecast, error) { return in.TurnsForecast() }

// drains gives nil where no plan can be made, of which is told elsewhere.
func (in Input) drains(workflow view.Workflow, phases []func(*draft)) []forecast.Set {
	in.Workflow = workflow
	if !in.ClusterFacts.Reachable || len(in.Unseen(workflow)) > 0 {
		return nil
	}
	p, _, err := newDraft(in).draw(phases)
	if err != nil {
		return nil
	}
	return drainsOf(p)
}

// drainsOf are the hosts that a plan drains: in one set those whose drains come after as many others.
func drainsOf(p plan.Plan) []forecast.Set {
	before, nodes, depths := plan.Predecessors(p), map[string]string{}, map[string]int{}
	for _, step := range p.Steps {
		if drain, is := step.Cluster.(plan.Drain); is {
			nodes[step.ID] = drain.Node
		}
	}
	var depth func(id string) int
	depth = func(id string) int { // how many drains come one after another up to the step
		if known, is := depths[id]; is {
			return known
		}
		most := 0
		for _, other := range before[id] {
			most = max(most, depth(other))
		}
		if nodes[id] != "" {
			most++
		}
		depths[id] = most
		return most
	}
	sets := []forecast.Set{} // not nil: it is known that there are none
	for _, step := range p.Steps {
		if nodes[step.ID] == "" {
			continue
		}
		at := depth(step.ID)
		for len(sets) < at {
			sets = append(sets, forecast.Set{Return: true})
		}
		sets[at-1].Hosts = append(sets[at-1].Hosts, nodes[step.ID])
	}
	return sets
}
