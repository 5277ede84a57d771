package cluster

import (
	"net/netip"
	"slices"
)

// families looks whether the hosts, and the endpoint where it is an address, have addresses of
// the cluster's families. A node without one of them would have Pods that nothing leads to; and
// the order says which family each part of a host is reached by, so it is the same everywhere.
func (k *checker) families(c *Cluster) {
	wanted := c.Networking.Families()
	for i, host := range c.Hosts {
		k.hostFamilies(host, child(index("hosts", i), "addresses"), wanted)
	}
	k.endpointFamily(c, wanted)
}

func (k *checker) hostFamilies(host Host, at string, wanted []Family) {
	have := familiesOf(host.Addresses)
	if len(have) == 0 {
		return // told already
	}
	from := func(f *finding) { f.concludedFrom("podSubnets", "serviceSubnets", "podSubnet", "serviceSubnet") }
	for i, text := range host.Addresses {
		address, err := netip.ParseAddr(text)
		if err != nil || slices.Contains(wanted, FamilyOf(address)) {
			continue
		}
		from(k.wrong(index(at, i), "write subnets of "+string(FamilyOf(address))+" under networking, too, or leave the address out; see docs/dual-stack.md",
			"%s is %s, and the cluster's Pods and Services have %s alone", text, FamilyOf(address), listed(wanted)))
		return
	}
	for _, family := range wanted {
		if !slices.Contains(have, family) {
			from(k.wrong(at, "write addresses: [ONE OF "+string(wanted[0])+", ONE OF "+string(wanted[len(wanted)-1])+"]",
				"has no address of %s, and the cluster's Pods and Services have %s", family, listed(wanted)))
			return
		}
	}
	if have[0] != wanted[0] {
		from(k.wrong(at, "write "+host.AddressOf(wanted[0])+" first", "begins with %s, and networking.podSubnets with %s: the first family is the one that is preferred", have[0], wanted[0]))
	}
}

// endpointFamily refuses an endpoint that the nodes have no address to reach it from.
func (k *checker) endpointFamily(c *Cluster, wanted []Family) {
	path, text := "endpoint.host", c.Endpoint.Host
	if !isAddress(text) {
		path, text = "endpoint.address", c.Endpoint.Address
	}
	address, err := netip.ParseAddr(text)
	if err != nil || !reachable(address) || slices.Contains(wanted, FamilyOf(address)) {
		return
	}
	for _, host := range c.Hosts {
		if slices.Contains(host.Addresses, text) {
			return // told there
		}
	}
	k.wrong(path, "write an address of "+listed(wanted)+", or addresses and subnets of "+string(FamilyOf(address))+" for all hosts, Pods and Services",
		"%s is %s, and the hosts have %s alone", text, FamilyOf(address), listed(wanted)).concludedFrom("hosts", "addresses", "address", "podSubnets", "podSubnet")
}
