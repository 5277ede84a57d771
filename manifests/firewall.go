package manifests

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
)

// oldestFirewalld is the first version that has what is needed: forwarding between zones, and policies.
const oldestMajor, oldestMinor = 0, 9

// FirewallOf is the firewall of a host that has to let the cluster's traffic through: the one that runs, or
// the one that the next boot starts; empty where there is none.
func FirewallOf(facts hosts.Facts) string { return cmp.Or(facts.Firewall, facts.Boot.Firewall) }

// OldFirewalld tells whether a host's firewalld is one that Slipway cannot set up.
func OldFirewalld(state hosts.FirewallState) bool {
	var major, minor int
	if _, err := fmt.Sscanf(state.Version, "%d.%d", &major, &minor); err != nil {
		return false
	}
	return major < oldestMajor || major == oldestMajor && minor < oldestMinor
}

// Firewall is what the firewall of a host has to let through; nil where there is none, or it is not Slipway's
// to open.
func Firewall(c *cluster.Cluster, host cluster.Host, facts hosts.Facts) *hosts.OpenFirewall {
	kind, state := FirewallOf(facts), facts.FirewallState
	if kind == "" || !c.ManagesFirewall() || state.Problem != "" || kind == hosts.Firewalld && OldFirewalld(state) {
		return nil
	}
	open := &hosts.OpenFirewall{Kind: kind, Openings: Openings(c, host, facts)}
	if kind == hosts.Firewalld {
		open.Zones = Zones(c, host, facts, open.Openings)
	}
	for _, link := range PodInterfaces(c, host) {
		if state.Bound[link] == "" { // else its user has decided what it may do, and two zones firewalld refuses
			open.Pods = append(open.Pods, link)
		}
	}
	// What kube-proxy has translated firewalld lets through, unless it is told otherwise; ufw never does.
	open.IntoPods = (kind == hosts.UFW || state.Strict) && c.OpensNodePorts() && len(open.Pods) > 0
	return open
}

