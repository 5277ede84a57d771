package checks

import (
	"fmt"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/view"
)

// refusing tells of rules of a firewall's user that keep out what Slipway opens: they are asked before.
func refusing(kind string) look {
	return func(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
		if manifests.FirewallOf(facts) != kind || manifests.Firewall(v.Cluster, host, facts) == nil {
			return nil
		}
		var order []hosts.InRule
		flows, from := map[string][]string{}, map[string][]string{}
		for _, flow := range v.Cluster.FlowsTo(host) {
			for _, way := range flow.Ways() {
				for _, rule := range refusals(v, flow, way) {
					if len(flows[rule.Text]) == 0 {
						order = append(order, rule)
					}
					flows[rule.Text] = addName(flows[rule.Text], fmt.Sprintf("%s (%s)", protocolPorts(flow), flow.Why))
					from[rule.Text] = addName(from[rule.Text], way.From.Name)
				}
			}
		}
		var all []Finding
		for _, rule := range order {
			seen := "%s goes by its rule `%s` before it asks for what Slipway opens, and that keeps out %s from %s"
			if rule.Unsure {
				seen = "%s goes by its rule `%s` before it asks for what Slipway opens; whether that keeps out %s from %s cannot be told"
			}
			all = append(all, warning(withoutRule(kind, rule), seen, kind, rule.Text, strings.Join(flows[rule.Text], ", "), fewOf(from[rule.Text])))
		}
		return all
	}
}

// withoutRule is how to take a rule away.
func withoutRule(kind string, rule hosts.InRule) string {
	const but = "have it leave these hosts out, or take it away: "
	if kind == hosts.UFW {
		return but + "ufw status numbered, then ufw delete with its number"
	}
	return but + "firewall-cmd --permanent --zone=" + rule.Zone + " --remove-rich-rule='" + rule.Text + "' && firewall-cmd --reload"
}

// protocolPorts are a flow's, also where it has several.
func protocolPorts(flow cluster.Flow) string {
	if flow.Last > flow.Port {
		return fmt.Sprintf("%s-%d", protocolPort(flow), flow.Last)
	}
	return protocolPort(flow)
}
