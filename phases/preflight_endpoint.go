package phases

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

const checkEndpoint = "endpoint"

// kubeadmConfigKey is the object that keeps what the cluster was made with.
var kubeadmConfigKey = hosts.ObjectKey{APIVersion: "v1", Kind: "ConfigMap", Namespace: "kube-system", Name: "kubeadm-config"}

// movedEndpoint is a cluster that has another endpoint than the file: every host and the
// API servers' certificates go by it, and nothing moves them all at once.
func (in Input) movedEndpoint() []Problem {
	live, there := in.ClusterFacts.Objects[kubeadmConfigKey]
	want, err := manifests.EndpointAddress(in.Cluster)
	if !there || err != nil {
		return nil
	}
	have, err := manifests.EndpointOf(live)
	if err != nil || have == want || have == "" && in.Cluster.Endpoint.Mode == cluster.EndpointControlPlane {
		return nil
	}
	if have == "" {
		have = "its only control plane's address"
	}
	return []Problem{{Check: checkEndpoint, Severity: SeverityError,
		Detail: fmt.Sprintf("the cluster's endpoint is %s, the file says %s", have, want),
		Fix:    "set endpoint back to " + have + "; moving the endpoint of a running cluster is not supported yet",
	}}
}

// checkVirtualIP looks whether a host that is to hold the virtual address can, and whether
// nobody else does.
func checkVirtualIP(in Input, host cluster.Host, facts hosts.Facts) []Problem {
	address, err := netip.ParseAddr(in.Cluster.VirtualAddress())
	if err != nil || !in.Cluster.Balances(host) {
		return nil
	}
	link, found := in.vipLink(host, facts, address)
	if found != nil {
		return []Problem{*found}
	}
	if !view.CarriesKeepalived(facts.Record) && slices.Contains(addressesOf(facts), address) {
		return []Problem{problem(checkEndpoint, host, "set endpoint.address to one that is free, or take it away: ip address del "+address.String()+" dev "+link,
			"the virtual address %s is the host's own already, and not by Slipway's keepalived", address)}
	}
	return append(in.vipHolder(host, facts, address), in.otherRouters(host, facts)...)
}

// vipLink is the interface that is to carry the virtual address, or the problem with it.
func (in Input) vipLink(host cluster.Host, facts hosts.Facts, address netip.Addr) (string, *Problem) {
	const elsewhere = "choose an address of that subnet, or the interface whose subnet it is of (endpoint.vrrp.interface)"
	said := in.Cluster.Endpoint.VRRP.Interface
	name := said
	if said == "" {
		name = linkWith(facts, host.Address())
	}
	at := slices.IndexFunc(facts.Interfaces, func(link hosts.Link) bool { return link.Name == name })
	if at < 0 && said == "" {
		return "", nil // the host's own address is on none: that is told already
	}
	wrong := func(fix, detail string, args ...any) (string, *Problem) {
		found := problem(checkEndpoint, host, fix, detail, args...)
		return "", &found
	}
	if at < 0 {
		return wrong("set endpoint.vrrp.interface to one that all of these hosts have", "it has no interface %s", said)
	}
	subnets, single := subnetsAt(facts.Interfaces[at], address.Is4())
	for _, subnet := range subnets {
		switch {
		case !subnet.Contains(address):
		case subnet.Bits() < subnet.Addr().BitLen()-1 && (address == subnet.Addr() || address == lastOf(subnet)):
			return wrong("choose another address of that subnet", "the virtual address %s is no host's: it is the network's own address or the broadcast address of %s on %s", address, subnet, name)
		default:
			return name, nil
		}
	}
	switch {
	case len(subnets) > 0:
		return wrong(elsewhere, "the virtual address %s lies outside the subnet of %s (%s)", address, name, list(subnets))
	case len(single) > 0:
		return wrong("where the network gives each host an address alone, VRRP has nothing to move: write endpoint.mode: local or external, or say by endpoint.vrrp.interface which interface is in a common subnet",
			"its interface %s has only %s, a subnet of one address: the virtual address %s has none to lie in", name, list(single), address)
	}
	return wrong("give it an address of the virtual address's subnet, or say by endpoint.vrrp.interface which interface has one",
		"its interface %s, which is to carry the virtual address %s, has no IPv4 address", name, address)
}

