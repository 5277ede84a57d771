package phases

import (
	"slices"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// What a plan does to the work of a host: which steps stop it for a moment, and after which
// it is done again.

// disturbed lists the steps that stop, for a moment, what runs on the host, or start again what
// ran there before.
func (h *hostDraft) disturbed() []string {
	var ids []string
	for _, step := range h.own() {
		switch a := step.Action.(type) {
		case hosts.SetUnit:
			if unit := h.facts.Units[a.Name]; a.Active && (unit.Active == "active" || unit.Inputs != "") {
				ids = append(ids, step.ID)
			}
		case hosts.WriteFile:
			if h.hadPod(a.Path) {
				ids = append(ids, step.ID)
			}
		case hosts.StopPods, hosts.Reboot:
			ids = append(ids, step.ID)
		}
	}
	return ids
}

// stopsServers tells whether the plan stops, for a moment, what others go by: static Pods, or a
// balancer that runs. They may run though the host is not well: a node that is not Ready says
// only that nothing is heard of its kubelet.
func (h *hostDraft) stopsServers() bool {
	return slices.ContainsFunc(h.own(), func(step plan.Step) bool {
		switch a := step.Action.(type) {
		case hosts.SetUnit:
			return slices.Contains(view.BalancerUnits, a.Name) && h.isUp(a.Name)
		case hosts.WriteFile:
			return h.hadPod(a.Path)
		}
		return false
	})
}

// startsNeeded tells whether the plan starts a unit that the host cannot do without, and that
// does not run.
func (h *hostDraft) startsNeeded() bool {
	needs := []string{manifests.ContainerdUnit, manifests.KubeletUnit}
	if !h.isNode() {
		needs = []string{manifests.HAProxyUnit, manifests.KeepalivedUnit}
	}
	return slices.ContainsFunc(h.own(), func(step plan.Step) bool {
		unit, sets := step.Action.(hosts.SetUnit)
		return sets && unit.Active && slices.Contains(needs, unit.Name) && h.facts.Units[unit.Name].Active != "active"
	})
}

// served lists the steps after which what others need of the host answers again.
func (h *hostDraft) served() []string { return h.made(awaitsAPI, does[plan.WaitPods]) }

// well lists the steps after which the host does all of its work.
func (h *hostDraft) well() []string {
	return h.made(awaitsAPI, does[plan.WaitPods], does[plan.WaitNode], does[plan.WaitEndpoint], does[plan.WaitBoot], does[plan.Uncordon])
}

// changed lists the steps that disturb the host, and those after which it is well. After an upgrade
// a host has all of one version.
func (h *hostDraft) changed() []string {
	if h.in.Workflow.ChangesVersion() {
		return join(h.made(h.changesVersion), h.well())
	}
	return join(h.disturbed(), h.well())
}

// changesVersion matches the steps on the host that change what is in force there.
func (h *hostDraft) changesVersion(step plan.Step) bool {
	return step.Host == h.host.Name && ChangesVersion(step)
}

// ChangesVersion tells whether a step of an upgrade or of a way back changes what is in force on its host.
func ChangesVersion(step plan.Step) bool {
	other := inPhase(plan.PhaseUpgrade, plan.PhaseTidy, plan.PhasePrune)
	return step.Host != "" && !step.IsRescue() && !isAhead(step) && !other(step)
}
