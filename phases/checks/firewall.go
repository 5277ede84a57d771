package checks

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/view"
)

// commands are what to type so that a host lets the cluster's traffic in: the openings, and the interfaces
// of Pods' network.
type commands func(openings []hosts.Opening, pods []string) []string

// firewall tells why Slipway cannot open a firewall that runs, or will after the next boot, and what then has to
// be typed.
func firewall(kind string, rules commands) look {
	return func(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
		if manifests.FirewallOf(facts) != kind {
			return nil
		}
		state := "is running"
		if facts.Firewall == "" {
			state = "does not run now, but will after the next boot"
		}
		openings := manifests.Openings(v.Cluster, host, facts)
		fix := strings.Join(rules(openings, manifests.PodInterfaces(v.Cluster, host)), " && ")
		switch at := facts.FirewallState; {
		case !v.Cluster.ManagesFirewall():
			return []Finding{warning(fix, "%s %s, and firewall.manage is false: it has to let the cluster's traffic through", kind, state)}
		case at.Problem != "":
			return []Finding{finding("see that "+kind+" is well: systemctl status "+kind, "%s %s, and Slipway cannot open it: %s", kind, state, at.Problem)}
		case kind == hosts.Firewalld && manifests.OldFirewalld(at):
			return []Finding{warning(fix, "%s %s is too old for Slipway to open (0.9 or newer): it has to let the cluster's traffic through", kind, at.Version)}
		case len(at.Unsaved) > 0 && !isOpen(v, host, facts):
			return []Finding{finding("keep them: firewall-cmd --runtime-to-permanent; or end them: firewall-cmd --reload",
				"%s has settings that its files do not have, and the reload that opens it would end them: %s", kind, strings.Join(at.Unsaved, "; "))}
		}
		return append(otherAddOn(v.Cluster, host, kind), flushes(facts.FirewallState)...)
	}
}

// isOpen tells whether nothing is left to be opened.
func isOpen(v view.View, host cluster.Host, facts hosts.Facts) bool {
	at := facts.FirewallState
	return at.Opened != nil && len(at.Missing) == 0 && reflect.DeepEqual(at.Opened, manifests.Firewall(v.Cluster, host, facts))
}

// otherAddOn tells that a network of the user's own has ports and interfaces that Slipway does not know.
func otherAddOn(c *cluster.Cluster, host cluster.Host, kind string) []Finding {
	return when(host.IsNode() && c.Networking.AddOn != cluster.AddOnFlannel,
		warning("open them as the network add-on's own manual says", "%s is running: the ports and interfaces of a network add-on of your own stay closed", kind))
}

// flushes tells of a reload that takes the rules of others away.
func flushes(state hosts.FirewallState) []Finding {
	return when(state.Flushes, warning("set FirewallBackend=nftables in /etc/firewalld/firewalld.conf, or FlushAllOnReload=no",
		"firewalld works with iptables: each of its reloads takes kube-proxy's and flannel's rules away for up to 30 s, until they write them again"))
}

func firewalldRules(openings []hosts.Opening, pods []string) []string {
	const add = "firewall-cmd --permanent --add-"
	var rules []string
	for _, opening := range openings {
		for _, what := range opening.Ports {
			port, protocol, hasPort := strings.Cut(what, "/")
			matches := fmt.Sprintf(`protocol value="%s"`, what)
			switch {
			case hasPort:
				matches = fmt.Sprintf(`port port="%s" protocol="%s"`, port, protocol)
				if len(opening.From) == 0 {
					rules = append(rules, add+"port="+what)
				}
			case len(opening.From) == 0:
				rules = append(rules, add+"protocol="+what)
			}
			for _, source := range opening.From {
				family := "ipv4"
				if isIPv6(source) {
					family = "ipv6"
				}
				rules = append(rules, fmt.Sprintf(`%srich-rule='rule family="%s" source address="%s" %s accept'`, add, family, source, matches))
			}
		}
	}
	for _, link := range pods {
		rules = append(rules, "firewall-cmd --permanent --zone=trusted --add-interface="+link)
	}
	return append(rules, "firewall-cmd --reload")
}

