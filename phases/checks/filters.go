package checks

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/view"
)

// filtersByHand tells of chains that drop what no rule lets in, or through, and that nobody has made but an administrator
// or a container engine: what their rules let in cannot be told for sure, and they stay as they are.
func filtersByHand(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	in := slices.DeleteFunc(slices.Clone(facts.Filters), func(f hosts.Filter) bool { return f.Hook == "forward" })
	found := incomingFilters(v, host, facts, in)
	if !host.IsNode() {
		return found // nothing goes through it
	}
	for _, filter := range facts.Filters {
		if filter.Hook == "forward" {
			found = append(found, forwardingFilter(v, host, facts, filter)...)
		}
	}
	return found
}

// incomingFilters tells of those that packets to the host itself meet.
func incomingFilters(v view.View, host cluster.Host, facts hosts.Facts, filters []hosts.Filter) []Finding {
	if len(filters) == 0 {
		return nil
	}
	var names, fixes []string
	openings, pods := manifests.Openings(v.Cluster, host, facts), manifests.PodInterfaces(v.Cluster, host)
	for _, filter := range filters {
		names, fixes = append(names, filter.String()), append(fixes, strings.Join(rulesFor(filter, openings, pods), " && "))
	}
	byHand := hosts.Filter{Tool: "iptables", Table: "filter", Chain: "INPUT", Hook: "input"}
	if !slices.ContainsFunc(filters, func(f hosts.Filter) bool { return f.Tool == "iptables" }) {
		fixes = append(fixes, "with iptables: "+strings.Join(iptablesRules(byHand, openings, pods), " && "))
	}
	if !slices.ContainsFunc(filters, func(f hosts.Filter) bool { return f.Tool == "nft" }) {
		fixes = append(fixes, "with nft: "+strings.Join(nftRules(hosts.Filter{Family: "inet", Table: "filter", Chain: "input", Hook: "input"}, openings, pods), " && "))
	}
	fixes = append(fixes, "with firewalld: "+strings.Join(firewalldRules(openings, manifests.Zones(v.Cluster, host, facts, openings), pods), " && "))
	return []Finding{warning("unless its rules do so already, let the cluster's traffic in, and keep that over a reboot: "+strings.Join(fixes, "; "),
		"%s drops what no rule lets in, and is none of a firewall that Slipway knows: it stays as it is", strings.Join(names, " and "))}
}

// forwardingFilter tells of one that Pods' traffic goes through. An accept in flannel's or kube-proxy's nft tables overrides
// no drop of another table; where they work by iptables, flannel's rules come behind all others of the table filter:
// a policy drops nothing of theirs then, and a last rule does.
func forwardingFilter(v view.View, host cluster.Host, facts hosts.Facts, filter hosts.Filter) []Finding {
	settings, err := v.ChosenSettings()
	byNFT := err != nil || settings.ProxyMode == manifests.ProxyNFTables
	flannel := v.Cluster.Networking.AddOn == cluster.AddOnFlannel
	pods := linksOf(filter, v.Cluster, host)
	switch {
	case !carries(filter, v.Cluster):
		return nil
	case flannel && letsThrough(filter, pods):
		return nil
	case flannel && filter.Policy && !byNFT && filter.Tool != "nft" && filter.Table == "filter":
		return nil
	}
	seen, fix := "drops what no rule lets through", "let Pods' traffic through as the network add-on's own manual says, and keep that over a reboot"
	if filter.Policy {
		seen = "drops by its policy what no rule lets through"
	}
	if flannel {
		seen += ", and what lets Pods' traffic through elsewhere does not override that"
		fix = "unless its rules do so already, let Pods' traffic through, and keep that over a reboot: " + strings.Join(rulesFor(filter, nil, pods), " && ")
	}
	if filter.Policy && filter.Tool != "nft" {
		fix += "; Docker sets this policy and leaves it behind: where it is gone, so is the policy with the next boot"
	}
	told := warning(fix, "%s %s: Pods would reach no other host, and nobody a Service from outside", filter, seen)
	if flannel && filter.Policy && filter.Tool != "nft" && !v.Settled(host, facts) {
		told.Severity = Error // nobody writes the accepts of it by hand; where Pods run, whether they do shows
	}
	return []Finding{told}
}