// subnetsAt are the subnets of an interface in one family, and apart from them those that
// have but one address.
func subnetsAt(link hosts.Link, four bool) (subnets, single []netip.Prefix) {
	for _, text := range link.Addresses {
		prefix, err := netip.ParsePrefix(text)
		switch {
		case err != nil || prefix.Addr().Is4() != four:
		case prefix.IsSingleIP():
			single = append(single, prefix)
		default:
			subnets = append(subnets, prefix.Masked())
		}
	}
	return subnets, single
}

// lastOf is the last address of a subnet: with IPv4 the one that all its hosts listen to.
func lastOf(subnet netip.Prefix) netip.Addr {
	bytes := subnet.Masked().Addr().AsSlice()
	for i := subnet.Bits(); i < len(bytes)*8; i++ {
		bytes[i/8] |= 1 << (7 - i%8)
	}
	last, _ := netip.AddrFromSlice(bytes)
	return last
}

func list(subnets []netip.Prefix) string {
	texts := make([]string, 0, len(subnets))
	for _, subnet := range subnets {
		texts = append(texts, subnet.String())
	}
	return strings.Join(texts, ", ")
}

// vipHolder is somebody who answers for the virtual address, and is not one of the
// cluster's own hosts.
func (in Input) vipHolder(host cluster.Host, facts hosts.Facts, address netip.Addr) []Problem {
	if facts.VirtualIP == nil || facts.VirtualIP.Holder == "" || in.holdsVIP(facts.VirtualIP.Holder) {
		return nil
	}
	return []Problem{problem(checkEndpoint, host, "choose an address that is free, or take it from who has it: ip neighbour show "+address.String(),
		"the virtual address %s is somebody's already: %s answers for it on %s", address, facts.VirtualIP.Holder, facts.VirtualIP.Interface)}
}

// holdsVIP tells whether a hardware address is one of the cluster's balancers'; of one
// that cannot be seen nobody can say otherwise, where the cluster has balancers already.
func (in Input) holdsVIP(mac string) bool {
	begun, hidden := false, false
	for _, host := range in.Cluster.Balancers() {
		facts, seen := in.Facts[host.Name]
		switch {
		case !seen:
			hidden = true
		case view.CarriesKeepalived(facts.Record):
			begun = true
			if slices.ContainsFunc(facts.Interfaces, func(link hosts.Link) bool { return strings.EqualFold(link.MAC, mac) }) {
				return true
			}
		}
	}
	return hidden && (begun || in.ClusterFacts.Reachable)
}

// otherRouters is another virtual router of the network with the cluster's id.
func (in Input) otherRouters(host cluster.Host, facts hosts.Facts) []Problem {
	ours, err := manifests.RouterID(in.Cluster, in.PKI)
	if err != nil || facts.VirtualIP == nil {
		return nil
	}
	heard := map[int]bool{}
	var clash *hosts.Router
	for i, router := range facts.VirtualIP.Routers {
		heard[router.RouterID] = true
		own := slices.ContainsFunc(in.Cluster.Hosts, func(h cluster.Host) bool { return slices.Contains(h.Addresses, router.Source) })
		if router.RouterID == ours && !own {
			clash = &facts.VirtualIP.Routers[i]
		}
	}
	if clash == nil {
		return nil
	}
	free := ours
	for range 255 {
		if free = free%255 + 1; !heard[free] {
			break
		}
	}
	return []Problem{problem(checkEndpoint, host, fmt.Sprintf("set endpoint.vrrp.routerID to another, e.g. %d", free),
		"another virtual router with the id %d (%s, VRRP version %d) is heard on %s", ours, clash.Source, clash.Version, facts.VirtualIP.Interface)}
}

