package phases

import (
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/phases/plan"
)

// position is where a step stands in its lane.
type position struct {
	lane plan.Lane
	at   int
}

// dropIdleEdges takes away the dependencies that the lanes' order already sees to: of
// several steps in one lane only the last has to be waited for, and nothing that the
// step before has waited for already.
func dropIdleEdges(steps []plan.Step) {
	positions := map[string]position{}
	ends := map[plan.Lane]int{}
	for _, step := range steps {
		at := plan.LaneOf(step)
		positions[step.ID] = position{at, ends[at]}
		ends[at]++
	}
	settled := map[plan.Lane]*waited{}
	for i, step := range steps {
		at := plan.LaneOf(step)
		if settled[at] == nil {
			settled[at] = &waited{last: map[plan.Lane]int{}, anyOf: map[string]bool{}}
		}
		var kept []plan.Dependency
		for _, dependency := range step.After {
			if dependency = settled[at].unsettled(dependency, positions); len(dependency.Steps) > 0 {
				kept = append(kept, dependency)
			}
		}
		steps[i].After = kept
		settled[at].last[at] = positions[step.ID].at
	}
}

// waited is what a lane has waited for so far: how far each other lane has come, and of
// which sets one step is done.
type waited struct {
	last  map[plan.Lane]int
	anyOf map[string]bool
}

func (w *waited) has(p position) bool {
	at, known := w.last[p.lane]
	return known && p.at <= at
}

// unsettled is what is left of a dependency; it is seen to from then on.
func (w *waited) unsettled(dependency plan.Dependency, positions map[string]position) plan.Dependency {
	if dependency.Any {
		key := strings.Join(dependency.Steps, " ")
		idle := w.anyOf[key]
		for _, id := range dependency.Steps {
			idle = idle || w.has(positions[id])
		}
		w.anyOf[key] = true
		if idle {
			return plan.Dependency{}
		}
		return dependency
	}
	furthest := map[plan.Lane]int{}
	for _, id := range dependency.Steps {
		p := positions[id]
		furthest[p.lane] = max(furthest[p.lane], p.at)
	}
	var left plan.Dependency
	for _, id := range dependency.Steps {
		p := positions[id]
		if p.at == furthest[p.lane] && !w.has(p) {
			left.Steps = append(left.Steps, id)
			w.last[p.lane] = p.at
		}
	}
	return left
}

// after makes the dependencies of a step: on all of one set, and on any of others.
func after(every []string, anyOf ...[]string) []plan.Dependency {
	var dependencies []plan.Dependency
	if len(every) > 0 {
		dependencies = append(dependencies, plan.All(every...))
	}
	for _, ids := range anyOf {
		if len(ids) > 0 {
			dependencies = append(dependencies, plan.Any(ids...))
		}
	}
	return dependencies
}

// join puts ids together, each once.
func join(lists ...[]string) []string {
	var ids []string
	for _, list := range lists {
		for _, id := range list {
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}
