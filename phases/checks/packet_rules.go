package checks

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/view"
)

// isAbout tells whether a rule is about a way of a flow that comes in or leaves by an interface: of a range of ports about
// any of them.
func isAbout(rule hosts.PacketRule, flow cluster.Flow, way cluster.Pair, link string) bool {
	return (rule.Link == "" || rule.Link == link) && (rule.Protocol == "" || rule.Protocol == string(flow.Protocol)) &&
		hasPort(rule.Ports, flow.Port, max(flow.Port, flow.Last)) && within(rule.To, way.ToAddress) && within(rule.From, way.FromAddress)
}

// hasPort tells whether any of some ports is among those of a rule.
func hasPort(ports string, least, most int) bool {
	return ports == "" || slices.ContainsFunc(portRanges(ports), func(r [2]int) bool { return r[0] <= most && least <= r[1] })
}

// hasPorts tells whether all of them are.
func hasPorts(ports string, least, most int) bool {
	return ports == "" || slices.ContainsFunc(portRanges(ports), func(r [2]int) bool { return r[0] <= least && most <= r[1] })
}

// portRanges are the ports of a rule: single ones and ranges, with commas between them.
func portRanges(ports string) (found [][2]int) {
	for one := range strings.SplitSeq(ports, ",") {
		first, last, isRange := strings.Cut(one, ":")
		if !isRange {
			last = first
		}
		from, err1 := strconv.Atoi(first)
		to, err2 := strconv.Atoi(last)
		if err1 == nil && err2 == nil {
			found = append(found, [2]int{from, to})
		}
	}
	return found
}

// within tells whether an address is the one given, or in the subnet given; behind a ! whether it is not.
func within(place string, address netip.Addr) bool {
	if place == "" {
		return true
	}
	if place, but := strings.CutPrefix(place, "!"); but {
		prefix, known := manifests.AddressesOf(place)
		return known && prefix.Addr().Is4() == address.Is4() && !prefix.Contains(address)
	}
	prefix, known := manifests.AddressesOf(place)
	return known && prefix.Contains(address)
}

// refusals are the rules of a host's firewall that keep a way to it out before what Slipway opens is asked: the first that
// is sure, and those before it that may.
func refusals(v view.View, flow cluster.Flow, way cluster.Pair) []hosts.InRule {
	facts := v.Facts[way.To.Name]
	rules := facts.FirewallState.Rules
	if !slices.ContainsFunc(rules, func(rule hosts.InRule) bool { return rule.Refuses }) {
		return nil
	}
	link := linkWith(facts, way.ToAddress.String())
	zone := zoneOf(facts.FirewallState, way.FromAddress, link)
	var found []hosts.InRule
	for _, rule := range rules {
		if rule.Zone != zone || !isAbout(rule.PacketRule, flow, way, link) {
			continue
		}
		switch {
		case rule.Refuses:
			found = append(found, rule)
		case !hasPorts(rule.Ports, flow.Port, max(flow.Port, flow.Last)):
			continue // it lets a part of the range in
		}
		if !rule.Unsure {
			break
		}
	}
	return found
}

// refusal is the rule that is sure to keep a way out; false: there is none.
func refusal(v view.View, flow cluster.Flow, way cluster.Pair) (hosts.InRule, bool) {
	for _, rule := range refusals(v, flow, way) {
		if !rule.Unsure {
			return rule, true
		}
	}
	return hosts.InRule{}, false
}

// zoneOf is the zone of firewalld's that takes what comes from an address by an interface: that of the narrowest source,
// or else the interface's.
func zoneOf(state hosts.FirewallState, from netip.Addr, link string) string {
	zone, bits := state.ZoneOf(link), -1
	for source, of := range state.Sources {
		if prefix, known := manifests.AddressesOf(source); known && prefix.Contains(from) && prefix.Bits() > bits {
			zone, bits = of, prefix.Bits()
		}
	}
	return zone
}
