package checks

import (
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/view"
)

// commands are what to type so that a host lets the cluster's traffic in: the openings, in firewalld's zones, and the
// interfaces of Pods' network.
type commands func(openings []hosts.Opening, zones, pods []string) []string

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
		fix := strings.Join(rules(openings, manifests.Zones(v.Cluster, host, facts, openings), manifests.PodInterfaces(v.Cluster, host)), " && ")
		switch at := facts.FirewallState; {
		case !v.Cluster.ManagesFirewall() && closes(facts, kind):
			return when(len(at.Unsaved) > 0, unsaved(at, "closes what Slipway opened"))
		case !v.Cluster.ManagesFirewall():
			return []Finding{warning(fix, "%s %s, and firewall.manage is false: it has to let the cluster's traffic through", kind, state)}
		case kind == hosts.Firewalld && manifests.OldFirewalld(at): // its interface lacks what is asked
			return []Finding{warning(fix, "%s %s is too old for Slipway to open (0.9 or newer): it has to let the cluster's traffic through", kind, at.Version)}
		case at.Problem != "":
			return []Finding{finding("see that "+kind+" is well: systemctl status "+kind, "%s %s, and Slipway cannot open it: %s", kind, state, at.Problem)}
		case len(at.Unsaved) > 0 && !isOpen(v, host, facts):
			return []Finding{unsaved(at, "opens it")}
		}
		found := slices.Concat(otherAddOn(v.Cluster, host, kind), flushes(facts.FirewallState), unknownSources(facts.FirewallState, openings))
		return append(found, when(len(facts.FirewallState.Unloaded) > 0 && !isOpen(v, host, facts), unloaded(facts.FirewallState))...)
	}
}

// closes tells whether something is open in a firewall that the workflow closes.
func closes(facts hosts.Facts, kind string) bool {
	_, opened := facts.Record.PriorOf(hosts.FirewallSetting(kind))
	return opened
}

// unsaved tells of settings that a reload would end, which does something.
func unsaved(state hosts.FirewallState, does string) Finding {
	return finding("keep them: firewall-cmd --runtime-to-permanent; or end them: firewall-cmd --reload; what a program sets, as fail2ban does, goes when that is stopped",
		"firewalld has settings that its files do not have, and the reload that %s would end them: %s", does, strings.Join(state.Unsaved, "; "))
}

// unloaded tells of what a reload brings into force: it may be new, or was taken away until then.
func unloaded(state hosts.FirewallState) Finding {
	return warning("where that was taken away on purpose, take it away with firewall-cmd --permanent too, before; else nothing is to be done",
		"the reload that opens firewalld brings into force what its files have and it has not: %s", strings.Join(state.Unloaded, "; "))
}

// unsavedAtReset tells of them before anything is reset: the firewall is closed last.
func unsavedAtReset(_ view.View, _ cluster.Host, facts hosts.Facts) []Finding {
	return when(closes(facts, hosts.Firewalld) && len(facts.FirewallState.Unsaved) > 0, unsaved(facts.FirewallState, "closes what Slipway opened"))
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

// unknownSources tells of zones that take packets by where they come from, before the zones of interfaces do, where that is
// said by other words than addresses: hosts may be among them.
func unknownSources(state hosts.FirewallState, openings []hosts.Opening) []Finding {
	var found []Finding
	for _, source := range slices.Sorted(maps.Keys(state.Sources)) {
		if _, known := manifests.AddressesOf(source); known {
			continue
		}
		zone := state.Sources[source]
		open := strings.Join(firewalldRules(openings, []string{zone}, nil), " && ")
		found = append(found, warning("where hosts are among it, open that zone too: "+open,
			"firewalld's zone %s takes what comes from %s before the zone of the interface does, and Slipway does not open it: whether hosts are among it cannot be told", zone, source))
	}
	return found
}

// flushes tells of a reload that takes the rules of others away.
func flushes(state hosts.FirewallState) []Finding {
	return when(state.Flushes, warning("set FirewallBackend=nftables in /etc/firewalld/firewalld.conf, or FlushAllOnReload=no",
		"firewalld works with iptables: each of its reloads takes kube-proxy's and flannel's rules away for up to 30 s, until they write them again"))
}

// firewalldRules name each zone: firewall-cmd opens the default one else, which need not be that of the host's interface.
func firewalldRules(openings []hosts.Opening, zones, pods []string) []string {
	var rules []string
	for _, zone := range zones {
		rules = append(rules, zoneRules(openings, zone)...)
	}
	for _, link := range pods {
		rules = append(rules, "firewall-cmd --permanent --zone=trusted --add-interface="+link)
	}
	return append(rules, "firewall-cmd --reload")
}

// zoneRules open one zone; without a name the default one, where firewalld has said of none.
func zoneRules(openings []hosts.Opening, zone string) []string {
	add := "firewall-cmd --permanent --add-"
	if zone != "" {
		add = "firewall-cmd --permanent --zone=" + zone + " --add-"
	}
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
	return rules
}

func ufwRules(openings []hosts.Opening, _, pods []string) []string {
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
