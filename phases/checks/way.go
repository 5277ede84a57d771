package checks

import (
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/view"
)

// closedWay looks whether haproxy, which is a user of its own, gets to its root folder. What
// of the way to it was there before Slipway keeps its mode.
func closedWay(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	const enter = 0o001
	var all []Finding
	for _, directory := range manifests.ParentsOf([]string{manifests.BalancerRoot + "/bin"}) {
		have, there := facts.Files[directory]
		if !there || have.Type != hosts.TypeDirectory || have.Mode&enter != 0 || view.MadeDirectory(facts.Record, directory) {
			continue
		}
		all = append(all, finding("chmod o+x "+directory,
			"%s has mode %04o: haproxy, which does not run as root, could not get to %s", directory, have.Mode, manifests.BalancerRoot))
	}
	return all
}