// checkNames looks whether the endpoint, where it is a name, leads where it must. What
// Slipway knows the address of, it writes into /etc/hosts where the name does not resolve.
func checkNames(in Input, host cluster.Host, facts hosts.Facts) []Problem {
	name := in.Cluster.Endpoint.Host
	if _, err := netip.ParseAddr(name); name == "" || err == nil {
		return nil
	}
	found := facts.Names[name]
	why, unanswered := facts.Unresolved[name]
	ask := "see what is wrong with the name servers of the host: `getent hosts " + name + "` there asks them"
	if unanswered && manifests.KnowsEndpoint(in.Cluster) && len(manifests.HostsEntries(in.Cluster, facts)) == 0 {
		return []Problem{warning("names", host, ask,
			"the endpoint's name %s cannot be looked up now (%s): it is taken to lead where it led when the host came into the cluster", name, why)}
	}
	want := in.Cluster.VirtualAddress()
	switch in.Cluster.Endpoint.Mode {
	case cluster.EndpointControlPlane: // the name of the only one is written where it leads elsewhere, too
		if len(in.Cluster.ControlPlanes()) == 1 {
			return nil
		}
	case cluster.EndpointLocal:
		want = "127.0.0.1"
	case cluster.EndpointVIP, cluster.EndpointLoadBalancers, cluster.EndpointExternal:
	}
	if want == "" && unanswered {
		return []Problem{problem("names", host, ask, "the endpoint's name %s cannot be looked up now (%s)", name, why)}
	}
	if want == "" && len(found) == 0 {
		return []Problem{problem("names", host, "add it to the DNS, or to /etc/hosts of every host",
			"the endpoint's name %s does not resolve", name)}
	}
	others := slices.DeleteFunc(slices.Clone(found), func(address string) bool { return address == want })
	if want == "" || len(others) == 0 {
		return nil
	}
	return []Problem{problem("names", host, "correct the DNS or /etc/hosts of the host, or take another name for the endpoint (endpoint.host)",
		"the endpoint's name %s has to lead to %s, and leads to %s", name, want, strings.Join(found, ", "))}
}

// checkReach looks whether a host reaches what is the user's own: the balancer in front of
// the API, and etcd. A balancer that refuses may just have no API server to go to yet.
func checkReach(in Input, host cluster.Host, facts hosts.Facts) []Problem {
	var problems []Problem
	if in.Cluster.Endpoint.Mode == cluster.EndpointExternal {
		problems = append(problems, in.balancerProblems(host, facts)...)
	}
	if in.Cluster.StackedEtcd() || !host.HasRole(cluster.RoleControlPlane) {
		return problems
	}
	for _, address := range view.EtcdAddresses(in.Cluster) {
		if why := facts.Reach[address]; why != "" {
			problems = append(problems, problem("etcd", host, "see that etcd listens there, and that nothing between filters it",
				"it does not reach etcd at %s: %s", address, why))
		}
	}
	return problems
}

func (in Input) balancerProblems(host cluster.Host, facts hosts.Facts) []Problem {
	address, err := manifests.EndpointAddress(in.Cluster)
	if err != nil {
		return nil
	}
	why := facts.Reach[address]
	_, failed := facts.Reach[address]
	_, nameless := facts.Unresolved[in.Cluster.Endpoint.Host]
	switch {
	case !failed || why == "", nameless: // which the check of names tells
		return nil
	case strings.HasPrefix(why, "connection refused") && !in.ClusterFacts.Reachable: // and not by a name server
		return []Problem{warning(checkEndpoint, host, "see that it listens there; it may do so only when an API server answers",
			"the load balancer at %s refuses connections: %s", address, why)}
	}
	return []Problem{problem(checkEndpoint, host, "see that it listens there, and that nothing between filters it",
		"it does not reach the load balancer at %s: %s", address, why)}
}
