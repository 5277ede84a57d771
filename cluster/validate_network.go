package cluster

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// kubeadm's limits for subnets.
const (
	leastServiceAddresses = 10 // cluster DNS is the tenth
	mostServiceBits       = 20 // the API server keeps a bit per address
	mostNodeMaskBits      = 16 // by which a node's mask may be longer than the Pod subnet's
)

// defaultNodeMasks are how much of the Pods' subnets each node takes.
var defaultNodeMasks = map[Family]int{IPv4: 24, IPv6: 64}

// examples are subnets of the families, for Pods and for Services.
type examples map[Family]string

var (
	podExamples     = examples{IPv4: DefaultPodSubnet, IPv6: DefaultPodSubnet6}
	serviceExamples = examples{IPv4: DefaultServiceSubnet, IPv6: DefaultServiceSubnet6}
)

// networking checks the addresses inside the cluster; good tells whether all subnets can be
// read and have the same families, so that the hosts' can be compared with them.
func (k *checker) networking(n Networking) (good bool) {
	good = k.subnets(n.PodSubnets, "networking.podSubnets", podExamples)
	if k.subnets(n.ServiceSubnets, "networking.serviceSubnets", serviceExamples) {
		for i, prefix := range n.ServicePrefixes() {
			k.serviceSize(prefix, index("networking.serviceSubnets", i))
		}
	} else {
		good = false
	}
	if pods, services := familiesOf(n.PodSubnets), familiesOf(n.ServiceSubnets); good && !slices.Equal(pods, services) {
		good = false
		k.wrong("networking.serviceSubnets", "write subnets of the same families in both, in the same order: the first is the one that is preferred",
			"has %s, and podSubnets %s", listed(services), listed(pods)).concludedFrom("podSubnets", "podSubnet", "serviceSubnet")
	}
	if !isName(n.DNSDomain) {
		k.wrong("networking.dnsDomain", "write a domain like "+DefaultDNSDomain, "%q is not a DNS domain", n.DNSDomain)
	}
	if n.AddOn != AddOnFlannel && n.AddOn != AddOnNone {
		k.wrong("networking.addOn", oneOf(n.AddOn, []string{AddOnFlannel, AddOnNone}), "%q is not a network add-on of this version", n.AddOn)
	}
	return good
}

// subnets checks a list of subnets: one, or one of each family.
func (k *checker) subnets(texts []string, path string, like examples) (good bool) {
	good = len(texts) > 0
	of := map[Family]string{}
	for i, text := range texts {
		prefix, ok := k.subnet(text, index(path, i), like)
		if !ok {
			good = false
			continue
		}
		family := FamilyOf(prefix.Addr())
		if first, again := of[family]; again {
			good = false
			k.wrong(index(path, i), "keep one of each family", "%s is a second subnet of %s, beside %s", text, family, first)
			continue
		}
		of[family] = text
	}
	return good
}

func (k *checker) subnet(text, path string, like examples) (netip.Prefix, bool) {
	prefix, err := netip.ParsePrefix(text)
	example := like[FamilyOf(prefix.Addr())]
	if err != nil {
		bare, _, _ := strings.Cut(text, "/")
		example = like[familyOrFour(bare)]
	}
	switch {
	case err != nil && isAddress(text):
		k.wrong(path, "write the length too, like "+example, "%q is an address, not a subnet", text)
	case err != nil:
		k.wrong(path, "write it like "+example, "%q is not a subnet", text)
	case prefix.Addr().Is4In6():
		k.wrong(path, "write it like "+example, "%s is an IPv4 subnet in the form of IPv6", text)
	case prefix != prefix.Masked():
		k.wrong(path, "write "+prefix.Masked().String(), "%s has bits set beyond its length", text)
	case prefix.Addr().IsLoopback() || prefix.Addr().IsMulticast() || prefix.Addr().IsUnspecified() ||
		prefix.Addr().Is6() && prefix.Addr().IsLinkLocalUnicast():
		k.wrong(path, "write a private subnet like "+example, "%s cannot be used for Pods or Services", text)
	default:
		return prefix, true
	}
	return prefix, false
}

// familyOrFour is the family of a text, and IPv4 of one that is no address.
func familyOrFour(text string) Family {
	if address, err := netip.ParseAddr(text); err == nil {
		return FamilyOf(address)
	}
	return IPv4
}

