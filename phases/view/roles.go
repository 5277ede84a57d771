package view

import (
	"net/netip"
	"net/url"
	"slices"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/manifests"
)

// EtcdAddresses are the host:port of the user's own etcd.
func EtcdAddresses(c *cluster.Cluster) []string {
	var found []string
	for _, endpoint := range c.Etcd.External.Endpoints {
		if parsed, err := url.Parse(endpoint); err == nil { // as it is in a valid file
			found = append(found, parsed.Host)
		}
	}
	return found
}

// EtcdNames are the same without the ports, where they are names.
func EtcdNames(c *cluster.Cluster) []string {
	var found []string
	for _, endpoint := range c.Etcd.External.Endpoints {
		parsed, err := url.Parse(endpoint)
		if err != nil {
			continue // not in a valid file
		}
		name := parsed.Hostname()
		if _, notAddress := netip.ParseAddr(name); notAddress != nil && !slices.Contains(found, name) {
			found = append(found, name)
		}
	}
	return found
}

// NeededNames are those that a host has to look up for what Kubernetes does on it: the endpoint's
// and, on control planes, those of the user's own etcd.
func NeededNames(c *cluster.Cluster, host cluster.Host) []string {
	found := []string{c.Endpoint.Host}
	if !c.StackedEtcd() && host.HasRole(cluster.RoleControlPlane) {
		found = append(found, EtcdNames(c)...)
	}
	return found
}

// Ports are those that the host's roles listen on.
func Ports(c *cluster.Cluster, host cluster.Host) []int {
	var found []int
	if host.IsNode() {
		found = append(found, cluster.PortKubelet, cluster.PortProxy)
	}
	if host.HasRole(cluster.RoleControlPlane) {
		found = append(found, c.APIPort(), cluster.PortController, cluster.PortScheduler)
		if c.StackedEtcd() {
			found = append(found, cluster.PortEtcdClient, cluster.PortEtcdPeer)
		}
	}
	if c.Balances(host) {
		found = append(found, c.Endpoint.Port)
	}
	return found
}

// BalancerUnits are the units of a balancer in the order in which they are stopped. haproxy closes
// its clients' connections while the host still has the address, so that they connect again at
// once. Without the address no answer could be sent any more, and the clients would wait until
// they time out. Both stop in one step: in between the host has the address, and no haproxy.
var BalancerUnits = []string{manifests.HAProxyUnit, manifests.KeepalivedUnit}

// BalancerUnitsOn are the units of the balancer that a host is, in the order in which they stop.
func BalancerUnitsOn(c *cluster.Cluster, host cluster.Host) []string {
	switch {
	case !Among(c.Balancers(), host.Name):
		return nil
	case c.VirtualAddress() == "":
		return []string{manifests.HAProxyUnit}
	}
	return slices.Clone(BalancerUnits)
}

// TestedUnits are the units that a test stops on a host, in the order in which it does.
func TestedUnits(c *cluster.Cluster, host cluster.Host) []string {
	units := BalancerUnitsOn(c, host)
	if host.HasRole(cluster.RoleControlPlane) {
		units = append(units, manifests.KubeletUnit)
	}
	return units
}
