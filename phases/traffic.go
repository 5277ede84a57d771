package phases

import (
	"net/netip"
	"slices"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/view"
)

// How many ways of one flow are tried. A flow that has more is tried by a sample: every host has its
// share of it, with leastWays others at least.
const (
	mostWays  = 1024
	leastWays = 8
)

// TrafficQueries says what traffic is tried between the hosts that were looked at, by their names: what
// the cluster needs of what has to do with the workflow's targets. On a host that is in the cluster already, or on its way,
// nothing is listened on: its own services answer there, and those that are down for a moment need their
// ports. So packets without a connection are not tried to such a host.
func TrafficQueries(v view.View, key []byte) map[string]hosts.TrafficQuery {
	queries := map[string]hosts.TrafficQuery{}
	told := map[hosts.Probe]bool{}
	for _, flow := range v.Cluster.Flows() {
		if flow.Optional {
			continue
		}
		for _, way := range sampled(flow) {
			probe := probeOf(v, flow, way)
			if told[probe] || !worthTrying(v, flow, way) {
				continue
			}
			told[probe] = true
			from := queries[way.From.Name]
			from.Probe = append(from.Probe, probe)
			queries[way.From.Name] = from
			if mayListen(v, way.To) {
				query := queries[way.To.Name]
				if !slices.Contains(query.Listen, probe.To) {
					query.Listen = append(query.Listen, probe.To)
				}
				queries[way.To.Name] = query
			}
		}
	}
	for name, query := range queries {
		query.Key = key
		queries[name] = query
	}
	return queries
}

// worthTrying tells whether a way can be tried, and has to do with a target.
func worthTrying(v view.View, flow cluster.Flow, way cluster.Pair) bool {
	targets := v.Targets(v.Workflow)
	_, sends := v.Facts[way.From.Name]
	_, seen := v.Facts[way.To.Name]
	switch {
	case !sends || !view.Among(targets, way.From.Name) && !view.Among(targets, way.To.Name):
		return false
	case flow.Protocol == cluster.ProtocolVRRP && !ofVirtualAddress(v.Cluster, way):
		return false
	case mayListen(v, way.To):
		return true
	}
	return flow.Protocol == cluster.ProtocolTCP && (seen || v.Joined(way.To.Name))
}

// mayListen tells whether a host may listen on the cluster's ports for a test: nothing of the cluster runs there that could
// start meanwhile and find its port taken, as it does where an init was cut short.
func mayListen(v view.View, host cluster.Host) bool {
	facts, seen := v.Facts[host.Name]
	return seen && !v.Settled(host, facts) && !slices.ContainsFunc(
		[]string{manifests.KubeletUnit, manifests.HAProxyUnit, manifests.KeepalivedUnit},
		func(unit string) bool {
			return facts.Units[unit].Active != "" && facts.Units[unit].Active != "inactive"
		})
}

// ofVirtualAddress tells whether keepalived goes this way: by the family of the virtual address.
func ofVirtualAddress(c *cluster.Cluster, way cluster.Pair) bool {
	address, err := netip.ParseAddr(c.VirtualAddress())
	return err == nil && address.Unmap().Is4() == way.ToAddress.Is4()
}

// probeOf is how a way is tried. flannel's packets are as large as the interface takes that they leave by.
func probeOf(v view.View, flow cluster.Flow, way cluster.Pair) hosts.Probe {
	probe := hosts.Probe{
		From: way.FromAddress.String(),
		To:   hosts.Port{Protocol: string(flow.Protocol), Address: way.ToAddress.String(), Port: flow.Port},
	}
	if flow.Protocol == cluster.ProtocolUDP && flow.Port == cluster.PortFlannel {
		if link, found := v.Facts[way.From.Name].LinkWith(way.FromAddress); found {
			probe.Size = link.MTU
		}
	}
	return probe
}

// sampled are the ways of a flow that are tried: all, or for each host of the longer side some of the
// shorter one, spread over it, and its neighbours in the file among them.
func sampled(flow cluster.Flow) []cluster.Pair {
	longer, shorter := flow.From, flow.To
	turned := len(shorter) > len(longer)
	if turned {
		longer, shorter = shorter, longer
	}
	share := max(leastWays, mostWays/max(1, len(longer)))
	if len(longer)*len(shorter) <= mostWays || share >= len(shorter) {
		return flow.Ways()
	}
	var ways []cluster.Pair
	for i, one := range longer {
		for d := range share {
			other := shorter[(i+1+d*(len(shorter)-1)/share)%len(shorter)]
			way := cluster.Flow{Protocol: flow.Protocol, From: []cluster.Host{one}, To: []cluster.Host{other}}
			if turned {
				way.From, way.To = way.To, way.From
			}
			ways = append(ways, way.Ways()...)
		}
	}
	return ways
}
