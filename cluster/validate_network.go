package cluster

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"

	"k8s.io/apimachinery/pkg/util/validation"
)

// kubeadm's limits for subnets.
const (
	leastServiceAddresses = 10 // cluster DNS is the tenth
	mostServiceBits       = 20 // the API server keeps a bit per address
	defaultNodeMask       = 24 // each node's share of the Pod subnet
	mostNodeMaskBits      = 16 // by which a node's mask may be longer than the Pod subnet's
)

const notYetDual = "dual stack comes with a later version: keep one IPv4 entry"

func (k *checker) networking(n Networking) {
	k.subnets(n.PodSubnets, "networking.podSubnets", DefaultPodSubnet)
	if prefix, ok := k.subnets(n.ServiceSubnets, "networking.serviceSubnets", DefaultServiceSubnet); ok {
		k.serviceSize(prefix)
	}
	if !isName(n.DNSDomain) {
		k.wrong("networking.dnsDomain", "write a domain like "+DefaultDNSDomain, "%q is not a DNS domain", n.DNSDomain)
	}
	if n.AddOn != AddOnFlannel && n.AddOn != AddOnNone {
		k.wrong("networking.addOn", oneOf(n.AddOn, []string{AddOnFlannel, AddOnNone}), "%q is not a network add-on of this version", n.AddOn)
	}
}

// subnets checks a list of subnets and gives the one of this version.
func (k *checker) subnets(texts []string, path, example string) (netip.Prefix, bool) {
	good := len(texts) == 1
	var first netip.Prefix
	for i, text := range texts {
		prefix, ok := k.subnet(text, index(path, i), example)
		if i == 0 {
			first = prefix
		}
		good = good && ok
	}
	if len(texts) > 1 {
		k.wrong(path, notYetDual, "has %d entries", len(texts))
	}
	return first, good
}

func (k *checker) subnet(text, path, example string) (netip.Prefix, bool) {
	prefix, err := netip.ParsePrefix(text)
	switch {
	case err != nil && isAddress(text):
		k.wrong(path, "write the length too, like "+example, "%q is an address, not a subnet", text)
	case err != nil:
		k.wrong(path, "write it like "+example, "%q is not a subnet", text)
	case !prefix.Addr().Is4():
		k.wrong(path, "IPv6 comes with a later version: write an IPv4 subnet like "+example, "%s is no IPv4 subnet", text)
	case prefix != prefix.Masked():
		k.wrong(path, "write "+prefix.Masked().String(), "%s has bits set beyond its length", text)
	case prefix.Addr().IsLoopback() || prefix.Addr().IsMulticast() || prefix.Addr().IsUnspecified():
		k.wrong(path, "write a private subnet like "+example, "%s cannot be used for Pods or Services", text)
	default:
		return prefix, true
	}
	return prefix, false
}

func (k *checker) serviceSize(prefix netip.Prefix) {
	bits := prefix.Addr().BitLen() - prefix.Bits()
	const path = "networking.serviceSubnets[0]"
	if bits > mostServiceBits {
		k.wrong(path, fmt.Sprintf("write at least /%d, like %s", prefix.Addr().BitLen()-mostServiceBits, DefaultServiceSubnet),
			"%s is larger than the API server can keep", prefix)
	}
	if bits < 8 && 1<<bits < leastServiceAddresses {
		k.wrong(path, "write /28 or larger, like "+DefaultServiceSubnet,
			"%s has %d addresses: too few, as the cluster's DNS has the tenth", prefix, 1<<bits)
	}
}

