package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Validate says all that is wrong with a plan's form: ids that are not unique, edges to
// nowhere, cycles (a lane's order counts as edges), steps without exactly one action, steps
// that wait for rescue steps or rescue them.
func Validate(p Plan) error {
	var problems []error
	known := map[string]Step{}
	for _, step := range p.Steps {
		if _, twice := known[step.ID]; twice {
			problems = append(problems, fmt.Errorf("step %s: there are two of this id", step.ID))
		}
		known[step.ID] = step
		problems = append(problems, validateStep(step)...)
	}
	for _, step := range p.Steps {
		problems = append(problems, validateEdges(step, known)...)
	}
	if len(problems) == 0 {
		if _, err := Order(p); err != nil {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

func validateStep(step Step) []error {
	var problems []error
	bad := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("step %q: "+format, append([]any{step.ID}, args...)...))
	}
	if step.ID == "" {
		bad("it has no id")
	}
	if step.Phase == "" {
		bad("it has no phase")
	}
	if step.Lane == "" {
		bad("it has no lane")
	}
	switch {
	case step.Action == nil && step.Cluster == nil:
		bad("it has no action")
	case step.Action != nil && step.Cluster != nil:
		bad("it has two actions")
	case step.Action != nil && step.Host == "":
		bad("%s is a host's action, but no host is named", Kind(step))
	case step.Cluster != nil && step.Host != "":
		bad("%s is the cluster's action, but host %s is named", Kind(step), step.Host)
	}
	return problems
}

func validateEdges(step Step, known map[string]Step) []error {
	problems := validateRescues(step, known)
	for _, dependency := range step.After {
		if len(dependency.Steps) == 0 {
			problems = append(problems, fmt.Errorf("step %q: it waits for no step", step.ID))
		}
		for _, id := range dependency.Steps {
			other, there := known[id]
			switch {
			case !there:
				problems = append(problems, fmt.Errorf("step %q: it waits for %q, which is not in the plan", step.ID, id))
			case other.IsRescue() && !step.IsRescue():
				problems = append(problems, fmt.Errorf("step %q: it waits for %q, which runs only if others fail", step.ID, id))
			case step.IsRescue() && !other.IsRescue():
				problems = append(problems, fmt.Errorf("step %q: it runs only if others fail, and waits for %q by more than its rescues", step.ID, id))
			}
		}
	}
	return problems
}

func validateRescues(step Step, known map[string]Step) []error {
	var problems []error
	for _, id := range step.Rescues {
		rescued, there := known[id]
		switch {
		case !there:
			problems = append(problems, fmt.Errorf("step %q: it rescues %q, which is not in the plan", step.ID, id))
		case rescued.IsRescue():
			problems = append(problems, fmt.Errorf("step %q: it rescues %q, which is a rescue step itself", step.ID, id))
		}
	}
	return problems
}

// Lane is what keeps an order: a lane of one place and, of its rescue steps, those that rescue the same.
type Lane struct{ host, name, rescues string }

// LaneOf is the lane whose order a step keeps.
func LaneOf(step Step) Lane { return Lane{step.Host, step.Lane, strings.Join(step.Rescues, " ")} }

// Predecessors lists, by step id, all steps that have to end first: by the lane's order,
// the edges, those on any one of a set included, and what a step rescues.
func Predecessors(p Plan) map[string][]string {
	before := make(map[string][]string, len(p.Steps))
	last := map[Lane]string{}
	for _, step := range p.Steps {
		at, ids := LaneOf(step), slices.Clone(step.Rescues)
		if previous, ok := last[at]; ok {
			ids = append(ids, previous)
		}
		for _, dependency := range step.After {
			ids = append(ids, dependency.Steps...)
		}
		before[step.ID] = ids
		last[at] = step.ID
	}
	return before
}

// Order gives the steps' ids in one legal order, the plan's own wherever it can be kept;
// it fails where steps wait for each other, and names them.
func Order(p Plan) ([]string, error) {
	before := Predecessors(p)
	done := make(map[string]bool, len(p.Steps))
	order := make([]string, 0, len(p.Steps))
	for len(order) < len(p.Steps) {
		progress := false
		for _, step := range p.Steps {
			if !done[step.ID] && all(before[step.ID], done) {
				done[step.ID] = true
				order = append(order, step.ID)
				progress = true
			}
		}
		if !progress {
			return nil, fmt.Errorf("steps wait for each other: %s", strings.Join(stuck(p, done), ", "))
		}
	}
	return order, nil
}

func all(ids []string, done map[string]bool) bool {
	for _, id := range ids {
		if !done[id] {
			return false
		}
	}
	return true
}

func stuck(p Plan, done map[string]bool) []string {
	var ids []string
	for _, step := range p.Steps {
		if !done[step.ID] {
			ids = append(ids, step.ID)
		}
	}
	return ids
}
