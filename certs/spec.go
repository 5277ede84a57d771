package certs

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
)

// names are subject alternative names while they are gathered.
type names struct {
	dns       []string
	addresses []netip.Addr
}

// add takes an address or, where it is none, a DNS name.
func (n *names) add(values ...string) {
	for _, value := range values {
		if value == "" {
			continue
		}
		if address, err := netip.ParseAddr(value); err == nil {
			n.addresses = append(n.addresses, address)
			continue
		}
		n.dns = append(n.dns, value)
	}
}

// Spec is the certificate that the row means on a host of a cluster.
func (e Entry) Spec(c *cluster.Cluster, host cluster.Host) Spec {
	spec := Spec{
		Name:          e.Name,
		Authority:     e.Authority,
		CommonName:    strings.ReplaceAll(e.CommonName, "%s", host.Name),
		Organizations: slices.Clone(e.Organizations),
		Usages:        slices.Clone(e.Usages),
		KeyAlgorithm:  c.Certificates.KeyAlgorithm,
	}
	if e.names != nil {
		n := e.names(c, host)
		spec.DNSNames = sortedUnique(n.dns, strings.Compare)
		spec.Addresses = sortedUnique(n.addresses, netip.Addr.Compare)
	}
	return spec
}

// apiServerNames is every name that a client may know an API server by: kubeadm's, and
// all of the host's addresses.
func apiServerNames(c *cluster.Cluster, host cluster.Host) names {
	var n names
	n.add(host.Name, "kubernetes", "kubernetes.default", "kubernetes.default.svc")
	if c.Networking.DNSDomain != "" {
		n.add("kubernetes.default.svc." + c.Networking.DNSDomain)
	}
	n.addresses = append(n.addresses, c.Networking.APIServerAddresses()...)
	n.add(host.Addresses...)
	n.add(c.Endpoint.Host, c.Endpoint.Address)
	n.add(c.Certificates.ExtraSANs...)
	return n
}

func etcdNames(_ *cluster.Cluster, host cluster.Host) names {
	var n names
	n.add(host.Name, "localhost", "127.0.0.1", "::1")
	n.add(host.Addresses...)
	return n
}

func sortedUnique[T comparable](values []T, compare func(a, b T) int) []T {
	values = slices.Clone(values)
	slices.SortFunc(values, compare)
	return slices.Compact(values)
}
