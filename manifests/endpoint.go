package manifests

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
)

func endpointPort(c *cluster.Cluster) int {
	if c.Endpoint.Port == 0 {
		return cluster.DefaultEndpointPort
	}
	return c.Endpoint.Port
}

// APIAddress is the host:port of the API server on a control plane.
func APIAddress(c *cluster.Cluster, host cluster.Host) string {
	return join(host.Address(), c.APIPort())
}

// BalancerAddress is the host:port at which a host reaches the load balancer that is its own.
func BalancerAddress(c *cluster.Cluster, host cluster.Host) string {
	if c.Endpoint.Mode == cluster.EndpointLocal {
		return join("127.0.0.1", endpointPort(c))
	}
	return join(host.Address(), endpointPort(c))
}

// EndpointAddress is the host:port of the API's endpoint.
func EndpointAddress(c *cluster.Cluster) (string, error) {
	port := endpointPort(c)
	if c.Endpoint.Host != "" {
		return join(c.Endpoint.Host, port), nil
	}
	if planes := c.ControlPlanes(); len(planes) == 1 {
		return join(planes[0].Address(), port), nil
	}
	return "", fmt.Errorf("endpoint of cluster %s: endpoint.host is needed unless there is exactly one control plane", c.Name)
}

// EndpointURL is the URL of the API's endpoint.
func EndpointURL(c *cluster.Cluster) (string, error) {
	address, err := EndpointAddress(c)
	if err != nil {
		return "", err
	}
	return "https://" + address, nil
}

// controlPlaneEndpoint is kubeadm's field of that name: empty where the endpoint is
// nothing but the address of the only control plane.
func controlPlaneEndpoint(c *cluster.Cluster) (string, error) {
	address, err := EndpointAddress(c)
	if err != nil {
		return "", err
	}
	planes := c.ControlPlanes()
	if c.Endpoint.Mode == cluster.EndpointControlPlane && len(planes) == 1 && address == APIAddress(c, planes[0]) {
		return "", nil
	}
	return address, nil
}

// discoveryURL is where a host finds the cluster that it is to join. In mode local that
// is no endpoint yet, as the host has no haproxy: it is a control plane.
func (in Input) discoveryURL() (string, error) {
	if in.Cluster.Endpoint.Mode != cluster.EndpointLocal {
		return EndpointURL(in.Cluster)
	}
	planes := in.planes()
	if len(planes) == 0 {
		return "", fmt.Errorf("find a control plane of cluster %s: it has none", in.Cluster.Name)
	}
	return "https://" + APIAddress(in.Cluster, planes[0]), nil
}

// JoinAddresses are host:port of the API for a host that is not part of the cluster yet: it has
// neither the endpoint's name in /etc/hosts nor, in mode local, a balancer.
func JoinAddresses(c *cluster.Cluster) ([]string, error) {
	if c.Endpoint.Mode == cluster.EndpointLocal {
		var addresses []string
		for _, h := range c.ControlPlanes() {
			addresses = append(addresses, APIAddress(c, h))
		}
		return addresses, nil
	}
	if entries := endpointEntry(c); len(entries) > 0 {
		return []string{join(entries[0].Address, endpointPort(c))}, nil
	}
	address, err := EndpointAddress(c)
	return []string{address}, err
}

// endpointEntry is the line of /etc/hosts for an endpoint that is a name, where it is
// known which address it must lead to.
func endpointEntry(c *cluster.Cluster) []HostsEntry {
	if _, err := netip.ParseAddr(c.Endpoint.Host); err == nil || c.Endpoint.Host == "" {
		return nil
	}
	address := ""
	switch c.Endpoint.Mode {
	case cluster.EndpointControlPlane:
		if planes := c.ControlPlanes(); len(planes) == 1 {
			address = planes[0].Address()
		}
	case cluster.EndpointVIP, cluster.EndpointLoadBalancers:
		address = c.VirtualAddress()
	case cluster.EndpointLocal:
		address = "127.0.0.1"
	case cluster.EndpointExternal: // the user's own name service knows it
	}
	if address == "" {
		return nil
	}
	return []HostsEntry{{Address: address, Names: []string{c.Endpoint.Host}}}
}

// NeedsHostsEntry tells whether the endpoint is a name that Slipway can write to /etc/hosts.
func NeedsHostsEntry(c *cluster.Cluster) bool { return len(endpointEntry(c)) > 0 }

// HostsEntries are the lines of /etc/hosts that a host needs of Slipway at each boot: where a
// name does not lead to its address without, or Slipway has written one before.
func HostsEntries(c *cluster.Cluster, facts hosts.Facts) []HostsEntry {
	return slices.DeleteFunc(endpointEntry(c), func(entry HostsEntry) bool {
		return leadsThere(entry, facts) && !wrote(entry, facts.Record)
	})
}

// PeerEntries are the lines by which a host finds the others, where the cluster file asks for them. The names
// that the endpoint's line has the address of are in none: there is one line for an address.
func PeerEntries(c *cluster.Cluster, host cluster.Host) []HostsEntry {
	var found []HostsEntry
	if !c.Prepare.HostsFile {
		return nil
	}
	for _, other := range c.Hosts {
		for _, address := range other.Addresses {
			taken := slices.ContainsFunc(endpointEntry(c), func(entry HostsEntry) bool { return entry.Address == address })
			if other.Name != host.Name && !taken {
				found = append(found, HostsEntry{Address: address, Names: []string{other.Name}})
			}
		}
	}
	return found
}

// leadsThere tells whether an entry's names lead to its address without the line. Where no name
// server answers just now, the line stays away from a host whose kubelet Slipway has started
// without it: the kubelet's unit has the line too, and that kubelet would be restarted for it. A
// kubelet that was not started yet is started with the line.
func leadsThere(entry HostsEntry, facts hosts.Facts) bool {
	started := facts.Units[KubeletUnit].Inputs != ""
	for _, name := range entry.Names {
		_, unanswered := facts.Unresolved[name]
		if keeps := started && unanswered; !keeps && !slices.Contains(facts.Names[name], entry.Address) {
			return false
		}
	}
	return true
}

// wrote tells whether Slipway has written an entry before.
func wrote(entry HostsEntry, record *hosts.Record) bool {
	_, noted := record.PriorOf("hosts/" + entry.Address)
	return noted
}

// join writes host:port, with brackets around an IPv6 address.
func join(host string, port int) string {
	if address, err := netip.ParseAddr(host); err == nil && address.Is6() {
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(port)
}

// Loopback is where what listens only for its own host does so on a control plane: localhost's
// address in the family that the cluster prefers.
func Loopback(c *cluster.Cluster) string {
	if planes := c.ControlPlanes(); len(planes) > 0 {
		return loopback(planes[0].Address())
	}
	return "127.0.0.1"
}

// loopback is localhost's address in the family of another address.
func loopback(address string) string {
	if parsed, err := netip.ParseAddr(address); err == nil && parsed.Is6() {
		return "::1"
	}
	return "127.0.0.1"
}