// Zones are those of firewalld's that have to be open: of the interfaces that the host's addresses are on, and those that
// take what hosts send before these do.
func Zones(c *cluster.Cluster, host cluster.Host, facts hosts.Facts, openings []hosts.Opening) []string {
	var found []string
	for _, link := range facts.Interfaces {
		serves := link.Name == c.Endpoint.VRRP.Interface && c.MayHold(host)
		if serves || slices.ContainsFunc(prefixes(link), func(p netip.Prefix) bool { return hasAddress(host, p.Addr()) }) {
			found = append(found, facts.FirewallState.ZoneOf(link.Name))
		}
	}
	if len(found) == 0 {
		found = []string{facts.FirewallState.DefaultZone}
	}
	for source, zone := range facts.FirewallState.Sources {
		if meetsHosts(c, source, zone, openings) {
			found = append(found, zone)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// meetsHosts tells whether what is let in from somewhere meets a zone of firewalld's by its source. One that is there
// to keep others out is opened only where a host of the cluster is among them.
func meetsHosts(c *cluster.Cluster, source, zone string, openings []hosts.Opening) bool {
	from, known := AddressesOf(source)
	if !known {
		return false
	}
	if zone == "drop" || zone == "block" {
		return slices.ContainsFunc(c.Hosts, func(host cluster.Host) bool {
			return slices.ContainsFunc(host.Addresses, func(text string) bool {
				address, err := netip.ParseAddr(text)
				return err == nil && from.Contains(address.Unmap())
			})
		})
	}
	return slices.ContainsFunc(openings, func(opening hosts.Opening) bool {
		return slices.ContainsFunc(opening.From, func(text string) bool {
			wanted, known := AddressesOf(text)
			return known && wanted.Overlaps(from)
		})
	})
}

// AddressesOf are the addresses that a firewall's source means; false where it is no address or subnet, as a MAC
// address or a set of firewalld's is not.
func AddressesOf(source string) (netip.Prefix, bool) {
	if prefix, err := netip.ParsePrefix(source); err == nil {
		return prefix.Masked(), true
	}
	address, err := netip.ParseAddr(source)
	if err != nil {
		return netip.Prefix{}, false
	}
	address = address.Unmap()
	return netip.PrefixFrom(address, address.BitLen()), true
}

func prefixes(link hosts.Link) []netip.Prefix {
	var found []netip.Prefix
	for _, text := range link.Addresses {
		if prefix, err := netip.ParsePrefix(text); err == nil {
			found = append(found, netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()))
		}
	}
	return found
}

func hasAddress(host cluster.Host, address netip.Addr) bool {
	return slices.ContainsFunc(host.Addresses, func(text string) bool {
		own, err := netip.ParseAddr(text)
		return err == nil && own.Unmap() == address
	})
}

// PodInterfaces are those by which Pods' traffic comes to a node.
func PodInterfaces(c *cluster.Cluster, host cluster.Host) []string {
	if !host.IsNode() || c.Networking.AddOn != cluster.AddOnFlannel {
		return nil // what the user's own network has, only the user knows
	}
	links := []string{"cni0", "flannel.1"}
	for _, subnet := range c.Networking.PodPrefixes() {
		if subnet.Addr().Is6() {
			links = append(links, "flannel-v6.1")
		}
	}
	return links
}

// Openings are what a host has to let in, by the table of the cluster's traffic.
func Openings(c *cluster.Cluster, host cluster.Host, facts hosts.Facts) []hosts.Opening {
	var found []hosts.Opening
	for _, flow := range c.FlowsTo(host) {
		name := openingName(c, flow)
		if name == nodePorts && !c.OpensNodePorts() {
			continue
		}
		var from []string
		if !flow.Anyone {
			from = sources(c, host, flow, facts)
		}
		at := slices.IndexFunc(found, func(o hosts.Opening) bool { return o.Name == name })
		if at < 0 {
			found = append(found, hosts.Opening{Name: name, Ports: []string{portsOf(flow)}, From: from, Why: flow.Why})
			continue
		}
		same := &found[at]
		if !slices.Contains(same.Ports, portsOf(flow)) {
			same.Ports = append(same.Ports, portsOf(flow))
		}
		if len(from) == 0 || len(same.From) == 0 {
			same.From = nil // anybody
		} else {
			same.From = sorted(append(same.From, from...))
		}
	}
	return found
}

const nodePorts = hosts.OpeningPrefix + "node-ports"

// openingName is the name of a flow in a firewall.
func openingName(c *cluster.Cluster, flow cluster.Flow) string {
	names := map[int]string{
		cluster.PortEtcdClient: "etcd", cluster.PortEtcdPeer: "etcd-peer", cluster.PortKubelet: "kubelet", cluster.PortFlannel: "vxlan",
		c.Endpoint.Port: "endpoint", c.APIPort(): "api",
	}
	switch {
	case flow.Protocol == cluster.ProtocolVRRP:
		return hosts.OpeningPrefix + "vrrp"
	case flow.Last > flow.Port:
		return nodePorts
	case names[flow.Port] != "":
		return hosts.OpeningPrefix + names[flow.Port]
	}
	return hosts.OpeningPrefix + strconv.Itoa(flow.Port)
}

// portsOf are a flow's ports as an Opening has them.
func portsOf(flow cluster.Flow) string {
	switch {
	case flow.Port == 0:
		return string(flow.Protocol)
	case flow.Last > flow.Port:
		return fmt.Sprintf("%d-%d/%s", flow.Port, flow.Last, flow.Protocol)
	}
	return fmt.Sprintf("%d/%s", flow.Port, flow.Protocol)
}

// sources are where a flow comes from. To etcd and keepalived those hosts alone: they learn of another
// one when it joins. To all else the host's own subnets too, so that a worker which joins is let in by
// hosts that nobody tells of it; a neighbour there could take a host's address anyway.
func sources(c *cluster.Cluster, host cluster.Host, flow cluster.Flow, facts hosts.Facts) []string {
	var networks []netip.Prefix
	if flow.Protocol != cluster.ProtocolVRRP && flow.Port != cluster.PortEtcdClient && flow.Port != cluster.PortEtcdPeer {
		networks = hostNetworks(c, host, facts)
	}
	var found []string
	for _, network := range networks {
		found = append(found, network.String())
	}
	for _, from := range flow.From {
		for _, text := range from.Addresses {
			address, err := netip.ParseAddr(text)
			if err == nil && !slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(address.Unmap()) }) {
				found = append(found, address.Unmap().String())
			}
		}
	}
	return sorted(found)
}

// hostNetworks are the subnets that hosts are in: those of the file, or those of the host's own addresses.
func hostNetworks(c *cluster.Cluster, host cluster.Host, facts hosts.Facts) []netip.Prefix {
	var found []netip.Prefix
	for _, text := range c.Firewall.HostNetworks {
		if prefix, err := netip.ParsePrefix(text); err == nil { // as it is in a valid file
			found = append(found, prefix.Masked())
		}
	}
	if len(found) > 0 {
		return found
	}
	for _, link := range facts.Interfaces {
		for _, prefix := range prefixes(link) {
			if hasAddress(host, prefix.Addr()) && !prefix.IsSingleIP() && prefix.Bits() > 0 {
				found = append(found, prefix.Masked())
			}
		}
	}
	return found
}

// sorted is a list without what it has twice, in one order: a firewall's settings do not depend on the file's.
func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.SortFunc(list, strings.Compare)
	return slices.Compact(list)
}