// addressPlan looks at how subnets and hosts lie to each other.
func (k *checker) addressPlan(c *Cluster) {
	for i, pod := range c.Networking.PodPrefixes() {
		for _, service := range c.Networking.ServicePrefixes() {
			if pod.Overlaps(service) {
				k.wrong(index("networking.podSubnets", i), "choose two that have no address in common, like "+DefaultPodSubnet+" and "+DefaultServiceSubnet,
					"%s overlaps with the Service subnet %s", pod, service).concludedFrom("serviceSubnets", "serviceSubnet")
			}
		}
	}
	k.podSize(c)
	k.outsiders(c)
	for i, host := range c.Hosts {
		for j, text := range host.Addresses {
			address, err := netip.ParseAddr(text)
			if err != nil {
				continue
			}
			path := index(child(index("hosts", i), "addresses"), j)
			k.outside(address, c.Networking.PodPrefixes(), path, "Pod")
			k.outside(address, c.Networking.ServicePrefixes(), path, "Service")
		}
	}
}

// outsiders looks at the addresses of what is the user's own, and must be reached.
func (k *checker) outsiders(c *Cluster) {
	check := func(text, path string) {
		if address, err := netip.ParseAddr(text); err == nil {
			k.outside(address, c.Networking.PodPrefixes(), path, "Pod")
			k.outside(address, c.Networking.ServicePrefixes(), path, "Service")
		}
	}
	if c.Endpoint.Mode == EndpointExternal {
		check(c.Endpoint.Host, "endpoint.host")
	}
	if c.Etcd.External == nil {
		return
	}
	for i, endpoint := range c.Etcd.External.Endpoints {
		if parsed, err := url.Parse(endpoint); err == nil {
			check(parsed.Hostname(), index("etcd.external.endpoints", i))
		}
	}
}

func (k *checker) outside(address netip.Addr, subnets []netip.Prefix, path, what string) {
	for _, subnet := range subnets {
		if subnet.Contains(address.Unmap()) {
			k.wrong(path, "choose other subnets under networking: hosts must lie outside of them",
				"%s is inside the %s subnet %s", address, what, subnet).concludedFrom("podSubnets", "serviceSubnets", "podSubnet", "serviceSubnet")
		}
	}
}

// podSize makes sure that every node gets its share of the Pod subnet.
func (k *checker) podSize(c *Cluster) {
	prefixes := c.Networking.PodPrefixes()
	if len(prefixes) != 1 || !prefixes[0].Addr().Is4() {
		return
	}
	const path = "networking.podSubnets[0]"
	mask, ok := nodeMask(c.ExtraArgs.ControllerManager)
	bits := mask - prefixes[0].Bits()
	switch {
	case !ok:
		return // extraArgs has its own problem
	case bits < 0:
		k.wrong(path, fmt.Sprintf("write /%d or larger, like %s", mask, DefaultPodSubnet),
			"%s is too small: each node takes a /%d of it", prefixes[0], mask)
	case bits > mostNodeMaskBits:
		k.wrong(path, fmt.Sprintf("write /%d or smaller, like %s", mask-mostNodeMaskBits, DefaultPodSubnet),
			"%s is too large to be divided into subnets of /%d", prefixes[0], mask)
	case len(c.Nodes()) > 1<<bits:
		k.wrong(path, "write a larger one, like "+DefaultPodSubnet,
			"%s has room for %d of the %d nodes, at a /%d for each", prefixes[0], 1<<bits, len(c.Nodes()), mask).concludedFrom("hosts")
	}
}

// nodeMask is the length of each node's Pod subnet.
func nodeMask(controllerManager []Arg) (mask int, ok bool) {
	mask = defaultNodeMask
	for _, arg := range controllerManager {
		if arg.Name == "node-cidr-mask-size" || arg.Name == "node-cidr-mask-size-ipv4" {
			given, err := strconv.Atoi(arg.Value)
			if err != nil || given < 1 || given > 32 {
				return 0, false
			}
			mask = given
		}
	}
	return mask, true
}

func (k *checker) port(port int, path string) {
	if len(validation.IsValidPortNum(port)) > 0 {
		k.wrong(path, "write a number from 1 to 65535", "%d is not a port", port)
	}
}

func isAddress(text string) bool {
	_, err := netip.ParseAddr(text)
	return err == nil
}
