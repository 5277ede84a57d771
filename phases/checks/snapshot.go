package checks

import (
	"cmp"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

// etcdSnapshot is the name of the check of the snapshot; who ignores it upgrades without one.
const etcdSnapshot = "EtcdSnapshot"

// IgnoresSnapshot tells whether an upgrade is to do without a snapshot of etcd.
func IgnoresSnapshot(v view.View) bool { return ignored(v, etcdSnapshot) }

// withoutSnapshot is what keeps a snapshot from being taken before an upgrade, and restored to prove
// that it can be. One that has changed a control plane has its snapshot, and goes on.
func withoutSnapshot(v view.View) []Finding {
	if IgnoresSnapshot(v) {
		fix := "take one yourself before you go on"
		if v.Cluster.StackedEtcd() {
			fix += ", on a control plane: " + etcdctl("snapshot save /root/etcd-before-upgrade.db")
		}
		return []Finding{warning(fix, "no snapshot of etcd is taken, as --ignore-checks says")}
	}
	if !v.SnapshotDue() {
		return nil
	}
	if !v.Cluster.StackedEtcd() {
		return []Finding{warning("take one yourself before you go on", "etcd is your own: Slipway takes no snapshot of it")}
	}
	host, member, found := v.SnapshotFrom()
	if !found {
		return when(v.ClusterFacts.Reachable || v.UpgradeBegun(), finding("see why by: slipway status", "no snapshot of etcd can be taken: no member on a host that is reached is well"))
	}
	const stateFolder = "/var/lib/slipway"
	var all []Finding
	disk, known := diskOf(v.Facts[host.Name].Disks, stateFolder)
	if need := 2*member.Size + hosts.EtcdLogRoom; known && disk.Free < need {
		all = append(all, finding("free some space there, or defragment etcd if most of it is not in use: "+defragEtcd,
			"%s is free below %s, and to prove that a snapshot of etcd restores takes %s", hosts.Size(disk.Free), stateFolder, hosts.Size(need)).on(host.Name))
	}
	if v.SnapshotRoom > 0 && v.SnapshotRoom < member.Size {
		all = append(all, finding("free some space there, or set XDG_STATE_HOME to a folder on another disk",
			"%s is free in this machine's state folder, and a snapshot of etcd takes %s", hosts.Size(v.SnapshotRoom), hosts.Size(member.Size)))
	}
	return all
}

// SnapshotIsLeft says how what the cluster held before an upgrade comes back where no version does.
func SnapshotIsLeft(folder string) string {
	return "what the cluster held before an upgrade is left in etcd's snapshots: those that were taken from this machine are in " +
		cmp.Or(folder, "Slipway's state folder") + ", with time and version in their names; " +
		`restoring one loses what was written since: docs/runbooks.md, "Restore it by hand"`
}
