package phases

import (
	"slices"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// Rollback plans to bring a cluster back to the version that its hosts have kept: first the workers,
// whose kubelets may not be newer than an API server, then what runs in the cluster, and then the
// control planes, one after another. The files are those that each host had, byte for byte. What an
// interrupted rollback left is the rest; one of an upgrade that stopped half-way is the way back.
func Rollback(in Input) (plan.Plan, plan.Contents, error) {
	return planOf(in, view.Rollback, rollbackPhases...)
}

var rollbackPhases = []func(*draft){
	(*draft).renderCluster,
	(*draft).spareMissing,
	(*draft).renderHosts,
	(*draft).takeKept,
	(*draft).joinWorkers,
	(*draft).awaitWorkers,
	(*draft).applyAddons,
	(*draft).uploadConfig,
	(*draft).bootstrapTokens,
	(*draft).installControlPlanes,
	(*draft).quitAPIServers,
	(*draft).upgradeControlPlanes,
	(*draft).installBalancers,
	(*draft).awaitEndpoints,
	(*draft).awaitPlanes,
	(*draft).makeRoom,
	(*draft).goBackInTurn,
	(*draft).takeBackLeftOut,
	(*draft).markNodes,
	(*draft).awaitAddons,
	(*draft).pruneObjects,
	(*draft).pruneHosts,
	(*draft).forgetKept,
	(*draft).uncordonUnchanged,
}

// takeKept puts what each host has kept in the place of what would be rendered now: the file of the
// cluster may say by now what the old version does not know.
func (d *draft) takeKept() {
	for _, h := range d.drafts {
		kept, changed := d.in.Back[h.host.Name]
		if !changed {
			continue // the upgrade had not come to it
		}
		h.state.Files = slices.Clone(h.state.Files)
		for _, was := range kept.Paths {
			h.takePath(was)
		}
	}
}

func (h *hostDraft) takePath(was hosts.KeptPath) {
	at := slices.IndexFunc(h.state.Files, func(file manifests.File) bool { return file.Path == was.Path })
	content, known := h.in.KeptContents[was.Digest]
	switch {
	case at >= 0 && was.Absent:
		h.state.Files = slices.Delete(h.state.Files, at, at+1)
	case at >= 0 && known:
		file := &h.state.Files[at]
		file.Content, file.Mode, file.UID, file.GID = content, was.Mode, was.UID, was.GID
	}
}

// goBackInTurn has the workers change first, then what runs in the cluster, and then the control
// planes, the one whose etcd leads last. Where no API server answers, the control planes come first:
// nothing else can be waited for.
func (d *draft) goBackInTurn() {
	before := d.readyForTurns()
	if !d.in.ClusterFacts.Reachable {
		before = join(before, d.planesGoBack(before))
		d.applyAfter(d.workersGoBack(before))
		return
	}
	before = join(before, d.workersGoBack(before))
	d.applyAfter(before)
	d.planesGoBack(join(before, d.inCluster(does[plan.Apply]), d.awaitRollouts(before)))
}

// workersGoBack gives the steps after which the workers are well.
func (d *draft) workersGoBack(before []string) []string {
	unwell, well := splitUnwell(inOrder(d.workers))
	for _, h := range unwell {
		before = join(before, h.changed())
	}
	fewAtOnce(well, before, d.in.workersAtOnce())
	for _, h := range well {
		if len(h.disturbed()) > 0 {
			before = join(before, h.changed())
		}
	}
	return before
}

// planesGoBack gives the steps after which the control planes and load balancers are well.
func (d *draft) planesGoBack(before []string) []string {
	mended, last := oneByOne(inOrder(d.planes), join(before, d.readyEtcd(before)))
	balanced, lastBalancer := oneByOne(d.balancers, join(mended, last))
	return join(mended, last, balanced, lastBalancer)
}

// uncordonUnchanged has a node take Pods again where its drain does not end, or the run ends right after it:
// nothing of the host has changed yet. One that is half changed stays cordoned until it is whole.
func (d *draft) uncordonUnchanged() {
	for _, h := range d.drafts {
		drained := h.made(does[plan.Drain])
		if node, _ := h.in.Node(h.host.Name); len(drained) == 0 || node.Unschedulable && node.CordonedBy != cordonedFor {
			continue
		}
		h.add(plan.Step{
			ID: clusterID(plan.PhasePutBack, h.host.Name, "uncordon"), Phase: plan.PhasePutBack, Lane: string(plan.PhasePutBack) + "/" + h.host.Name,
			Rescues: join(drained, h.made(removesBill)), Why: "it was cordoned for the way back, and nothing of it has changed",
			Cluster: plan.Uncordon{Node: h.host.Name, By: cordonedFor},
		})
	}
}

// forgetKept has hosts forget last what they have gone back to.
func (d *draft) forgetKept() {
	var waits []string
	for _, h := range d.drafts {
		waits = join(waits, h.changed())
	}
	waits = join(waits, d.inCluster(does[plan.WaitAvailable]))
	for _, h := range d.drafts {
		for _, kept := range h.facts.Kept {
			if kept.Before == d.in.BackFrom {
				h.step(plan.PhaseUpgrade, "forget", plan.LaneWork, plan.Remove, "it is in force again",
					hosts.ForgetVersion{Before: kept.Before}, waits)
			}
		}
	}
}
