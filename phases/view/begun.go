package view

import (
	"slices"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// How far an upgrade has come on a host, its bill of materials tells: it is removed before the first
// change and written after the last. So it never names a bundle of which only a part is in force.

// InForce tells whether all of the bundle is in force on a host.
func (v View) InForce(facts hosts.Facts) bool {
	bill, err := bundle.EncodeBill(v.Bill)
	return err == nil && facts.Files[manifests.BillFile].Digest == plan.Ref(bill)
}

// HalfChanged tells whether an upgrade to the bundle, or the way back from it, has changed a part of a
// host: the host keeps what it had before, and says of no bundle that it is in force.
func (v View) HalfChanged(facts hosts.Facts) bool {
	_, told := facts.Files[manifests.BillFile]
	return !told && v.keptBefore(facts) != nil
}

// KeptBefore is what a host keeps of before the bundle; nil where it keeps nothing, or where an upgrade has
// kept it and then changed nothing, or has put it back: the host may have been changed since.
func (v View) KeptBefore(facts hosts.Facts) *hosts.Kept {
	if !v.InForce(facts) && !v.HalfChanged(facts) {
		return nil
	}
	return v.keptBefore(facts)
}

// KeptInVain tells whether a host keeps something of before the bundle that KeptBefore does not count.
func (v View) KeptInVain(facts hosts.Facts) bool {
	return v.keptBefore(facts) != nil && v.KeptBefore(facts) == nil
}

// UpgradeBegun tells whether something of the bundle is in force: on a host of the cluster, or a part of it
// there. That a node is cordoned for an upgrade tells nothing of which: it may be one that was left out long ago.
func (v View) UpgradeBegun() bool { return v.begunOn(v.Cluster.Hosts) }

// SnapshotDue tells whether an upgrade has to take a snapshot of etcd first: nothing of the bundle is in force
// on any control plane. One that is taken later would hold what the new version has written.
func (v View) SnapshotDue() bool { return !v.begunOn(v.Cluster.ControlPlanes()) }

// begunOn leaves out hosts that are not in the cluster yet: one that was prepared has the bundle too.
func (v View) begunOn(of []cluster.Host) bool {
	return slices.ContainsFunc(of, func(host cluster.Host) bool {
		facts, seen := v.Facts[host.Name]
		return seen && v.Settled(host, facts) && (v.InForce(facts) || v.HalfChanged(facts))
	})
}

func (v View) keptBefore(facts hosts.Facts) *hosts.Kept {
	id, err := v.Bill.ID()
	at := slices.IndexFunc(facts.Kept, func(kept hosts.Kept) bool { return kept.Before == id })
	if err != nil || at < 0 {
		return nil
	}
	return &facts.Kept[at]
}
