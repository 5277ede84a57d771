package checks

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

// conflictingAddresses are addresses of the host's that another machine has as well: it has answered for one, or the
// kernel has found so and does not use it.
func conflictingAddresses(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	var all []Finding
	if facts.Conditions != nil {
		for _, address := range slices.Sorted(maps.Keys(facts.Conditions.Conflicts)) {
			all = append(all, finding("take the address from one of the two; who the other is: arping -D "+address+", or the switch's table",
				"another machine answers for its address %s too: %s", address, facts.Conditions.Conflicts[address]))
		}
	}
	for _, text := range host.Addresses {
		address, err := netip.ParseAddr(text)
		if err != nil {
			continue
		}
		if link, has := facts.LinkWith(address); has && hasAddress(link.Duplicates, address) {
			all = append(all, finding(fmt.Sprintf("take the address from one of the two (who the other is: ndisc6 %s %s, or the switch's table), then set it anew: ip -6 address show dadfailed lists what the kernel does not use", text, link.Name),
				"another machine has its address %s on %s already, so the kernel does not use it (dadfailed)", text, link.Name))
		}
	}
	return all
}

// hasAddress tells whether an address is among those given in CIDR form.
func hasAddress(list []string, address netip.Addr) bool {
	return slices.ContainsFunc(list, func(cidr string) bool {
		prefix, err := netip.ParsePrefix(cidr)
		return err == nil && prefix.Addr().Unmap() == address.Unmap()
	})
}

// leasedAddresses are addresses of the file that the host was only lent: certificates, etcd and kubelets go by them,
// and after a lease has ended they may be another's.
func leasedAddresses(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	var all []Finding
	for _, text := range host.Addresses {
		address, err := netip.ParseAddr(text)
		if err != nil {
			continue
		}
		link, found := facts.LinkWith(address)
		if found && hasAddress(link.Leased, address) {
			all = append(all, warning("reserve it for "+link.MAC+" at the DHCP server, or set it firmly on the host",
				"its address %s on %s is leased (by DHCP, or a router's advertisements): it must never become another", text, link.Name))
		}
	}
	return all
}

// tunnels are kinds of interfaces that lead through another network.
var tunnels = []string{"wireguard", "tun", "tuntap", "ppp", "ipip", "gre", "sit", "vti", "xfrm"}

// otherWays are other hosts that a host reaches by another interface than the one that has its own address: what
// it sends has another source, or a smaller MTU, than the network add-on reckons with.
func otherWays(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	own := linkWith(facts, host.Address())
	if facts.Conditions == nil || own == "" {
		return nil
	}
	ways := map[string][]string{}
	for _, other := range v.Cluster.Hosts {
		for _, address := range other.Addresses {
			by, asked := facts.Conditions.RouteTo[address]
			if asked && by != "" && by != own && !isSix(address) == !isSix(host.Address()) {
				ways[by] = addName(ways[by], other.Name)
			}
		}
	}
	var all []Finding
	for _, by := range slices.Sorted(maps.Keys(ways)) {
		what := ""
		if at := slices.IndexFunc(facts.Interfaces, func(link hosts.Link) bool { return link.Name == by }); at >= 0 && slices.Contains(tunnels, facts.Interfaces[at].Kind) {
			what = fmt.Sprintf(", a tunnel (%s)", facts.Interfaces[at].Kind)
		}
		all = append(all, warning("set the address that "+by+" has as the host's in the cluster file, or have the route lead out of "+own+": ip route get shows it",
			"its address %s is on %s, but %s are reached by %s%s", host.Address(), own, strings.Join(firstFew(ways[by]), ", "), by, what))
	}
	return all
}

// What a resolv.conf may have, by Kubernetes' own validation of a Pod's; the kubelet adds three domains to the host's
// and cuts off what is too much.
const (
	mostSearchDomains = 32
	longestSearch     = 2048
	addedDomains      = 3
)

// manySearchDomains is a list of search domains that the kubelet would cut off.
func manySearchDomains(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	count, length := len(facts.SearchDomains)+addedDomains, len(strings.Join(facts.SearchDomains, " "))
	return when(count > mostSearchDomains || length > longestSearch-200,
		warning("take some out, by what manages the file; or name another file as resolvConf in a KubeletConfiguration document of the cluster file",
			"%s has %d search domains (%d characters): with its own the kubelet gives Pods %d at most (%d), and cuts off the rest", facts.Resolver, len(facts.SearchDomains), length, mostSearchDomains, longestSearch))
}