// carries tells whether Pods' traffic is of a family that the filter sees.
func carries(filter hosts.Filter, c *cluster.Cluster) bool {
	four, six := families(filter)
	return slices.ContainsFunc(c.Networking.PodPrefixes(), func(p netip.Prefix) bool { return p.Addr().Is4() && four || p.Addr().Is6() && six })
}

// families are those of IP that a filter sees.
func families(filter hosts.Filter) (four, six bool) {
	if filter.Tool != "nft" {
		six = strings.HasPrefix(filter.Tool, "ip6")
		return !six, six
	}
	return filter.Family != "ip6", filter.Family != "ip"
}

// linksOf are the Pods' interfaces by which packets come that a filter sees.
func linksOf(filter hosts.Filter, c *cluster.Cluster, host cluster.Host) []string {
	four, six := families(filter)
	return slices.DeleteFunc(manifests.PodInterfaces(c, host), func(link string) bool {
		return link == "flannel.1" && !four || link == "flannel-v6.1" && !six
	})
}

// letsThrough tells whether a filter lets through all that comes and goes by the interfaces.
func letsThrough(filter hosts.Filter, links []string) bool {
	return !slices.ContainsFunc(links, func(link string) bool {
		return !slices.Contains(filter.In, link) || !slices.Contains(filter.Out, link)
	})
}

// rulesFor are the commands that have a filter let the cluster's traffic in, or through.
func rulesFor(filter hosts.Filter, openings []hosts.Opening, pods []string) []string {
	if filter.Tool == "nft" {
		return nftRules(filter, openings, pods)
	}
	return iptablesRules(filter, openings, pods)
}

func nftRules(filter hosts.Filter, openings []hosts.Opening, pods []string) []string {
	begin := strings.Join([]string{"nft insert rule", filter.Family, filter.Table, filter.Chain}, " ")
	var rules []string
	for _, opening := range openings {
		for _, what := range opening.Ports {
			port, protocol, hasPort := strings.Cut(what, "/")
			matches := protocol + " dport " + port
			if !hasPort {
				matches = "meta l4proto " + what
			}
			for _, from := range byFamily(opening.From) {
				if from.word == "" {
					rules = append(rules, begin+" "+matches+" accept")
				} else {
					rules = append(rules, fmt.Sprintf("%s %s saddr '{ %s }' %s accept", begin, from.word, strings.Join(from.sources, ", "), matches))
				}
			}
		}
	}
	for _, link := range pods {
		rules = append(rules, begin+` iifname "`+link+`" accept`)
		if filter.Hook == "forward" {
			rules = append(rules, begin+` oifname "`+link+`" accept`)
		}
	}
	return rules
}

// family are the sources of one family, and nft's word for it; none means anybody.
type family struct {
	word    string
	sources []string
}

func byFamily(sources []string) []family {
	if len(sources) == 0 {
		return []family{{}}
	}
	var found []family
	for _, word := range []string{"ip", "ip6"} {
		if of := slices.DeleteFunc(slices.Clone(sources), func(s string) bool { return isIPv6(s) != (word == "ip6") }); len(of) > 0 {
			found = append(found, family{word, of})
		}
	}
	return found
}

func iptablesRules(filter hosts.Filter, openings []hosts.Opening, pods []string) []string {
	begin := filter.Tool + " -I " + filter.Chain
	if filter.Table != "" && filter.Table != "filter" {
		begin = filter.Tool + " -t " + filter.Table + " -I " + filter.Chain
	}
	six := strings.HasPrefix(filter.Tool, "ip6")
	var rules []string
	for _, opening := range openings {
		for _, what := range opening.Ports {
			port, protocol, hasPort := strings.Cut(what, "/")
			matches := fmt.Sprintf(" -p %s --dport %s", protocol, strings.ReplaceAll(port, "-", ":"))
			if !hasPort {
				matches = " -p " + what
			}
			if len(opening.From) == 0 {
				rules = append(rules, begin+matches+" -j ACCEPT")
			}
			for _, source := range opening.From {
				if isIPv6(source) == six {
					rules = append(rules, begin+" -s "+source+matches+" -j ACCEPT")
				}
			}
		}
	}
	for _, link := range pods {
		rules = append(rules, begin+" -i "+link+" -j ACCEPT")
		if filter.Hook == "forward" {
			rules = append(rules, begin+" -o "+link+" -j ACCEPT")
		}
	}
	return rules
}
