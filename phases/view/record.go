package view

import (
	"maps"
	"path"
	"slices"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
)

// Claimed tells whether a cluster has noted the host as its own. Which one it is, the
// check of membership looks at.
func Claimed(record *hosts.Record) bool { return record != nil && record.Cluster.ID != "" }

// Owns tells whether the record names a path, or something below it.
func Owns(record *hosts.Record, tree string) bool {
	return slices.ContainsFunc(record.Paths, func(owned hosts.Owned) bool { return cluster.Within(owned.Path, tree) })
}

// Inside lists what was seen below a folder. The place for what a file system check finds
// is no content.
func Inside(folder string, facts hosts.Facts) []string {
	var found []string
	for _, file := range slices.Sorted(maps.Keys(facts.Files)) {
		if file != folder && cluster.Within(file, folder) && path.Base(file) != "lost+found" {
			found = append(found, file)
		}
	}
	return found
}

// RanEtcd tells whether the cluster's etcd was ever begun on a host: other hosts may have
// an etcd of somebody else's at the same place.
func RanEtcd(record *hosts.Record, facts hosts.Facts) bool {
	if !Claimed(record) {
		return false
	}
	_, begun := facts.Files[manifests.EtcdManifest]
	return begun || Owns(record, manifests.EtcdData) || Owns(record, manifests.EtcdManifest) ||
		slices.ContainsFunc(record.Priors, func(prior hosts.Prior) bool { return prior.Setting == "file/"+manifests.EtcdData })
}

// RanControlPlane tells whether Slipway has put a static Pod of a control plane on the host before.
func RanControlPlane(record *hosts.Record) bool {
	return Owns(record, manifests.EtcdManifest) || Owns(record, manifests.APIServerManifest)
}

// OnlyBalances tells whether Slipway has made the host a balancer and no node: on a node the
// unit of containerd is written before haproxy's.
func OnlyBalances(record *hosts.Record) bool {
	return CarriesBalancer(record) && !Owns(record, manifests.UnitsFolder+"/"+manifests.ContainerdUnit)
}

// MadeDirectory tells whether Slipway made a directory.
func MadeDirectory(record *hosts.Record, directory string) bool {
	owned, ours := record.OwnedAt(directory)
	return ours && owned.Type == hosts.TypeDirectory
}

// CarriesKeepalived tells whether Slipway has put a keepalived on the host before.
func CarriesKeepalived(record *hosts.Record) bool {
	return record != nil && Owns(record, manifests.UnitsFolder+"/"+manifests.KeepalivedUnit)
}

// CarriesBalancer tells whether Slipway has put a balancer on the host before.
func CarriesBalancer(record *hosts.Record) bool {
	return record != nil && Owns(record, manifests.UnitsFolder+"/"+manifests.HAProxyUnit)
}

// EtcdLog is there as soon as an etcd has data. It is its log that etcd itself goes by:
// the folder above is made by a first start that fails, too, and then --initial-* still count.
const EtcdLog = manifests.EtcdData + "/member/wal"

func HasEtcdData(facts hosts.Facts) bool {
	_, there := facts.Files[EtcdLog]
	return there
}

// What a host shows of it, where it has no data:
//
//	begin  begun  a manifest of etcd's   its member
//	 yes    any          any             may begin, and has not yet
//	 no     yes          any             has begun
//	 no     no           yes             has begun: the note was removed, or was not yet made by
//	                                     the version that began it
//	 no     no           no              has not begun: also where the record has the note, but
//	                                     the host was cut before it was written
//
// The manifest counts by the record, too: it is written last, when all founders have noted.

// MayBegin tells whether a host has noted that its member may begin, and it has not yet.
func MayBegin(facts hosts.Facts) bool {
	_, noted := facts.Files[manifests.EtcdMayBegin]
	return noted && !HasEtcdData(facts)
}

// HasBegun tells whether a member has begun on a host.
func HasBegun(facts hosts.Facts) bool {
	_, begun := facts.Files[manifests.EtcdBegun]
	return HasEtcdData(facts) || !MayBegin(facts) && (begun || wasToRunEtcd(facts))
}

// wasToRunEtcd tells whether the cluster's manifest of etcd is on a host, or was there.
func wasToRunEtcd(facts hosts.Facts) bool {
	_, there := facts.Files[manifests.EtcdManifest]
	return Claimed(facts.Record) && (there || Owns(facts.Record, manifests.EtcdManifest))
}

// WasLetBegin tells whether a host's member was let begin, as far as the state folder knows: one
// that was seen in the cluster was, also where that was before such notes were made.
func (v View) WasLetBegin(name string) bool { return v.Begun[name] || v.JoinedBefore[name] }

// HasRun tells whether one of the members has run: each publishes its clients' URLs when it does.
func HasRun(members []hosts.Member) bool {
	return slices.ContainsFunc(members, func(m hosts.Member) bool { return len(m.Clients) > 0 })
}
