package checks

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/view"
)

// widestNetwork is the shortest prefix that is taken for a network with machines in it:
// shorter ones, as VPNs set them, stand for the default route.
const widestNetwork = 8

// subnet is one of the cluster's.
type subnet struct {
	netip.Prefix
	what string // Pod or Service
}

func subnetsOf(c *cluster.Cluster) []subnet {
	var found []subnet
	for _, prefix := range c.Networking.PodPrefixes() {
		found = append(found, subnet{prefix, "Pod"})
	}
	for _, prefix := range c.Networking.ServicePrefixes() {
		found = append(found, subnet{prefix, "Service"})
	}
	return found
}

// overlappingSubnets holds the cluster's subnets against all that the host has to do with: its
// interfaces, its routes and its name servers. An address of theirs inside of one is lost to
// the host, or the Pod or Service that gets it is.
func overlappingSubnets(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	var all []Finding
	told := map[netip.Prefix]bool{}
	for _, link := range facts.Interfaces {
		for _, text := range link.Addresses {
			prefix, err := netip.ParsePrefix(text)
			if err != nil || isClusterLink(v, link.Name, facts) {
				continue
			}
			told[prefix.Masked()] = true
			all = append(all, overlaps(v, host, facts, prefix, "its interface "+link.Name+" has "+text)...)
		}
	}
	for _, route := range facts.Routes {
		prefix, err := netip.ParsePrefix(route.Destination)
		if err != nil || told[prefix] || isClusterLink(v, route.Interface, facts) || isHostAddress(v, route.Gateway) {
			continue
		}
		told[prefix] = true
		all = append(all, overlaps(v, host, facts, prefix, "its route to "+route.Destination+" leads out of "+route.Interface)...)
	}
	for _, server := range manifests.NameServers(v.Cluster, facts) {
		for _, subnet := range subnetsOf(v.Cluster) {
			if subnet.Contains(server) {
				all = append(all, late(v, host, facts, otherSubnets,
					"its name server %s lies inside the %s subnet %s, where neither the host nor Pods would reach it", server, subnet.what, subnet.Prefix))
			}
		}
	}
	return all
}

const otherSubnets = "choose subnets under networking that none of the hosts' networks has to do with"

// overlaps tells of a network of the host that has addresses in common with a subnet. One
// that only has the whole subnet within it works: more precise routes go before it. But its
// machines with such addresses are hidden.
func overlaps(v view.View, host cluster.Host, facts hosts.Facts, network netip.Prefix, what string) []Finding {
	var all []Finding
	for _, subnet := range subnetsOf(v.Cluster) {
		switch {
		case !subnet.Overlaps(network):
		case network.Bits() >= subnet.Bits() || subnet.Contains(network.Addr()):
			all = append(all, late(v, host, facts, otherSubnets,
				"%s, which lies inside the %s subnet %s", what, subnet.what, subnet.Prefix))
		case network.Bits() >= widestNetwork && !v.Settled(host, facts):
			all = append(all, warning(otherSubnets+", if there are such machines",
				"%s, a network that has the %s subnet %s within it: its machines with such addresses will not be reached from the nodes", what, subnet.what, subnet.Prefix))
		}
	}
	return all
}

// isClusterLink tells whether an interface is the cluster network's own. Those of a network
// that the user brings have any names: on a host that the cluster has begun to work on they
// cannot be told from others.
func isClusterLink(v view.View, name string, facts hosts.Facts) bool {
	return slices.Contains(manifests.OwnershipTable().Links, name) ||
		v.Cluster.Networking.AddOn == cluster.AddOnNone && view.Claimed(facts.Record)
}

// isHostAddress tells whether a route's gateway is a host of the cluster: so lead the ways to
// its Pods, where the network has no tunnel.
func isHostAddress(v view.View, gateway string) bool {
	return gateway != "" && slices.ContainsFunc(v.Cluster.Hosts, func(host cluster.Host) bool {
		return slices.Contains(host.Addresses, gateway)
	})
}

// noServiceRoute looks whether what runs on the host itself reaches Services. The packet
// filter sends a packet for one on to a Pod, but only a packet that the kernel has a route for
// gets there: any route will do.
func noServiceRoute(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	for _, service := range v.Cluster.Networking.DNSAddresses() {
		if _, there := facts.RouteTo[service.String()]; there || facts.RouteTo == nil {
			continue
		}
		subnet, command := v.Cluster.Networking.ServiceSubnets[0], "ip"
		for _, prefix := range v.Cluster.Networking.ServicePrefixes() {
			if prefix.Contains(service) {
				subnet = prefix.String()
			}
		}
		if service.Is6() {
			command = "ip -6"
		}
		link := cmp.Or(linkWith(facts, host.Address()), "INTERFACE")
		return []Finding{warning("give it a default route or, where that may not be: "+command+" route add "+subnet+" dev "+link+
			", and have what configures the network (networkd, NetworkManager, netplan, ifupdown) do the same at boot",
			"it has no route for Service addresses (%s), nor a default route: Pods reach Services, but nothing that runs on the host itself does, such as Pods with hostNetwork and the API server's calls of webhooks and aggregated APIs",
			subnet)}
	}
	return nil
}

// linkWith is the interface that has an address; "" where none has.
func linkWith(facts hosts.Facts, address string) string {
	for _, link := range facts.Interfaces {
		if slices.ContainsFunc(link.Addresses, func(text string) bool {
			prefix, err := netip.ParsePrefix(text)
			return err == nil && prefix.Addr().String() == address
		}) {
			return link.Name
		}
	}
	return ""
}