func ufwRules(openings []hosts.Opening, pods []string) []string {
	var rules []string
	for _, opening := range openings {
		for _, what := range opening.Ports {
			port, protocol, hasPort := strings.Cut(what, "/")
			to := fmt.Sprintf(" to any port %s proto %s", strings.ReplaceAll(port, "-", ":"), protocol)
			if !hasPort {
				to = "" // older ones have no word for VRRP
			}
			for _, source := range opening.From {
				rules = append(rules, "ufw allow from "+source+to)
			}
			if len(opening.From) == 0 {
				rules = append(rules, "ufw allow "+strings.ReplaceAll(what, "-", ":"))
			}
		}
	}
	for _, link := range pods {
		rules = append(rules, "ufw allow in on "+link, "ufw route allow in on "+link, "ufw route allow out on "+link)
	}
	return rules
}

func isIPv6(address string) bool { return strings.Contains(address, ":") }

// filtersByHand tells of chains that drop what no rule lets in, and that nobody has made but an administrator: what
// their rules let in cannot be told for sure, and they stay as they are.
func filtersByHand(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	if len(facts.Filters) == 0 {
		return nil
	}
	var names []string
	for _, filter := range facts.Filters {
		names = append(names, filter.String())
	}
	openings, pods := manifests.Openings(v.Cluster, host, facts), manifests.PodInterfaces(v.Cluster, host)
	var fixes []string
	for _, filter := range facts.Filters {
		rules := nftRules(filter, openings, pods)
		if filter.Tool != "nft" {
			rules = iptablesRules(filter, openings, pods)
		}
		fixes = append(fixes, strings.Join(rules, " && "))
	}
	byHand := hosts.Filter{Tool: "iptables", Table: "filter", Chain: "INPUT", Hook: "input"}
	if !slices.ContainsFunc(facts.Filters, func(f hosts.Filter) bool { return f.Tool == "iptables" }) {
		fixes = append(fixes, "with iptables: "+strings.Join(iptablesRules(byHand, openings, pods), " && "))
	}
	if !slices.ContainsFunc(facts.Filters, func(f hosts.Filter) bool { return f.Tool == "nft" }) {
		fixes = append(fixes, "with nft: "+strings.Join(nftRules(hosts.Filter{Family: "inet", Table: "filter", Chain: "input", Hook: "input"}, openings, pods), " && "))
	}
	fixes = append(fixes, "with firewalld: "+strings.Join(firewalldRules(openings, pods), " && "))
	return []Finding{warning("unless its rules do so already, let the cluster's traffic in, and keep that over a reboot: "+strings.Join(fixes, "; "),
		"%s drops what no rule lets in, and is none of a firewall that Slipway knows: it stays as it is", strings.Join(names, " and "))}
}

func nftRules(filter hosts.Filter, openings []hosts.Opening, pods []string) []string {
	begin := strings.Join([]string{"nft insert rule", filter.Family, filter.Table, filter.Chain}, " ")
	var rules []string
	for _, opening := range openings {
		if filter.Hook == "forward" {
			break // Pods' traffic alone goes through
		}
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
	}
	return rules
}

// strangeNetwork tells of workers that come from a network which no host of the cluster has an address in, as far
// as those that join can tell: the others' firewalls, which are not reached, may not let them in.
func strangeNetwork(v view.View) []Finding {
	var all []Finding
	targets := v.Targets(view.Join)
	for _, host := range targets {
		facts, seen := v.Facts[host.Name]
		if !seen || !v.Cluster.ManagesFirewall() || len(v.Cluster.Firewall.HostNetworks) > 0 || host.HasRole(cluster.RoleControlPlane) || v.Cluster.MayHold(host) {
			continue
		}
		for _, other := range v.Cluster.Hosts {
			if _, told := v.Facts[other.Name]; told || !other.IsNode() || sharesNetwork(host, other, facts) {
				continue
			}
			all = append(all, warning("run slipway init when it has joined, or name the hosts' networks in firewall.hostNetworks",
				"it is in another network than %s: where a firewall runs there, it lets the new host in only when it is told", other.Name).on(host.Name))
			break
		}
	}
	return all
}

// sharesNetwork tells whether another host has an address in a subnet of this one's own addresses.
func sharesNetwork(host, other cluster.Host, facts hosts.Facts) bool {
	for _, link := range facts.Interfaces {
		for _, text := range link.Addresses {
			prefix, err := netip.ParsePrefix(text)
			if err != nil || !slices.Contains(host.Addresses, prefix.Addr().Unmap().String()) {
				continue
			}
			for _, text := range other.Addresses {
				if address, err := netip.ParseAddr(text); err == nil && prefix.Masked().Contains(address.Unmap()) {
					return true
				}
			}
		}
	}
	return false
}
