package phases

import (
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// policyModule loads Slipway's module into the SELinux policy of the host, before anything is written that is
// labelled by it.
func (h *hostDraft) policyModule() {
	if h.state.PolicyModule == nil {
		return
	}
	have := h.facts.SELinuxPolicy.Module
	content := h.put(h.state.PolicyModule, false)
	why, change := "SELinux is "+h.facts.SELinux+", and does not know how Slipway's programs are labelled", plan.Create
	switch have {
	case content:
		return
	case "":
	default:
		why, change = "its labels have changed", plan.Update
	}
	h.step(plan.PhasePrepare, "selinux", plan.LaneWork, change, why, hosts.LoadPolicyModule{
		Content: content, Size: int64(len(h.state.PolicyModule)), Labels: manifests.LabelledFolders,
	})
}
