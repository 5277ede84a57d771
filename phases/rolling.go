package phases

import (
	"slices"

	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// On a cluster that is at work, what init changes on its hosts it changes host by host, the next
// only when the last is well: etcd keeps its quorum, an API server always answers, and a bad
// setting stops at one host. All else of the next host waits too, so that what its units read is
// not yet changed when it reboots meanwhile.

// usualWorkersAtOnce is how many workers init changes at a time, once the first of them is well.
const usualWorkersAtOnce = 5

// quorumInTurn looks, when the host's turn has come, whether etcd can do without its member for
// as long as that takes to start again.
func (h *hostDraft) quorumInTurn() []string {
	const least = 3 // fewer have no quorum without one
	members := view.Voting(h.in.ClusterFacts.Members)
	own := view.Voting(view.MembersOf(members, h.host))
	restarts := h.hadPod(manifests.EtcdManifest) && h.rewrites(manifests.EtcdManifest)
	if !h.in.planesTakeTurns() || !h.in.Cluster.StackedEtcd() || len(members) < least || len(own) == 0 || !restarts {
		return nil
	}
	if found := checks.QuorumInTurn(h.in.View, h.host); len(found) > 0 {
		h.fail(&checks.Refused{Findings: found})
	}
	return []string{h.add(plan.Step{
		ID: clusterID(plan.PhaseWaitQuorum, h.host.Name), Phase: plan.PhaseWaitQuorum, Lane: string(plan.PhaseWaitQuorum) + "/" + h.host.Name,
		Why: "its etcd will be restarted", Subject: plan.Subject{Member: own[0].Name}, Cluster: plan.QuorumHolds{Without: own[0].Name, Stays: true},
	})}
}

// postpone has all of the host's own steps wait, and the look at the quorum with them.
func (h *hostDraft) postpone(before []string) {
	if len(before) == 0 {
		return
	}
	for _, i := range h.about[h.host.Name] {
		if step := h.plan.Steps[i]; h.hasTurn(step) {
			h.plan.Steps[i].After = append(slices.Clone(step.After), plan.All(before...))
		}
	}
}

// hasTurn tells whether a step waits for the host's turn: all that is done on it, but for what an
// upgrade does on all hosts ahead, and what is done in the cluster for its sake.
func (h *hostDraft) hasTurn(step plan.Step) bool {
	if step.Host == h.host.Name {
		return !h.in.Workflow.ChangesVersion() || !isAhead(step)
	}
	return does[plan.QuorumHolds](step) || does[plan.MoveLeader](step) || does[plan.Drain](step)
}

// takeTurns has hosts of a running cluster changed one after another: the control planes, the load
// balancers, one worker, and then the other workers a few at a time. What is not well is put right
// first, and the others wait for it: a setting that has stopped one host goes no further when init
// is run again.
func (d *draft) takeTurns() {
	if !d.in.takesTurns() {
		return
	}
	if slices.ContainsFunc(d.drafts, func(h *hostDraft) bool { return len(h.disturbed()) > 0 }) {
		awaitUnwell(d.planes)
	}
	var first, last []string
	if d.in.planesTakeTurns() {
		first, last = oneByOne(d.planes, nil)
	} else {
		for _, h := range d.planes {
			first = join(first, h.changed())
		}
	}
	// A control plane that is not well may need a balancer for it.
	mended, balanced := oneByOne(d.balancers, last)
	before := join(first, last, mended, balanced)
	unwell, well := splitUnwell(d.workers)
	for _, h := range unwell {
		before = join(before, h.changed())
	}
	fewAtOnce(well, before, usualWorkersAtOnce)
}

// oneByOne has each host that is changed wait for the one before, and the first for the steps
// given and for the hosts that are not well. It gives what those are well after, and the last
// of the others.
func oneByOne(drafts []*hostDraft, before []string) (mended, last []string) {
	unwell, well := splitUnwell(drafts)
	mended = mend(unwell)
	wait := join(before, mended)
	for _, h := range well {
		if len(h.disturbed()) > 0 {
			h.postpone(wait)
			last = h.changed()
			wait = last
		}
	}
	return mended, last
}

// mend puts hosts right that are not well, and gives the steps after which they are. It does so
// at once. Where that stops static Pods or a balancer, they are changed one after another: the next
// waits until those answer again, not until the node is Ready, which it may never be. A host whose
// etcd does not answer comes first: its restart costs no vote.
func mend(unwell []*hostDraft) []string {
	var mended, wait []string
	for _, h := range slices.Concat(keep(unwell, (*hostDraft).etcdIsDown), keep(unwell, (*hostDraft).etcdIsUp)) {
		if h.stopsServers() {
			h.postpone(wait)
			wait = join(h.disturbed(), h.served())
		}
		mended = join(mended, h.changed())
	}
	return mended
}

// fewAtOnce has one worker changed after the steps given, and then so many at a time.
func fewAtOnce(workers []*hostDraft, before []string, atOnce int) {
	var done [][]string
	for _, h := range workers {
		if len(h.disturbed()) == 0 {
			continue
		}
		if n := len(done); n > 0 {
			before = done[max(0, n-atOnce)]
		}
		h.postpone(before)
		done = append(done, h.changed())
	}
}

// splitUnwell tells the hosts that are not well from those that are.
func splitUnwell(drafts []*hostDraft) (unwell, well []*hostDraft) {
	for _, h := range drafts {
		if h.unwell() {
			unwell = append(unwell, h)
		} else {
			well = append(well, h)
		}
	}
	return unwell, well
}
