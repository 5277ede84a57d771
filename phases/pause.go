package phases

import (
	"slices"

	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// An upgrade that pauses is the same plan without the turns that come later, and without all that
// waits for them. The version is staged on all hosts all the same.

// pauseInTurn takes out of the plan what comes after the turn that is named, and what has to wait for a
// control plane that is left out.
func (d *draft) pauseInTurn() {
	turns := d.turns()
	end := d.pauseAt(turns)
	d.plan.Left = d.turnNames(turns[end:])
	d.cut(turns[end:])
}

// pauseAt is how many turns come before the pause. What an interrupted run has begun comes to its end.
func (d *draft) pauseAt(turns []turn) int {
	end := d.pauseNamed(turns)
	if len(d.in.oldServers()) > 0 {
		end = min(end, slices.Index(turns, turn{}))
	}
	for i, t := range turns {
		if t.host != nil && t.host.begun() {
			end = max(end, i+1)
		}
	}
	return end
}

func (d *draft) pauseNamed(turns []turn) int {
	if d.in.PauseAfter == "" {
		return len(turns)
	}
	named := func(t turn) bool {
		if t.host == nil {
			return d.in.PauseAfter == view.PauseAfterControlPlanes
		}
		return t.host.host.Name == d.in.PauseAfter
	}
	at := slices.IndexFunc(turns, named)
	if at < 0 {
		return len(turns) // its turn is not in this plan
	}
	return at + 1
}

// cut takes turns out of the plan.
func (d *draft) cut(turns []turn) {
	gone := map[string]bool{}
	for _, t := range turns {
		for _, id := range d.takenWith(t) {
			gone[id] = true
		}
	}
	for before := -1; before < len(gone); {
		before = len(gone)
		for _, step := range d.plan.Steps {
			if hangsOn(step, gone) {
				gone[step.ID] = true
			}
		}
	}
	isGone := func(id string) bool { return gone[id] }
	d.plan.Steps = keep(d.plan.Steps, func(step plan.Step) bool { return !gone[step.ID] })
	for i, step := range d.plan.Steps {
		d.plan.Steps[i].Rescues = slices.DeleteFunc(slices.Clone(step.Rescues), isGone)
		d.plan.Steps[i].After = nil
		for _, dependency := range step.After {
			dependency.Steps = slices.DeleteFunc(slices.Clone(dependency.Steps), isGone)
			d.plan.Steps[i].After = append(d.plan.Steps[i].After, dependency)
		}
	}
}

// takenWith lists the steps that a turn takes with it: all about its host but what is staged there, and
// for the cluster's all about its objects.
func (d *draft) takenWith(t turn) []string {
	if t.host == nil {
		return d.inCluster(aboutObject)
	}
	staged := t.host.made(stages)
	var ids []string
	for _, i := range d.about[t.host.host.Name] {
		switch step := &d.plan.Steps[i]; {
		case isAhead(*step):
		case inPhase(plan.PhaseTidy)(*step) && len(staged) > 0:
			step.After = after(staged) // and not when all of it is in force
		default:
			ids = append(ids, step.ID)
		}
	}
	return ids
}

// hangsOn tells whether a step cannot be done without those that are gone.
func hangsOn(step plan.Step, gone map[string]bool) bool {
	isGone := func(id string) bool { return gone[id] }
	left := func(id string) bool { return !gone[id] }
	if step.IsRescue() && !slices.ContainsFunc(step.Rescues, left) {
		return true
	}
	return slices.ContainsFunc(step.After, func(dependency plan.Dependency) bool {
		if dependency.Any {
			return !slices.ContainsFunc(dependency.Steps, left)
		}
		return slices.ContainsFunc(dependency.Steps, isGone)
	})
}
