package phases

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/view"
)

const checkPlan = "address-plan"

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

// checkSubnets holds the cluster's subnets against all that the host has to do with: its
// interfaces, its routes and its name servers. An address of theirs inside of one is lost to
// the host, or the Pod or Service that gets it is.
func checkSubnets(in Input, host cluster.Host, facts hosts.Facts) []Problem {
	var problems []Problem
	told := map[netip.Prefix]bool{}
	for _, link := range facts.Interfaces {
		for _, text := range link.Addresses {
			prefix, err := netip.ParsePrefix(text)
			if err != nil || in.isClusterLink(link.Name, facts) {
				continue
			}
			told[prefix.Masked()] = true
			problems = append(problems, in.overlaps(host, facts, prefix, "its interface "+link.Name+" has "+text)...)
		}
	}
	for _, route := range facts.Routes {
		prefix, err := netip.ParsePrefix(route.Destination)
		if err != nil || told[prefix] || in.isClusterLink(route.Interface, facts) || in.isHostAddress(route.Gateway) {
			continue
		}
		told[prefix] = true
		problems = append(problems, in.overlaps(host, facts, prefix, "its route to "+route.Destination+" leads out of "+route.Interface)...)
	}
	for _, server := range manifests.NameServers(in.Cluster, facts) {
		for _, subnet := range subnetsOf(in.Cluster) {
			if subnet.Contains(server) {
				problems = append(problems, in.problemUnlessSettled(checkPlan, host, facts, otherSubnets,
					"its name server %s lies inside the %s subnet %s, where neither the host nor Pods would reach it", server, subnet.what, subnet.Prefix))
			}
		}
	}
	return problems
}

const otherSubnets = "choose subnets under networking that none of the hosts' networks has to do with"

// overlaps tells of a network of the host that has addresses in common with a subnet. One
// that only has the whole subnet within it works: more precise routes go before it. But its
// machines with such addresses are hidden.
func (in Input) overlaps(host cluster.Host, facts hosts.Facts, network netip.Prefix, what string) []Problem {
	var problems []Problem
	for _, subnet := range subnetsOf(in.Cluster) {
		switch {
		case !subnet.Overlaps(network):
		case network.Bits() >= subnet.Bits() || subnet.Contains(network.Addr()):
			problems = append(problems, in.problemUnlessSettled(checkPlan, host, facts, otherSubnets,
				"%s, which lies inside the %s subnet %s", what, subnet.what, subnet.Prefix))
		case network.Bits() >= widestNetwork && !in.Settled(host, facts):
			problems = append(problems, warning(checkPlan, host, otherSubnets+", if there are such machines",
				"%s, a network that has the %s subnet %s within it: its machines with such addresses will not be reached from the nodes", what, subnet.what, subnet.Prefix))
		}
	}
	return problems
}

// isClusterLink tells whether an interface is the cluster network's own. Those of a network
// that the user brings have any names: on a host that the cluster has begun to work on they
// cannot be told from others.
func (in Input) isClusterLink(name string, facts hosts.Facts) bool {
	return slices.Contains(manifests.OwnershipTable().Links, name) ||
		in.Cluster.Networking.AddOn == cluster.AddOnNone && view.Claimed(facts.Record)
}

// isHostAddress tells whether a route's gateway is a host of the cluster: so lead the ways to
// its Pods, where the network has no tunnel.
func (in Input) isHostAddress(gateway string) bool {
	return gateway != "" && slices.ContainsFunc(in.Cluster.Hosts, func(host cluster.Host) bool {
		return slices.Contains(host.Addresses, gateway)
	})
}

// checkServiceRoute looks whether what runs on the host itself reaches Services. The packet
// filter sends a packet for one on to a Pod, but only a packet that the kernel has a route for
// gets there: any route will do.
func checkServiceRoute(in Input, host cluster.Host, facts hosts.Facts) []Problem {
	for _, service := range in.Cluster.Networking.DNSAddresses() {
		if _, there := facts.RouteTo[service.String()]; there || facts.RouteTo == nil {
			continue
		}
		subnet, command := in.Cluster.Networking.ServiceSubnets[0], "ip"
		for _, prefix := range in.Cluster.Networking.ServicePrefixes() {
			if prefix.Contains(service) {
				subnet = prefix.String()
			}
		}
		if service.Is6() {
			command = "ip -6"
		}
		link := cmp.Or(linkWith(facts, host.Address()), "INTERFACE")
		return []Problem{warning("routes", host,
			"give it a default route or, where that may not be: "+command+" route add "+subnet+" dev "+link+
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