func (k *checker) serviceSize(prefix netip.Prefix, path string) {
	all := prefix.Addr().BitLen()
	bits, example := all-prefix.Bits(), serviceExamples[FamilyOf(prefix.Addr())]
	if bits > mostServiceBits {
		k.wrong(path, fmt.Sprintf("write at least /%d, like %s", all-mostServiceBits, example),
			"%s is larger than the API server can keep", prefix)
	}
	if bits < 8 && 1<<bits < leastServiceAddresses {
		k.wrong(path, fmt.Sprintf("write /%d or larger, like %s", all-4, example),
			"%s has %d addresses: too few, as the cluster's DNS has the tenth", prefix, 1<<bits)
	}
}

// addressPlan looks at how subnets and hosts lie to each other.
func (k *checker) addressPlan(c *Cluster) {
	for i, pod := range c.Networking.PodPrefixes() {
		for _, service := range c.Networking.ServicePrefixes() {
			if pod.Overlaps(service) {
				family := FamilyOf(pod.Addr())
				k.wrong(index("networking.podSubnets", i), "choose two that have no address in common, like "+podExamples[family]+" and "+serviceExamples[family],
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

// podSize makes sure that every node gets its share of each Pod subnet.
func (k *checker) podSize(c *Cluster) {
	dual := len(c.Networking.Families()) > 1
	for i, prefix := range c.Networking.PodPrefixes() {
		family := FamilyOf(prefix.Addr())
		path, example := index("networking.podSubnets", i), podExamples[family]
		mask, ok := nodeMask(c.ExtraArgs.ControllerManager, family, dual)
		bits := mask - prefix.Bits()
		switch {
		case !ok || prefix.Addr().Is4In6():
			return // that has its own problem
		case bits < 0:
			k.wrong(path, fmt.Sprintf("write /%d or larger, like %s", mask, example),
				"%s is too small: each node takes a /%d of it", prefix, mask)
		case bits > mostNodeMaskBits:
			k.wrong(path, fmt.Sprintf("write /%d or smaller, like %s", mask-mostNodeMaskBits, example),
				"%s is too large to be divided into subnets of /%d", prefix, mask)
		case len(c.Nodes()) > 1<<bits:
			k.wrong(path, "write a larger one, like "+example,
				"%s has room for %d of the %d nodes, at a /%d for each", prefix, 1<<bits, len(c.Nodes()), mask).concludedFrom("hosts")
		}
	}
}

// nodeMaskFlags are the controller manager's flags for how much of a subnet each node takes:
// it takes the one without a family only where there is one family alone.
var nodeMaskFlags = map[Family]string{IPv4: nodeMaskFlag + "-ipv4", IPv6: nodeMaskFlag + "-ipv6"}

const nodeMaskFlag = "node-cidr-mask-size"

// nodeMask is the length of each node's Pod subnet of a family.
func nodeMask(controllerManager []Arg, family Family, dual bool) (mask int, ok bool) {
	mask = defaultNodeMasks[family]
	for _, arg := range controllerManager {
		if arg.Name == nodeMaskFlags[family] || arg.Name == nodeMaskFlag && !dual {
			given, err := strconv.Atoi(arg.Value)
			if err != nil || given < 1 || given > family.bits() {
				return 0, false
			}
			mask = given
		}
	}
	return mask, true
}

// nodeMasks looks at the flags for the lengths of nodes' Pod subnets, by the rules of the
// controller manager.
func (k *checker) nodeMasks(c *Cluster) {
	families := c.Networking.Families()
	for i, arg := range c.ExtraArgs.ControllerManager {
		at := child(index("extraArgs.controllerManager", i), "name")
		switch {
		case arg.Name == nodeMaskFlag && len(families) > 1:
			k.wrong(at, "write "+nodeMaskFlags[IPv4]+" and "+nodeMaskFlags[IPv6], "the controller manager does not take %s where there are two families", arg.Name).concludedFrom("podSubnets")
		case arg.Name == nodeMaskFlags[IPv4] && !c.Networking.Has(IPv4), arg.Name == nodeMaskFlags[IPv6] && !c.Networking.Has(IPv6):
			k.wrong(at, leaveOut, "the controller manager does not take %s where Pods have addresses of %s alone", arg.Name, listed(families)).concludedFrom("podSubnets", "podSubnet")
		}
	}
	for _, family := range families {
		if _, ok := nodeMask(c.ExtraArgs.ControllerManager, family, len(families) > 1); !ok {
			k.wrong("extraArgs.controllerManager", fmt.Sprintf("write a number from 1 to %d", family.bits()), "%s is not the length of a subnet of %s", nodeMaskFlag, family)
		}
	}
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
