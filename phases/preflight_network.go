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
		if !taken || ours && isKubernetes(port, listener) {
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

// isKubernetes tells whether a listener is what Slipway itself put there.
func isKubernetes(port int, listener string) bool {
	if port == portEtcdClient || port == portEtcdPeer {
		return listener == "" || strings.Contains(listener, "etcd")
	}
	return listener == "" || strings.Contains(listener, "kube")
}

func orSomebody(listener string) string {
	if listener == "" {
		return "another program"
	}
	return listener
}

// checkNames looks whether the endpoint, where it is a name, leads anywhere. The name
// of the only control plane is written into /etc/hosts where it does not.
func checkNames(in Input, host cluster.Host, facts hosts.Facts) []Problem {
	name := in.Cluster.Endpoint.Host
	if _, err := netip.ParseAddr(name); name == "" || err == nil {
		return nil
	}
	only := in.Cluster.Endpoint.Mode == cluster.EndpointControlPlane && len(in.Cluster.ControlPlanes()) == 1
	if only || len(facts.Names[name]) > 0 {
		return nil
	}
	return []Problem{problem("names", host, "add it to the DNS, or to /etc/hosts of every host",
		"the endpoint's name %s does not resolve", name)}
}

// checkFirewall tells what a firewall that runs must let through.
func checkFirewall(in Input, host cluster.Host, facts hosts.Facts) []Problem {
	if facts.Firewall == "" {
		return nil
	}
	var rules []string
	for _, port := range opened(in.Cluster, host) {
		switch facts.Firewall {
		case "firewalld":
			rules = append(rules, "firewall-cmd --permanent --add-port="+port)
		default:
			rules = append(rules, "ufw allow "+port)
		}
	}
	for _, subnet := range in.Cluster.Networking.PodSubnets {
		switch facts.Firewall {
		case "firewalld":
			rules = append(rules, "firewall-cmd --permanent --zone=trusted --add-source="+subnet)
		default:
			rules = append(rules, "ufw allow from "+subnet, "ufw route allow from "+subnet)
		}
	}
	if facts.Firewall == "firewalld" {
		rules = append(rules, "firewall-cmd --reload")
	}
	return []Problem{warning("firewall", host, strings.Join(rules, " && "),
		"%s is running: it has to let the cluster's traffic through", facts.Firewall)}
}

// opened are the ports, as firewalls write them, that other hosts have to reach.
func opened(c *cluster.Cluster, host cluster.Host) []string {
	found := []string{fmt.Sprintf("%d/tcp", portKubelet)}
	if host.HasRole(cluster.RoleControlPlane) {
		for _, port := range ports(c, host) {
			if port != portKubelet && port != portProxy && port != portController && port != portScheduler {
				found = append(found, fmt.Sprintf("%d/tcp", port))
			}
		}
	}
	if c.Networking.AddOn == cluster.AddOnFlannel {
		found = append(found, "8472/udp")
	}
	return found
}

// twins are hosts that are one machine, or copies of one.
func (in Input) twins(targets []cluster.Host) []Problem {
	var problems []Problem
	for _, host := range targets {
		facts, seen := in.Facts[host.Name]
		if !seen || facts.MachineID == "" {
			continue
		}
		for _, other := range in.Cluster.Hosts {
			theirs, seen := in.Facts[other.Name]
			if !seen || other.Name == host.Name || theirs.MachineID != facts.MachineID {
				continue
			}
			if sharesMAC(facts, theirs) {
				problems = append(problems, problem("identity", host, "see that ssh.host of the cluster file leads each name to its own machine",
					"it is the same machine as %s", other.Name))
			} else {
				problems = append(problems, warning("identity", host, "rm /etc/machine-id && systemd-machine-id-setup, then reboot",
					"it has the machine-id of %s: one is a copy of the other", other.Name))
			}
			break
		}
	}
	return problems
}

func sharesMAC(one, other hosts.Facts) bool {
	for _, link := range one.Interfaces {
		if link.MAC == "" || link.MAC == "00:00:00:00:00:00" {
			continue
		}
		if slices.ContainsFunc(other.Interfaces, func(l hosts.Link) bool { return l.MAC == link.MAC }) {
			return true
		}
	}
	return false
}
