package phases

import (
	"path"
	"slices"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// What later steps wait for: steps by what they do.

// match tells whether a step is one of those meant.
type match func(plan.Step) bool

// made lists the steps that are about the host so far: those of the first match, then the others'.
func (h *hostDraft) made(matches ...match) []string { return h.find(h.about[h.host.Name], matches) }

// makes tells whether one of the steps that are about the host is meant.
func (h *hostDraft) makes(matches ...match) bool { return len(h.made(matches...)) > 0 }

// madeOn lists the same of several hosts.
func madeOn(drafts []*hostDraft, matches ...match) []string {
	var ids []string
	for _, h := range drafts {
		ids = append(ids, h.made(matches...)...)
	}
	return ids
}

// inCluster lists the steps that are done to the cluster so far.
func (d *draft) inCluster(matches ...match) []string { return d.find(d.at[""], matches) }

// find leaves rescue steps out: what else is done does not wait for them.
func (d *draft) find(among []int, matches []match) []string {
	var ids []string
	for _, is := range matches {
		for _, i := range among {
			if step := d.plan.Steps[i]; is(step) && !step.IsRescue() && !slices.Contains(ids, step.ID) {
				ids = append(ids, step.ID)
			}
		}
	}
	return ids
}

// own lists the steps that are done on the host.
func (h *hostDraft) own() []plan.Step {
	var steps []plan.Step
	for _, i := range h.at[h.host.Name] {
		steps = append(steps, h.plan.Steps[i])
	}
	return steps
}

// does matches the steps whose action is an A.
func does[A any](step plan.Step) bool {
	_, onHost := any(step.Action).(A)
	_, inCluster := any(step.Cluster).(A)
	return onHost || inCluster
}

// inPhase matches the steps on hosts that belong to one of the phases.
func inPhase(phases ...plan.Phase) match {
	return func(step plan.Step) bool { return step.Host != "" && slices.Contains(phases, step.Phase) }
}

// stages matches the steps that only bring a version to a host, beside what runs there.
var stages = inPhase(plan.PhaseBinaries, plan.PhaseImages)

// isAhead matches the steps that come before any host's turn: those that stage, and what they lie in.
func isAhead(step plan.Step) bool {
	return stages(step) || does[hosts.Claim](step) || does[hosts.MakeDirectory](step)
}

// starts matches the steps that set a unit's state.
func starts(unit string) match {
	return func(step plan.Step) bool {
		set, is := step.Action.(hosts.SetUnit)
		return is && set.Name == unit
	}
}

var (
	startsContainerd = starts(manifests.ContainerdUnit)
	startsKubelet    = starts(manifests.KubeletUnit)
)

// startsBalancer matches the steps that set the state of haproxy or keepalived.
func startsBalancer(step plan.Step) bool {
	return step.Phase == plan.PhaseLoadBalancer && does[hosts.SetUnit](step)
}

// unpacks matches the steps that unpack a set and put it in force.
func unpacks(set string) match {
	return func(step plan.Step) bool {
		unpack, is := step.Action.(hosts.Unpack)
		return is && unpack.Set == set
	}
}

// loads matches the step that loads an image.
func loads(reference string) match {
	return func(step plan.Step) bool {
		load, is := step.Action.(hosts.LoadImage)
		return is && load.Reference == reference
	}
}

// namesImage matches the step that gives an image the name.
func namesImage(reference string) match {
	return func(step plan.Step) bool {
		name, is := step.Action.(hosts.NameImage)
		return is && name.Name == reference
	}
}

// removesBill matches the step that removes a host's bill of materials, before anything else of it changes.
func removesBill(step plan.Step) bool {
	remove, is := step.Action.(hosts.RemovePath)
	return is && remove.Path == manifests.BillFile && !step.IsRescue()
}

// writes matches the steps that write files and links of a phase, static Pods not among them.
func writes(phase plan.Phase) match {
	return func(step plan.Step) bool {
		return step.Phase == phase && step.Lane == plan.LaneFiles && step.Change != plan.Remove
	}
}

// writesPods matches the steps that write static Pods.
func writesPods(wanted func(manifest string) bool) match {
	return func(step plan.Step) bool {
		file, is := step.Action.(hosts.WriteFile)
		return is && path.Dir(file.Path) == manifests.ManifestsFolder && wanted(file.Path)
	}
}

// awaitsServing and awaitsAPI match the waits until an API server takes requests, and until it is ready.
func awaitsServing(step plan.Step) bool {
	wait, is := step.Cluster.(plan.WaitAPI)
	return is && wait.Serving
}

func awaitsAPI(step plan.Step) bool {
	wait, is := step.Cluster.(plan.WaitAPI)
	return is && !wait.Serving
}

// awaitsEndpoint matches the wait until a host reaches the endpoint.
func awaitsEndpoint(step plan.Step) bool { return does[plan.WaitEndpoint](step) }

// applies matches the steps that apply an object of one of the phases meant.
func applies(meant func(plan.Phase) bool) match {
	return func(step plan.Step) bool { return does[plan.Apply](step) && meant(step.Phase) }
}

// appliesObject matches the step that applies an object.
func appliesObject(key hosts.ObjectKey) match {
	return func(step plan.Step) bool { return step.Subject.Object == key && does[plan.Apply](step) }
}

// base lists the steps after which every lane of the host begins.
func (h *hostDraft) base() []string { return h.made(does[hosts.Claim], does[hosts.MakeDirectory]) }

// laneBalancer is where a host's balancer is brought up, beside all else: nothing on the
// host waits for it, and it waits for an API server of any host.
const laneBalancer = string(plan.PhaseLoadBalancer)

const laneMembers = "etcd-members"
