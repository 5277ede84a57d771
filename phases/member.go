package phases

import (
	"slices"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// membership is what etcd's members will be while control planes join: who there is now,
// and who is added by the plan, in that order.
type membership struct {
	members []hosts.Member
	settled []string // the steps that end the last change, and open the others' firewalls
}

// membership is that of the cluster without the members that stand in the way, which are
// removed first.
func (d *draft) membership() *membership {
	m := &membership{settled: d.opened}
	stale := d.in.StaleMembers()
	for _, member := range d.in.ClusterFacts.Members {
		at := slices.IndexFunc(stale, func(s view.StaleMember) bool { return s.Member.ID == member.ID })
		if at < 0 {
			m.members = append(m.members, member)
			continue
		}
		m.settled = append(slices.Clone(m.settled), d.add(plan.Step{
			ID: clusterID(plan.PhaseRemoveEtcdMember, member.ID), Phase: plan.PhaseRemoveEtcdMember, Subject: plan.Subject{Member: view.MemberName(member)}, Lane: laneMembers,
			Why: stale[at].Why, Change: plan.Remove, Cluster: plan.MemberRemove{ID: member.ID, Name: member.Name},
		}))
	}
	return m
}

// membersFirst puts those first that are members already: etcd takes one learner at a time.
func (m *membership) membersFirst(planes []*hostDraft) []*hostDraft {
	turn := slices.Clone(planes)
	rank := func(h *hostDraft) int {
		if len(view.MembersOf(m.members, h.host)) > 0 {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(turn, func(a, b *hostDraft) int { return rank(a) - rank(b) })
	return turn
}

// readyForEtcd lists what has to be done before etcd is told of the host: a member that
// is long in coming is one that does not answer.
func (h *hostDraft) readyForEtcd() []string {
	return join(h.base(), h.setsWith(nil), h.made(startsContainerd), h.loaded(imagePause, "etcd"), h.written(
		plan.PhasePrepare, plan.PhaseContainerd, plan.PhaseCerts, plan.PhaseKubeconfig, plan.PhaseEtcd, plan.PhaseKubelet))
}

// begin renders the host's etcd as one that joins those that there are when its turn
// comes; where it has data, that was done before, and stays.
func (m *membership) begin(h *hostDraft, input manifests.Input) {
	if view.HasEtcdData(h.facts) {
		return // keepInitialCluster has seen to it
	}
	initial := manifests.InitialCluster{State: manifests.StateExisting}
	for _, member := range m.members {
		name := member.Name
		if name == "" { // it never started: who it is its peer says
			name = h.in.NameOf(member)
		}
		for _, peer := range member.Peers {
			initial.Members = append(initial.Members, manifests.Member{Name: name, PeerURL: peer})
		}
	}
	h.beginEtcd(input, initial)
}

// join makes a host a voting member: added as a learner when all that its etcd needs is
// there, started, and given its vote when it is in sync. It gives the step after which the
// host's etcd serves an API server, if there is one.
func (m *membership) join(h *hostDraft, input manifests.Input) []string {
	found := view.MembersOf(m.members, h.host)
	if len(found) == 0 {
		added := h.add(plan.Step{
			ID: clusterID(plan.PhaseEtcdJoin, h.host.Name, "add"), Phase: plan.PhaseEtcdJoin, Lane: laneMembers,
			After: after(join(m.settled, h.readyForEtcd())), Why: "it is no member of etcd yet", Change: plan.Create, Subject: plan.Subject{Member: h.host.Name},
			Cluster: plan.MemberAdd{Name: h.host.Name, Peer: manifests.PeerURL(h.host)},
		})
		m.settled = []string{added}
		found = []hosts.Member{{Name: h.host.Name, Peers: []string{manifests.PeerURL(h.host)}, Learner: true}}
		m.members = append(m.members, found...)
	}
	m.begin(h, input)
	h.staticPod(manifests.EtcdManifest, join(m.settled, h.letBegin(manifests.StateExisting, m.settled)))
	h.startKubelet(nil)
	if !found[0].Learner {
		return nil
	}
	m.settled = []string{h.add(plan.Step{
		ID: clusterID(plan.PhaseEtcdJoin, h.host.Name, "promote"), Phase: plan.PhaseEtcdJoin, Lane: laneMembers,
		After: after(join(m.settled, h.made(writesPods(isServer), startsKubelet))), Why: "it is to have a vote", Change: plan.Update, Subject: plan.Subject{Member: h.host.Name},
		Cluster: plan.MemberPromote{Name: h.host.Name, Timeout: h.in.limit(), Patience: h.in.podPatience()},
	})}
	return m.settled
}
