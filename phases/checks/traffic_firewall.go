package checks

import (
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/view"
)

// opens tells whether the plan opens what may have stopped it: the firewall that runs where it leads to. A
// route that is missing, what the sender's own filter keeps back, and a way back that is closed stay as they are.
func (t tried) opens(v view.View) bool {
	return t.stoppedThere() && willOpen(v, t.to)
}

// stoppedThere tells whether the firewall of the host that it leads to may have stopped it.
func (t tried) stoppedThere() bool {
	switch t.Passage {
	case hosts.Silent, hosts.Rejected, hosts.Turned:
		return !t.arrived()
	}
	return false
}

// willOpen tells whether the plan opens a host's firewall.
func willOpen(v view.View, host cluster.Host) bool {
	facts := v.Facts[host.Name]
	return facts.Firewall != "" && manifests.Firewall(v.Cluster, host, facts) != nil && !isOpen(v, host, facts)
}

// ownFirewall names a firewall that runs where the ways may be stopped.
func (g wayGroup) ownFirewall(v view.View) string {
	var named []string
	for _, way := range g.ways {
		at, will := way.to, ""
		switch {
		case way.opens(v):
			will = ", which the plan has let this through"
		case way.Passage == hosts.Barred:
			at = way.from
		case !way.stoppedThere():
			continue
		}
		if firewall := v.Facts[at.Name].Firewall; firewall != "" {
			named = addName(named, firewall+" runs on "+at.Name+will)
		}
	}
	return fewOf(named)
}
