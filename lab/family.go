package lab

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// The families that a lab's hosts may have addresses of.
const (
	familyIPv4 = "ipv4"
	familyDual = "dual"
	familyIPv6 = "ipv6"
)

var families = []string{familyIPv4, familyDual, familyIPv6}

// Families are what Options.Family may be.
func Families() []string { return slices.Clone(families) }

// DefaultSubnet6 is the network of IPv6 of a lab that has one, unless one is asked for.
const DefaultSubnet6 = "fd00:80::/64"

// subnets are the networks of a new lab; the second is none where its hosts have one address each.
func (o Options) subnets() (first, second netip.Prefix, err error) {
	first = o.Subnet.Masked()
	if !o.Subnet.IsValid() {
		first = netip.MustParsePrefix(DefaultSubnet)
		if o.Family == familyIPv6 {
			first = netip.MustParsePrefix(DefaultSubnet6)
		}
	}
	switch o.Family {
	case "", familyIPv4, familyIPv6:
	case familyDual:
		second = netip.MustParsePrefix(DefaultSubnet6)
	default:
		return first, second, fmt.Errorf("family %q is not one of %s", o.Family, strings.Join(families, ", "))
	}
	if four := o.Family != familyIPv6; four && (!first.Addr().Is4() || first.Bits() < 16 || first.Bits() > 28) {
		return first, second, fmt.Errorf("lab subnet %s: want IPv4, between /16 and /28", first)
	} else if !four && (!first.Addr().Is6() || first.Bits() < 16 || first.Bits() > 120) {
		return first, second, fmt.Errorf("lab subnet %s: want IPv6, between /16 and /120", first)
	}
	return first, second, nil
}

// subnets are the lab's networks.
func (r *record) subnets() []netip.Prefix {
	if r.Second.IsValid() {
		return []netip.Prefix{r.Subnet, r.Second}
	}
	return []netip.Prefix{r.Subnet}
}

func (r *record) hasIPv6() bool { return r.Second.IsValid() || r.Subnet.Addr().Is6() }

// place is an address, and where it is.
type place struct {
	Address netip.Addr   `json:"address"`
	Subnet  netip.Prefix `json:"subnet"`
	Gateway netip.Addr   `json:"gateway"`
}

// places are a host's addresses.
func (r *record) places(h *hostRecord) []place {
	found := []place{{h.Address, r.Subnet, gatewayOf(r.Subnet)}}
	if h.Second.IsValid() {
		found = append(found, place{h.Second, r.Second, gatewayOf(r.Second)})
	}
	return found
}

// gatewayOf is a subnet's first address: the bridge's.
func gatewayOf(subnet netip.Prefix) netip.Addr { return subnet.Masked().Addr().Next() }

// secondAddress is the address of the other family that a host has beside one: with the same number.
func (r *record) secondAddress(first netip.Addr) netip.Addr {
	if !r.Second.IsValid() {
		return netip.Addr{}
	}
	bytes, network := first.As4(), r.Subnet.Masked().Addr().As4()
	number := int(bytes[2]-network[2])<<8 + int(bytes[3]-network[3])
	return nth(r.Second, number)
}

// nth is the nth address of a subnet.
func nth(subnet netip.Prefix, n int) netip.Addr {
	bytes := subnet.Masked().Addr().AsSlice()
	for i := len(bytes) - 1; n > 0; i-- {
		n += int(bytes[i])
		bytes[i] = byte(n)
		n >>= 8
	}
	address, _ := netip.AddrFromSlice(bytes)
	return address
}
