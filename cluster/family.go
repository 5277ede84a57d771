package cluster

import (
	"net/netip"
	"slices"
	"strings"
)

// Family is one of the two families of IP addresses, in the words of Kubernetes' API.
type Family string

// The families.
const (
	IPv4 Family = "IPv4"
	IPv6 Family = "IPv6"
)

// FamilyOf is the family of an address.
func FamilyOf(address netip.Addr) Family {
	if address.Unmap().Is4() {
		return IPv4
	}
	return IPv6
}

// bits is the length of the family's addresses.
func (f Family) bits() int {
	if f == IPv4 {
		return 32
	}
	return 128
}

// Families are those that the cluster's Pods, Services and hosts have addresses of, the
// preferred one first: the order of the Pods' subnets, which the others follow.
func (n Networking) Families() []Family {
	return familiesOf(slices.Concat(n.PodSubnets, n.ServiceSubnets))
}

// Has tells whether the cluster has addresses of a family.
func (n Networking) Has(family Family) bool { return slices.Contains(n.Families(), family) }

// AddressOf is the host's first address of a family; "" where it has none.
func (h Host) AddressOf(family Family) string {
	for _, text := range h.Addresses {
		if address, err := netip.ParseAddr(text); err == nil && FamilyOf(address) == family {
			return text
		}
	}
	return ""
}

// familiesOf are the families of addresses and subnets, in the order in which they come; what
// is neither is left out.
func familiesOf(texts []string) []Family {
	var families []Family
	for _, text := range texts {
		bare, _, _ := strings.Cut(text, "/")
		if address, err := netip.ParseAddr(bare); err == nil && !slices.Contains(families, FamilyOf(address)) {
			families = append(families, FamilyOf(address))
		}
	}
	return families
}

// hostFamilies are those of the first host that has an address.
func hostFamilies(all []Host) []Family {
	for _, host := range all {
		if families := familiesOf(host.Addresses); len(families) > 0 {
			return families
		}
	}
	return nil
}

// bracketed is an IPv6 address that stands in brackets, as in a URL.
func bracketed(text string) (bare string, ok bool) {
	bare, opened := strings.CutPrefix(text, "[")
	bare, closed := strings.CutSuffix(bare, "]")
	return bare, opened && closed && isAddress(bare)
}

// listed is a list of families in words.
func listed(families []Family) string {
	words := make([]string, 0, len(families))
	for _, family := range families {
		words = append(words, string(family))
	}
	return strings.Join(words, " and ")
}

// normalAddress is an address in the one form in which the kernel and Kubernetes write it, so
// that equal ones are equal texts: 2001:DB8:0::1 is 2001:db8::1. Other text stays unchanged.
func normalAddress(text string) string {
	if address, err := netip.ParseAddr(text); err == nil {
		return address.String()
	}
	return text
}

// normalPrefix is the same for a subnet. Bits beyond its length stay: they are a mistake to be told.
func normalPrefix(text string) string {
	if prefix, err := netip.ParsePrefix(text); err == nil {
		return prefix.String()
	}
	return text
}

// normalize makes a new list: a caller's copy of a host has the old one too, and may be read meanwhile.
func normalize(texts *[]string, normal func(string) string) {
	normalized := slices.Clone(*texts)
	for i, text := range normalized {
		normalized[i] = normal(text)
	}
	*texts = normalized
}
