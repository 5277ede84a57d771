package phases

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
)

// checkAddresses looks for the addresses that the other hosts are to reach it by.
func checkAddresses(_ Input, host cluster.Host, facts hosts.Facts) []Problem {
	have := addressesOf(facts)
	var problems []Problem
	for _, text := range host.Addresses {
		want, err := netip.ParseAddr(text)
		if err == nil && slices.Contains(have, want.Unmap()) {
			continue
		}
		problems = append(problems, problem("address", host, "set hosts[].address to one of: "+listAddresses(have),
			"no interface has the address %s", text))
	}
	return problems
}

func addressesOf(facts hosts.Facts) []netip.Addr {
	var found []netip.Addr
	for _, link := range facts.Interfaces {
		for _, text := range link.Addresses {
			if prefix, err := netip.ParsePrefix(text); err == nil {
				found = append(found, prefix.Addr().Unmap())
			} else if address, err := netip.ParseAddr(text); err == nil {
				found = append(found, address.Unmap())
			}
		}
	}
	return found
}

func listAddresses(addresses []netip.Addr) string {
	var texts []string
	for _, address := range addresses {
		if !address.IsLoopback() && !address.IsLinkLocalUnicast() {
			texts = append(texts, address.String())
		}
	}
	return strings.Join(texts, ", ")
}

// checkPorts looks for somebody else on the ports that Kubernetes listens on.
func checkPorts(in Input, host cluster.Host, facts hosts.Facts) []Problem {
	ours := facts.Record != nil && facts.Record.Cluster.ID == in.ClusterID.ID
	var problems []Problem
	for _, port := range ports(in.Cluster, host) {
		listener, taken := facts.Listeners[port]
		if !taken || ours && in.isOwn(host, port, listener) {
			continue
		}
		found := problem("ports", host, fmt.Sprintf("see who it is, and stop it: ss -ltnp 'sport = :%d'", port),
			"port %d is taken by %s", port, orSomebody(listener))
		if ours { // what it calls itself proves little on a host that is the cluster's already
			found.Severity = SeverityWarning
		}
		problems = append(problems, found)
	}
	return problems
}

// isOwn tells whether a listener is what Slipway itself put there.
func (in Input) isOwn(host cluster.Host, port int, listener string) bool {
	want := "kube"
	switch {
	case port == portEtcdClient || port == portEtcdPeer:
		want = "etcd"
	case in.Cluster.Balances(host) && port == in.Cluster.Endpoint.Port:
		want = "haproxy"
	}
	return listener == "" || strings.Contains(listener, want)
}

func orSomebody(listener string) string {
	if listener == "" {
		return "another program"
	}
	return listener
}

// checkFirewall tells what a firewall that runs must let through.
func checkFirewall(in Input, host cluster.Host, facts hosts.Facts) []Problem {
	name, state := facts.Firewall, "is running: it has"
	if name == "" {
		name, state = facts.Boot.Firewall, "does not run now, but will after the next boot: it then has"
	}
	if name == "" {
		return nil
	}
	allow := ufwRules
	if name == "firewalld" {
		allow = firewalldRules
	}
	return []Problem{warning("firewall", host, strings.Join(allow(in.Cluster, host), " && "),
		"%s %s to let the cluster's traffic through", name, state)}
}

func firewalldRules(c *cluster.Cluster, host cluster.Host) []string {
	var rules []string
	for _, port := range opened(c, host) {
		rules = append(rules, "firewall-cmd --permanent --add-port="+port)
	}
	if c.MayHold(host) {
		rules = append(rules, "firewall-cmd --permanent --add-protocol=vrrp")
	}
	if isNode(host) {
		for _, subnet := range c.Networking.PodSubnets {
			rules = append(rules, "firewall-cmd --permanent --zone=trusted --add-source="+subnet)
		}
	}
	return append(rules, "firewall-cmd --reload")
}

func ufwRules(c *cluster.Cluster, host cluster.Host) []string {
	var rules []string
	for _, port := range opened(c, host) {
		rules = append(rules, "ufw allow "+port)
	}
	if c.MayHold(host) { // older ones have no word for VRRP
		for _, other := range c.Balancers() {
			if other.Name != host.Name {
				rules = append(rules, "ufw allow from "+other.Address())
			}
		}
	}
	if isNode(host) {
		for _, subnet := range c.Networking.PodSubnets {
			rules = append(rules, "ufw allow from "+subnet, "ufw route allow from "+subnet)
		}
	}
	return rules
}

// opened are the ports, as firewalls write them, that other hosts have to reach.
func opened(c *cluster.Cluster, host cluster.Host) []string {
	var found []string
	for _, port := range ports(c, host) {
		switch port {
		case portProxy, portController, portScheduler:
			continue
		case c.Endpoint.Port:
			if c.Endpoint.Mode == cluster.EndpointLocal {
				continue // on the host's own loopback
			}
		}
		found = append(found, fmt.Sprintf("%d/tcp", port))
	}
	if isNode(host) && c.Networking.AddOn == cluster.AddOnFlannel {
		found = append(found, "8472/udp")
	}
	return found
}
