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
