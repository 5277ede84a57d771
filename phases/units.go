package phases

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// units lists the units of one phase.
func (h *hostDraft) units(phase plan.Phase) []manifests.Unit {
	return slices.DeleteFunc(slices.Clone(h.state.Units), func(unit manifests.Unit) bool { return unit.Phase != phase })
}

// setUnit plans a unit's state, where that is not as it should be.
func (h *hostDraft) setUnit(unit manifests.Unit, after []plan.Dependency) {
	why, change, restart := h.unitDue(unit)
	if why == "" {
		return
	}
	lane := plan.LaneWork
	if unit.Phase == plan.PhaseLoadBalancer {
		lane = laneBalancer
	}
	inputs := h.inputs(unit)
	reload := len(unit.Reloads) > 0 && startedFor(h.facts.Units[unit.Name].Inputs) == startedFor(inputs) && !h.putsRight(unit.Inputs)
	h.add(plan.Step{
		ID:    h.stepID(unit.Phase, unit.Name),
		Phase: unit.Phase, Host: h.host.Name, Lane: lane, After: after, Why: why, Change: change,
		Action: hosts.SetUnit{
			Name: unit.Name, Enabled: unit.Enabled, Active: unit.Active, Inputs: inputs, Reload: reload,
			Restart: restart, Steady: h.steadyFor(unit),
		},
	})
}

// balancerSteady is how long, in seconds, a balancer has to stay up before the next one's turn.
const balancerSteady = 5

// steadyFor is how long a unit has to stay up to count as started: a balancer, where hosts take
// turns. Of a kubelet the API tells, of static Pods the kubelet.
func (h *hostDraft) steadyFor(unit manifests.Unit) int {
	if unit.Active && unit.Phase == plan.PhaseLoadBalancer && h.in.takesTurns() {
		return balancerSteady
	}
	return 0
}

// unitDue says why something has to be done to a unit; "" where it is as it should be.
func (h *hostDraft) unitDue(unit manifests.Unit) (why string, change plan.Change, restart bool) {
	have := h.facts.Units[unit.Name]
	why, change = unitDiffers(have, unit, h.inputs(unit))
	// A file that is put right was wrong while the unit ran: it may have read it, if
	// somebody has restarted it since.
	restart = unit.Active && have.Active == "active" && h.putsRight(slices.Concat(unit.Inputs, unit.Reloads))
	if why == "" && restart {
		why, change = "a file that it reads was wrong while it ran", plan.Update
	}
	if why == "" && unit.Name == manifests.KubeletUnit && h.unregistered() {
		why, change, restart = "its node is not registered, and a kubelet registers it only when it starts", plan.Update, true
	}
	return why, change, restart
}

// unregistered tells whether the host's kubelet runs without its node, as where somebody has
// deleted that.
func (h *hostDraft) unregistered() bool {
	_, there := h.in.Node(h.host.Name)
	return h.in.ClusterFacts.Reachable && !there && h.facts.Units[manifests.KubeletUnit].Active == "active"
}

// unitDiffers says why a unit is not in its state. What a running unit was last started
// with the host keeps, over reboots too; where it does not know, it is as good as another.
func unitDiffers(have hosts.Unit, want manifests.Unit, inputs string) (string, plan.Change) {
	running := have.Active == "active" || have.Active == "reloading"
	enabled := have.Enabled == "enabled" || have.Enabled == "enabled-runtime"
	switch {
	case want.Active && have.Load == "masked":
		return "is masked", plan.Update
	case want.Active && have.Load != "loaded":
		return "no such unit yet", plan.Create
	case want.Active && !running:
		return "is " + orNothing(have.Active), plan.Update
	case want.Active && inputs != "" && have.Inputs != inputs:
		if have.Inputs == "" {
			return "it is not known with which files it was started", plan.Update
		}
		return "what it reads has changed", plan.Update
	case !want.Active && running:
		return "is " + have.Active, plan.Update
	case want.Enabled && !enabled:
		return "is not enabled", plan.Update
	case !want.Enabled && enabled:
		return "is enabled", plan.Update
	}
	return "", ""
}

// putsRight tells whether the plan changes one of the files.
func (h *hostDraft) putsRight(paths []string) bool {
	return slices.ContainsFunc(h.state.Files, func(file manifests.File) bool {
		if file.Compare == manifests.Seed || !slices.Contains(paths, file.Path) {
			return false
		}
		why, _ := h.fileDiffers(file)
		return why != ""
	})
}

// inputs is the digest of all that a unit reads, as it will be when the plan is done. Of
// a unit that can be reloaded there is a second one, of what a reload is enough for.
func (h *hostDraft) inputs(unit manifests.Unit) string { return inputsBy(unit, h.willBe) }

// inputsBy is the same by what each file is.
func inputsBy(unit manifests.Unit, is func(path string) (digest string, counts bool)) string {
	if len(unit.Inputs) == 0 {
		return ""
	}
	inputs := digestOf(unit.Inputs, is)
	if len(unit.Reloads) > 0 {
		inputs += " " + digestOf(unit.Reloads, is)
	}
	return inputs
}

// startedFor is the part of a unit's inputs whose change needs a restart.
func startedFor(inputs string) string {
	first, _, _ := strings.Cut(inputs, " ")
	return first
}

// digestOf is that of files by what each of them is. Seeds do not count: they change without a
// restart's being due.
func digestOf(paths []string, is func(path string) (digest string, counts bool)) string {
	sum := sha256.New()
	paths = slices.Clone(paths)
	slices.Sort(paths)
	for _, path := range paths {
		if digest, counts := is(path); counts {
			fmt.Fprintf(sum, "%s %s\n", path, digest)
		}
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil))
}

// willBe is the digest that a path's content will have when the plan is done, and
// whether it counts.
func (h *hostDraft) willBe(path string) (digest string, counts bool) {
	for _, file := range h.state.Files {
		if file.Path != path {
			continue
		}
		if file.Compare == manifests.Seed {
			return "", false
		}
		if why, _ := h.fileDiffers(file); why == "" {
			return h.facts.Files[path].Digest, true
		}
		return plan.Ref(file.Content), true
	}
	for _, set := range h.state.Sets {
		for _, file := range set.Files {
			if file.Path == path {
				return file.Digest + file.Target, true
			}
		}
	}
	have := h.facts.Files[path] // as where no bundle is at hand: a link counts by where it leads, which names the version
	return have.Digest + have.Target, true
}

// isUp tells whether a unit runs, or is about to.
func (h *hostDraft) isUp(unit string) bool {
	return slices.Contains([]string{"active", "activating", "reloading"}, h.facts.Units[unit].Active)
}
