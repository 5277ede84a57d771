package phases

import (
	"slices"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/phases/view"
)

// readyEtcd has etcd store its data as its older minor version does, where a member's are newer than
// that: it would not start with them.
func (d *draft) readyEtcd(waits []string) []string {
	target := d.in.etcdMinor()
	newer := func(m hosts.Member) bool { return m.Storage != "" && target != "" && m.Storage != target }
	if !d.in.Cluster.StackedEtcd() || !slices.ContainsFunc(d.in.ClusterFacts.Members, newer) || len(madeOn(d.planes, writesPods(isServer))) == 0 {
		return nil
	}
	return []string{d.add(plan.Step{
		ID: clusterID(plan.PhaseUpgrade, "etcd-downgrade"), Phase: plan.PhaseUpgrade, Lane: string(plan.PhaseUpgrade) + "/etcd",
		Subject: plan.Subject{Member: view.MemberName(d.in.ClusterFacts.Members[0])}, After: after(waits),
		Why: "an older etcd does not start with the data of a newer", Change: plan.Update, Cluster: plan.EtcdDowngrade{Version: target},
	})}
}

// endEtcdDowngrade ends what an interrupted rollback has begun, where an upgrade leads forward again:
// until then etcd stays what the older version is, whatever its members are.
func (d *draft) endEtcdDowngrade(waits []string) []string {
	target := d.in.etcdMinor()
	begun := func(m hosts.Member) bool { return m.Downgrade != "" && m.Downgrade != target }
	at := slices.IndexFunc(d.in.ClusterFacts.Members, begun)
	if d.in.Workflow != view.Upgrade || !d.in.Cluster.StackedEtcd() || at < 0 {
		return nil
	}
	return []string{d.add(plan.Step{
		ID: clusterID(plan.PhaseUpgrade, "etcd-downgrade"), Phase: plan.PhaseUpgrade, Lane: string(plan.PhaseUpgrade) + "/etcd",
		Subject: plan.Subject{Member: view.MemberName(d.in.ClusterFacts.Members[at])}, After: after(waits),
		Why: "an interrupted rollback has begun it, and etcd stays at the older version meanwhile", Change: plan.Update, Cluster: plan.EtcdDowngrade{},
	})}
}

// readyOldEtcd has etcd store its data as the host's older member does, before that one is put back with
// the Kubernetes version given: when the last member becomes newer, etcd stores them so that the older
// does not start with them.
func (h *hostDraft) readyOldEtcd(kubernetes string, failing []string) []string {
	old := h.etcdMinorBefore(kubernetes)
	if old == "" || old == h.in.etcdMinor() || !h.in.Cluster.StackedEtcd() {
		return nil
	}
	return []string{h.add(plan.Step{
		ID: clusterID(plan.PhasePutBack, h.host.Name, "etcd-downgrade"), Phase: plan.PhasePutBack, Lane: string(plan.PhasePutBack) + "/" + h.host.Name,
		Subject: plan.Subject{Member: h.host.Name}, Rescues: failing, Why: "an older etcd does not start with the data of a newer", Change: plan.Update,
		Cluster: plan.EtcdDowngrade{Version: old, Try: true},
	})}
}

// etcdMinorBefore is the minor version of etcd that the host had before the upgrade: that of a member
// which is not changed yet, or the one that belongs to the Kubernetes version which it had.
func (h *hostDraft) etcdMinorBefore(kubernetes string) string {
	for _, member := range slices.Concat(view.MembersOf(h.in.ClusterFacts.Members, h.host), h.in.ClusterFacts.Members) {
		if minor := etcdMinorOf("v" + member.Version); minor != "" && minor != h.in.etcdMinor() {
			return minor
		}
	}
	version, err := cluster.ParseVersion(kubernetes)
	if minor, known := cluster.MinorOf(version); err == nil && known {
		return etcdMinorOf("v" + minor.EtcdTag)
	}
	return ""
}
