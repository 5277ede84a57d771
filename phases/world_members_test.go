package phases

import (
	"slices"

	"github.com/google/go-cmp/cmp"
	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// doMember carries out what is done to etcd's members, which needs no API.
func (w *world) doMember(step plan.Step) bool {
	w.t.Helper()
	switch a := step.Cluster.(type) {
	case plan.MemberAdd:
		w.addMember(step, a)
	case plan.MemberPromote:
		at := w.etcd.at(func(m member) bool { return m.name == a.Name })
		if w.etcd.members[at].learner {
			w.whole(step, w.etcd.members[at].id)
			w.etcd.members[at].learner = false
		}
	case plan.MemberRemove:
		at := w.etcd.at(func(m member) bool { return m.id == a.ID })
		if at >= 0 {
			w.whole(step, a.ID)
			w.etcd.members = slices.Delete(slices.Clone(w.etcd.members), at, at+1)
			w.elect()
		}
	case plan.MoveLeader:
		if w.etcd.leader == a.From {
			w.moveLeader(step, a.From)
		}
	case plan.EtcdDowngrade:
		w.etcd.downgrade = a.Version
		if a.Version != "" {
			w.etcd.storage = a.Version
		}
	case plan.SnapshotEtcd:
		w.snapshot(step, a)
	case plan.QuorumHolds:
		w.holds(step, a)
	default:
		return false
	}
	return true
}

// holds checks that etcd can do without a member.
func (w *world) holds(step plan.Step, a plan.QuorumHolds) {
	w.t.Helper()
	voters, up := 0, 0
	for _, m := range w.etcd.voters() {
		if m.name != a.Without || a.Stays {
			voters++
		}
		if m.name != a.Without && w.up(m) {
			up++
		}
	}
	if up < voters/2+1 {
		w.t.Fatalf("step %s: without %s %d of %d members run", step.ID, a.Without, up, voters)
	}
}

func (w *world) addMember(step plan.Step, a plan.MemberAdd) {
	w.t.Helper()
	for _, m := range w.etcd.members {
		if m.name == a.Name || m.peer == a.Peer {
			return
		}
	}
	w.whole(step, "")
	for _, m := range w.etcd.members {
		if m.learner {
			w.t.Fatalf("step %s: etcd has a learner already: %s", step.ID, m.name)
		}
		if !w.up(m) {
			w.t.Fatalf("step %s: etcd refuses to grow while %s is down", step.ID, m.name)
		}
	}
	w.etcd.members = append(w.etcd.members, member{id: w.etcd.id(), peer: a.Peer, learner: true})
}

// whole checks that no member is changed but by a quorum, and only while all the others
// are well that are not on a host which is dead.
func (w *world) whole(step plan.Step, changed string) {
	w.t.Helper()
	if !w.quorate() {
		w.t.Fatalf("step %s: etcd has no quorum", step.ID)
	}
	for _, m := range w.etcd.voters() {
		if m.id != changed && !w.down[m.name] && !w.up(m) {
			w.t.Fatalf("step %s: etcd's members are changed while %s is not back", step.ID, m.name)
		}
	}
}

func (w *world) moveLeader(step plan.Step, from string) {
	w.t.Helper()
	for _, m := range w.etcd.voters() {
		if m.name != from && w.up(m) {
			w.etcd.leader = m.name
			return
		}
	}
	w.t.Fatalf("step %s: nobody can take the leadership over", step.ID)
}

// snapshot checks that a snapshot is taken while no control plane has changed, from a member that is well.
func (w *world) snapshot(step plan.Step, a plan.SnapshotEtcd) {
	w.t.Helper()
	if m, there := w.memberOn(a.From); !there || m.learner || !w.quorate() {
		w.t.Fatalf("step %s: the member on %s is not well", step.ID, a.From)
	}
	for _, host := range w.cluster.ControlPlanes() {
		content, _, _ := w.machines[host.Name].ReadFile(manifests.BillFile) // none while a host changes
		if bill, err := bundle.ReadBill(content); err != nil || cmp.Equal(bill, w.bill) {
			w.t.Fatalf("step %s: %s has changed already: %v", step.ID, host.Name, err)
		}
	}
	w.snapshots++
}
