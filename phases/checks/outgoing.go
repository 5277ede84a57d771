package checks

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/view"
)

// keptIn tells of what the cluster needs and ufw does not let out of the host, where its default for that is to let
// nothing out. Slipway opens what comes in alone: who turned the default round has decided what may leave.
func keptIn(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	if facts.Conditions == nil || facts.Conditions.Outgoing == nil || manifests.FirewallOf(facts) != hosts.UFW {
		return nil
	}
	out := *facts.Conditions.Outgoing
	var needed, rules []string
	for _, flow := range v.Cluster.Flows() {
		kept := slices.DeleteFunc(flow.Ways(), func(way cluster.Pair) bool {
			return way.From.Name != host.Name || letsOut(out, flow, way, leavesBy(facts, way))
		})
		if flow.Optional || len(kept) == 0 {
			continue
		}
		needed = append(needed, fmt.Sprintf("%s (%s)", protocolPort(flow), flow.Why))
		if flow.Port > 0 {
			rules = append(rules, fmt.Sprintf("ufw allow out proto %s to any port %d", flow.Protocol, flow.Port))
			continue
		}
		for _, way := range kept { // older ones have no word for VRRP
			rules = append(rules, "ufw allow out to "+way.ToAddress.String())
		}
	}
	for _, link := range manifests.PodInterfaces(v.Cluster, host) {
		if !letsOutBy(out, link) {
			needed, rules = append(needed, "Pods by "+link), append(rules, "ufw allow out on "+link)
		}
	}
	if len(needed) == 0 {
		return nil
	}
	return []Finding{late(v, host, facts, strings.Join(rules, " && ")+"; or, to let out everything: ufw default allow outgoing",
		"ufw lets out only what a rule allows (its default for what goes out is %s), and no rule lets out what the cluster needs: %s", out.Default, strings.Join(needed, ", "))}
}

// leavesBy is the interface by which a way leaves its host: by the host's routes, or else the one that has its address.
// Not of all hosts of a large cluster is it asked how they are reached.
func leavesBy(facts hosts.Facts, way cluster.Pair) string {
	return cmp.Or(facts.Conditions.RouteTo[way.ToAddress.String()], linkWith(facts, way.FromAddress.String()))
}

// letsOut tells whether a rule lets a way of a flow out, which leaves by an interface.
func letsOut(out hosts.Outgoing, flow cluster.Flow, way cluster.Pair, link string) bool {
	return slices.ContainsFunc(out.Allowed, func(rule hosts.PacketRule) bool { return isAbout(rule, flow, way, link) })
}

// letsOutBy tells whether a rule lets everything out by an interface.
func letsOutBy(out hosts.Outgoing, link string) bool {
	return slices.ContainsFunc(out.Allowed, func(rule hosts.PacketRule) bool {
		return rule.Protocol == "" && rule.Ports == "" && (rule.Link == "" || rule.Link == link) && strings.HasSuffix(rule.To, "/0") && strings.HasSuffix(rule.From, "/0")
	})
}
