package checks

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

// missingAddresses looks for the addresses that the other hosts are to reach it by.
func missingAddresses(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	have := addressesOf(facts)
	var all []Finding
	for _, text := range host.Addresses {
		want, err := netip.ParseAddr(text)
		if err == nil && slices.Contains(have, want.Unmap()) {
			continue
		}
		all = append(all, finding("set hosts[].address to one of: "+listAddresses(have), "no interface has the address %s", text))
		all[len(all)-1].Check = "HostAddress" // also where the machine's check tells it
	}
	return all
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

// takenPorts looks for somebody else on the ports that Kubernetes listens on.
func takenPorts(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	ours := facts.Record != nil && facts.Record.Cluster.ID == v.ClusterID.ID
	var all []Finding
	for _, port := range view.Ports(v.Cluster, host) {
		listener, taken := facts.Listeners[port]
		if !taken || ours && isOwn(v, host, port, listener) {
			continue
		}
		found := finding(fmt.Sprintf("see who it is, and stop it: ss -ltnp 'sport = :%d'", port),
			"port %d is taken by %s", port, cmp.Or(listener, "another program")).of("Port", port)
		if ours { // what it calls itself proves little on a host that is the cluster's already
			found.Severity = Warning
		}
		all = append(all, found)
	}
	return all
}

// isOwn tells whether a listener is what Slipway itself put there.
func isOwn(v view.View, host cluster.Host, port int, listener string) bool {
	want := "kube"
	switch {
	case port == cluster.PortEtcdClient || port == cluster.PortEtcdPeer:
		want = "etcd"
	case v.Cluster.Balances(host) && port == v.Cluster.Endpoint.Port:
		want = "haproxy"
	}
	return listener == "" || strings.Contains(listener, want)
}

// firewall tells what a firewall that runs, or will after the next boot, must let through.
func firewall(name string, rules func(*cluster.Cluster, cluster.Host) []string) look {
	return func(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
		if cmp.Or(facts.Firewall, facts.Boot.Firewall) != name {
			return nil
		}
		state := "is running: it has"
		if facts.Firewall == "" {
			state = "does not run now, but will after the next boot: it then has"
		}
		return []Finding{finding(strings.Join(rules(v.Cluster, host), " && "), "%s %s to let the cluster's traffic through", name, state)}
	}
}

func firewalldRules(c *cluster.Cluster, host cluster.Host) []string {
	var rules []string
	for _, port := range opened(c, host) {
		rules = append(rules, "firewall-cmd --permanent --add-port="+port)
	}
	for _, opening := range openedToSome(c, host) {
		for _, source := range opening.from {
			family := "ipv4"
			if strings.Contains(source, ":") {
				family = "ipv6"
			}
			rules = append(rules, fmt.Sprintf(
				`firewall-cmd --permanent --add-rich-rule='rule family="%s" source address="%s" port port="%d" protocol="%s" accept'`,
				family, source, opening.port, opening.protocol))
		}
	}
	if c.MayHold(host) {
		rules = append(rules, "firewall-cmd --permanent --add-protocol=vrrp")
	}
	if host.IsNode() {
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
	for _, opening := range openedToSome(c, host) {
		for _, source := range opening.from {
			rules = append(rules, fmt.Sprintf("ufw allow from %s to any port %d proto %s", source, opening.port, opening.protocol))
		}
	}
	if c.MayHold(host) { // older ones have no word for VRRP
		for _, other := range c.Balancers() {
			if other.Name != host.Name {
				rules = append(rules, "ufw allow from "+other.Address())
			}
		}
	}
	if host.IsNode() {
		for _, subnet := range c.Networking.PodSubnets {
			rules = append(rules, "ufw allow from "+subnet, "ufw route allow from "+subnet)
		}
	}
	return rules
}

// opening is a port that only some may reach.
type opening struct {
	port     int
	protocol string
	from     []string // addresses
}

// openedToSome are the ports that nobody but certain hosts of the cluster needs: etcd's,
// where all its data are, and flannel's, where a stranger could put packets into the Pods'
// network unasked.
func openedToSome(c *cluster.Cluster, host cluster.Host) []opening {
	var found []opening
	if host.HasRole(cluster.RoleControlPlane) && c.StackedEtcd() {
		members := othersOf(host, c.ControlPlanes())
		found = append(found, opening{cluster.PortEtcdClient, "tcp", members}, opening{cluster.PortEtcdPeer, "tcp", members})
	}
	if host.IsNode() && c.Networking.AddOn == cluster.AddOnFlannel {
		found = append(found, opening{cluster.PortFlannel, "udp", othersOf(host, c.Nodes())})
	}
	return found
}

// othersOf are the addresses of all but one of some hosts.
func othersOf(one cluster.Host, all []cluster.Host) []string {
	var addresses []string
	for _, host := range all {
		if host.Name != one.Name {
			addresses = append(addresses, host.Address())
		}
	}
	return addresses
}

// opened are the ports, as firewalls write them, that everybody may have to reach.
func opened(c *cluster.Cluster, host cluster.Host) []string {
	var found []string
	for _, port := range view.Ports(c, host) {
		switch port {
		case cluster.PortProxy, cluster.PortController, cluster.PortScheduler, cluster.PortEtcdClient, cluster.PortEtcdPeer:
			continue
		case c.Endpoint.Port:
			if c.Endpoint.Mode == cluster.EndpointLocal {
				continue // on the host's own loopback
			}
		}
		found = append(found, fmt.Sprintf("%d/tcp", port))
	}
	return found
}
