package checks

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

// wrongVirtualIP looks whether a host that is to hold the virtual address can, and whether
// nobody else does.
func wrongVirtualIP(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	address, err := netip.ParseAddr(v.Cluster.VirtualAddress())
	if err != nil {
		return nil
	}
	link, found := vipLink(v, host, facts, address)
	if found != nil {
		return []Finding{*found}
	}
	if !view.CarriesKeepalived(facts.Record) && slices.Contains(addressesOf(facts), address) {
		return []Finding{finding("set endpoint.address to one that is free, or take it away: ip address del "+address.String()+" dev "+link,
			"the virtual address %s is the host's own already, and not by Slipway's keepalived", address)}
	}
	return append(vipHolder(v, facts, address), otherRouters(v, facts)...)
}

// vipLink is the interface that is to carry the virtual address, or the problem with it.
func vipLink(v view.View, host cluster.Host, facts hosts.Facts, address netip.Addr) (string, *Finding) {
	const elsewhere = "choose an address of that subnet, or the interface whose subnet it is of (endpoint.vrrp.interface)"
	said := v.Cluster.Endpoint.VRRP.Interface
	name := said
	if said == "" {
		name = linkWith(facts, host.AddressOf(cluster.FamilyOf(address)))
	}
	at := slices.IndexFunc(facts.Interfaces, func(link hosts.Link) bool { return link.Name == name })
	if at < 0 && said == "" {
		return "", nil // the host's own address is on none: that is told already
	}
	wrong := func(fix, detail string, args ...any) (string, *Finding) {
		found := finding(fix, detail, args...)
		return "", &found
	}
	if at < 0 {
		return wrong("set endpoint.vrrp.interface to one that all of these hosts have", "it has no interface %s", said)
	}
	subnets, single := subnetsAt(facts.Interfaces[at], address.Is4())
	for _, subnet := range subnets {
		switch {
		case !subnet.Contains(address):
		case subnet.Bits() < subnet.Addr().BitLen()-1 && (address == subnet.Addr() || address.Is4() && address == lastOf(subnet)):
			return wrong("choose another address of that subnet", "the virtual address %s is no host's: it is %s of %s on %s", address, notHosts[cluster.FamilyOf(address)], subnet, name)
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
		"its interface %s, which is to carry the virtual address %s, has no address of %s", name, address, cluster.FamilyOf(address))
}

// notHosts are a subnet's addresses that are no host's: with IPv6 only the first, all its routers'.
var notHosts = map[cluster.Family]string{
	cluster.IPv4: "the network's own address or the broadcast address", cluster.IPv6: "the address of all routers",
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
func vipHolder(v view.View, facts hosts.Facts, address netip.Addr) []Finding {
	if facts.VirtualIP == nil || facts.VirtualIP.Holder == "" || holdsVIP(v, facts.VirtualIP.Holder) {
		return nil
	}
	return []Finding{finding("choose an address that is free, or take it from who has it: ip neighbour show "+address.String(),
		"the virtual address %s is somebody's already: %s answers for it on %s", address, facts.VirtualIP.Holder, facts.VirtualIP.Interface)}
}

// holdsVIP tells whether a hardware address is one of the cluster's balancers'; of one
// that cannot be seen nobody can say otherwise, where the cluster has balancers already.
func holdsVIP(v view.View, mac string) bool {
	begun, hidden := false, false
	for _, host := range v.Cluster.Balancers() {
		facts, seen := v.Facts[host.Name]
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
	return hidden && (begun || v.ClusterFacts.Reachable)
}

// otherRouters is another virtual router of the network with the cluster's id.
func otherRouters(v view.View, facts hosts.Facts) []Finding {
	ours, err := manifests.RouterID(v.Cluster, v.PKI)
	if err != nil || facts.VirtualIP == nil {
		return nil
	}
	heard := map[int]bool{}
	var clash *hosts.Router
	for i, router := range facts.VirtualIP.Routers {
		heard[router.RouterID] = true
		own := slices.ContainsFunc(v.Cluster.Hosts, func(h cluster.Host) bool { return slices.Contains(h.Addresses, router.Source) })
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
	return []Finding{finding(fmt.Sprintf("set endpoint.vrrp.routerID to another, e.g. %d", free),
		"another virtual router with the id %d (%s, VRRP version %d) is heard on %s", ours, clash.Source, clash.Version, facts.VirtualIP.Interface)}
}

// untoldHolders are hosts of the cluster that cannot be told of a keepalived which the join
// starts: one that holds the virtual address all the same, or that boots later with the
// peers of before, and the newcomer would both have it.
func untoldHolders(v view.View) []Finding {
	starts := func(host cluster.Host) bool { return startsKeepalived(v, host) }
	if v.Cluster.VirtualAddress() == "" || !v.Completed() || !slices.ContainsFunc(targets(v), starts) {
		return nil
	}
	var all []Finding
	for _, host := range v.Cluster.Balancers() {
		if _, seen := v.Facts[host.Name]; seen || view.Among(targets(v), host.Name) || !known(v, host) {
			continue
		}
		all = append(all, finding("bring it up, or take it out, and then out of the file: slipway remove --offline "+host.Name,
			"its keepalived cannot be told of the new one, and both would hold %s: %s", v.Cluster.VirtualAddress(), Unreached(v, host.Name).Seen).on(host.Name))
	}
	return all
}

// startsKeepalived tells whether a host is to run keepalived and does not yet.
func startsKeepalived(v view.View, host cluster.Host) bool {
	return v.Cluster.Balances(host) && v.Facts[host.Name].Units[manifests.KeepalivedUnit].Active != "active"
}

// heldUnseen are hosts that may hold the virtual address still, whatever else of them is
// dead: none that stays has it. Taken out, such a one would hold it beside another.
func heldUnseen(v view.View) []Finding {
	address, err := netip.ParseAddr(v.Cluster.VirtualAddress())
	if err != nil {
		return nil
	}
	var unseen []cluster.Host
	for _, host := range v.Cluster.Balancers() {
		facts, seen := v.Facts[host.Name]
		switch {
		case !view.Among(targets(v), host.Name):
			if seen && slices.Contains(addressesOf(facts), address) {
				return nil
			}
		case !seen || facts.Units[manifests.KeepalivedUnit].Active == "active":
			unseen = append(unseen, host)
		}
	}
	var all []Finding
	for _, host := range unseen {
		all = append(all, finding("cut its power first, then wait until another has it",
			"no host that answers has %s: %s may hold it still", address, host.Name).on(host.Name))
	}
	return all
}
