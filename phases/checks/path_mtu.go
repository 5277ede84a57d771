package checks

import (
	"fmt"
	"net/netip"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

// vxlanOverhead is what VXLAN takes of a packet, in bytes: over IPv4, or over IPv6.
func vxlanOverhead(four bool) int {
	if four {
		return 50
	}
	return 70
}

// smallPaths tells of ways that large packets do not pass, where Pods would send such: flannel makes their
// packets as large as the host's interface takes, less what VXLAN needs.
func smallPaths(v view.View) []Finding {
	var all []Finding
	for _, flow := range v.Cluster.Flows() {
		if flow.Protocol != cluster.ProtocolUDP || flow.Optional {
			continue
		}
		for _, host := range flow.From {
			if found, small := smallPath(v, host, triedOf(v, cluster.Flow{
				Protocol: flow.Protocol, Port: flow.Port, From: []cluster.Host{host}, To: flow.To,
			})); small {
				all = append(all, found)
			}
		}
	}
	return all
}

// smallPath is the finding of one host: the smallest of its paths counts, as its Pods have one MTU.
func smallPath(v view.View, host cluster.Host, ways []tried) (Finding, bool) {
	var to []string
	smallest := hosts.Probed{}
	for _, way := range ways {
		if way.Passage != hosts.Passed || way.Fits == 0 || way.Fits >= way.Size {
			continue
		}
		to = addName(to, way.to.Name)
		way.Fits = min(way.Fits, takes(v.Facts[way.to.Name], way.To.Address, way.Fits))
		if smallest.Fits == 0 || way.Fits < smallest.Fits {
			smallest = way.Probed
		}
	}
	if len(to) == 0 {
		return Finding{}, false
	}
	link := linkWith(v.Facts[host.Name], smallest.From)
	four := !isSix(smallest.From)
	found := finding(
		fmt.Sprintf("on %s: ip link set dev %s mtu %d, and the same in what configures its network (networkd, NetworkManager, netplan, ifupdown); or have the network between carry %d bytes",
			host.Name, link, smallest.Fits, smallest.Size),
		"packets of more than %d bytes are lost on the way to %s, and its interface %s sends up to %d: Pods' packets of up to %d bytes, with the %d of VXLAN, would be lost",
		smallest.Fits, fewOf(to), link, smallest.Size, smallest.Size-vxlanOverhead(four), vxlanOverhead(four)).on(host.Name)
	if v.Settled(host, v.Facts[host.Name]) {
		found.Severity = Warning
	}
	return found, true
}

// takes is how large packets the interface with an address is set to take, or else what passed: some cards let a
// VLAN tag's four bytes more in than their MTU says.
func takes(facts hosts.Facts, address string, passed int) int {
	name := linkWith(facts, address)
	for _, link := range facts.Interfaces {
		if link.Name == name && link.MTU > 0 {
			return link.MTU
		}
	}
	return passed
}

func isSix(text string) bool {
	address, err := netip.ParseAddr(text)
	return err == nil && address.Unmap().Is6()
}
