package cluster

import "net/netip"

// PodPrefixes are the Pod subnets, parsed; unreadable ones are left out, as Validate
// has reported them.
func (n Networking) PodPrefixes() []netip.Prefix { return prefixes(n.PodSubnets) }

// ServicePrefixes are the Service subnets, parsed.
func (n Networking) ServicePrefixes() []netip.Prefix { return prefixes(n.ServiceSubnets) }

// APIServerAddresses are the addresses of the Service "kubernetes": the first of each
// Service subnet.
func (n Networking) APIServerAddresses() []netip.Addr { return n.serviceAddresses(1) }

// DNSAddresses are the addresses of the cluster's DNS Service: the tenth of each
// Service subnet, as kubeadm takes them.
func (n Networking) DNSAddresses() []netip.Addr { return n.serviceAddresses(10) }

func (n Networking) serviceAddresses(index int) []netip.Addr {
	var addresses []netip.Addr
	for _, prefix := range n.ServicePrefixes() {
		address := prefix.Masked().Addr()
		for range index {
			address = address.Next()
		}
		if prefix.Contains(address) {
			addresses = append(addresses, address)
		}
	}
	return addresses
}

func prefixes(texts []string) []netip.Prefix {
	var parsed []netip.Prefix
	for _, text := range texts {
		if prefix, err := netip.ParsePrefix(text); err == nil {
			parsed = append(parsed, prefix)
		}
	}
	return parsed
}
