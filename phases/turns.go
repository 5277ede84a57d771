package phases

import (
	"slices"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// turn is when an upgrade changes a host or, without one, what runs in the cluster.
type turn struct{ host *hostDraft }

// turnOfCluster is what people are told of the turn that has no host.
const turnOfCluster = "what runs in the cluster"

// turns are those of an upgrade in their order. Of hosts of one kind those come first that are
// changed already.
func (d *draft) turns() []turn {
	var turns []turn
	add := func(drafts []*hostDraft) {
		changes := func(h *hostDraft) bool { return h.makes(h.changesVersion) }
		unwell, well := splitUnwell(inOrder(drafts))
		all := slices.Concat(unwell, well)
		for _, h := range slices.Concat(keep(all, func(h *hostDraft) bool { return !changes(h) }), keep(all, changes)) {
			turns = append(turns, turn{h})
		}
	}
	add(d.planes)
	add(d.balancers)
	turns = append(turns, turn{})
	add(d.workers)
	return turns
}

// turnNames are the turns in which something is changed, for people.
func (d *draft) turnNames(turns []turn) []string {
	var names []string
	for _, t := range turns {
		switch {
		case t.host == nil && len(d.inCluster(changesObject)) > 0:
			names = append(names, turnOfCluster)
		case t.host != nil && t.host.makes(t.host.changesVersion):
			names = append(names, t.host.host.Name)
		}
	}
	return names
}

// aboutObject matches the steps about an object of the API, changesObject those that change one.
func aboutObject(step plan.Step) bool { return step.Subject.Object != hosts.ObjectKey{} }

func changesObject(step plan.Step) bool { return aboutObject(step) && step.Change != "" }

// begun tells whether an upgrade has begun to change the host, and has not come to its end there.
func (h *hostDraft) begun() bool {
	node, there := h.in.Node(h.host.Name)
	return h.in.HalfChanged(h.facts) || there && node.CordonedBy == cordonedFor
}

// inOrder are hosts in the order of their turns: one that an interrupted run has cordoned is the first,
// and the control plane whose etcd leads the last, so that it hands over to one that is changed already.
func inOrder(drafts []*hostDraft) []*hostDraft {
	rank := func(h *hostDraft) int {
		node, _ := h.in.Node(h.host.Name)
		_, rebooting := view.CordonedForReboot(node)
		switch {
		case node.CordonedBy == cordonedFor, rebooting:
			return -1
		case slices.ContainsFunc(view.MembersOf(h.in.ClusterFacts.Members, h.host), func(m hosts.Member) bool { return m.Leader }):
			return 1
		}
		return 0
	}
	drafts = slices.Clone(drafts)
	slices.SortStableFunc(drafts, func(a, b *hostDraft) int { return rank(a) - rank(b) })
	return drafts
}
