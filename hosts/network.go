package hosts

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

var _ = register(RemoveNetwork{})

// RemoveNetwork removes links, nft tables and iptables chains by the names given.
type RemoveNetwork struct {
	Links  []string `json:"links,omitempty"`  // exact, or a prefix with a trailing *
	Tables []string `json:"tables,omitempty"` // nft tables
	// Chains are iptables chains, with the rules that jump there: exact names or, with a
	// trailing *, those that kube-proxy ends with 16 characters of a hash (A-Z, 2-7).
	Chains []string `json:"chains,omitempty"`
	// Pods are the sandboxes whose network namespaces, chains and rules go. Others' have
	// names of the same kind.
	Pods []Sandbox `json:"pods,omitempty"`
	// HostPorts removes the chains and the nft table that CNI's portmap plugin keeps for the
	// containers of every runtime, once no rule of another container is left in them.
	HostPorts bool `json:"hostPorts,omitempty"`
}

func (a RemoveNetwork) describe() Description {
	detail := " " + strings.Join(slices.Concat(a.Links, a.Tables, SomeOf(a.Chains)), ", ")
	if a.HostPorts {
		detail += ", host ports' chains that no other runtime uses"
	}
	var pods []string
	for _, pod := range a.Pods {
		if pod.Namespace != "" {
			pods = append(pods, pod.Namespace)
		}
		pods = append(pods, pod.Chains...)
	}
	if len(pods) > 0 {
		detail += "; its Pods' " + strings.Join(SomeOf(pods), ", ")
	}
	return Description{Kind: "remove-network", Deed: "remove network", Detail: detail}
}

// MatchesLink tells whether a link is one of those named, as RemoveNetwork names them.
func MatchesLink(patterns []string, link string) bool {
	return matches(patterns, link, func(string) bool { return true })
}

// MatchesChain tells the same of an iptables chain.
func MatchesChain(patterns []string, chain string) bool {
	return matches(patterns, chain, hashed.MatchString)
}

// hashed is what kube-proxy ends the names of a Service's and an endpoint's chains with.
var hashed = regexp.MustCompile(`^[A-Z2-7]{16}$`)

// matches tells whether a name is one of the patterns, a trailing * of which stands for rest.
func matches(patterns []string, name string, rest func(string) bool) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		prefix, open := strings.CutSuffix(pattern, "*")
		if !open {
			return name == pattern
		}
		more, begins := strings.CutPrefix(name, prefix)
		return begins && rest(more)
	})
}

// namesShown is how many names a text shows of what has many: chains, hosts that say the same. JSON has them all.
const namesShown = 12

// SomeOf are the first twelve names, and how many more there are: for a text.
func SomeOf(names []string) []string {
	more := len(names) - namesShown
	if more <= 0 {
		return names
	}
	return append(names[:namesShown:namesShown], fmt.Sprintf("and %d more", more))
}

// Sandbox is a Pod's sandbox and what it has outside of containerd.
type Sandbox struct {
	ID string `json:"id"`
	// Namespace is the name of its network namespace; empty: it has the host's, or none.
	Namespace string `json:"namespace,omitempty"`
	// Chains are the iptables chains that CNI's plugins made for it.
	Chains []string `json:"chains,omitempty"`
}

// Route is a row of a host's routing tables by which it reaches others.
type Route struct {
	Destination string `json:"destination"`       // in CIDR form; 0.0.0.0/0 is the default route
	Gateway     string `json:"gateway,omitempty"` // empty: the destination is reached directly
	Interface   string `json:"interface,omitempty"`
}

// Link is a network interface and its addresses.
type Link struct {
	Name      string   `json:"name"`
	MAC       string   `json:"mac,omitempty"`
	MTU       int      `json:"mtu"`
	Up        bool     `json:"up"`
	Addresses []string `json:"addresses"` // in CIDR form
	// AcceptRA is the kernel's parameter accept_ra of the link: whether it takes IPv6 routers'
	// advertisements; 1: unless the host forwards, 2: always.
	AcceptRA int `json:"acceptRA,omitempty"`
	// AdvertisedRoute tells that the host has a default route of IPv6 through the link which came of
	// such an advertisement.
	AdvertisedRoute bool `json:"advertisedRoute,omitempty"`
	// Kind is what the kernel calls the kind of an interface that is no device: wireguard, tun, bridge, vxlan …;
	// of a device it is device.
	Kind string `json:"kind,omitempty"`
	// Leased are those of the addresses that end unless they are given anew, as DHCP's do.
	Leased []string `json:"leased,omitempty"`
	// Duplicates are those of IPv6 that a neighbour has already, as the kernel found when it asked (RFC 4862): the host
	// has them and does not use them.
	Duplicates []string `json:"duplicates,omitempty"`
}

// VirtualIP is what a host's network says about a virtual address.
type VirtualIP struct {
	Interface string `json:"interface"` // where it was asked; empty: no interface's subnet holds the address
	// Holder is the hardware address that answered for it; empty: nobody did.
	Holder string `json:"holder,omitempty"`
	// Routers are the VRRP routers that were heard.
	Routers []Router `json:"routers,omitempty"`
}

// Router is one VRRP router that was heard on a network.
type Router struct {
	Source   string `json:"source"`
	RouterID int    `json:"routerID"`
	Version  int    `json:"version"`
}

// LinkWith is the interface that has an address.
func (f Facts) LinkWith(address netip.Addr) (Link, bool) {
	for _, link := range f.Interfaces {
		for _, text := range link.Addresses {
			if prefix, err := netip.ParsePrefix(text); err == nil && prefix.Addr().Unmap() == address.Unmap() {
				return link, true
			}
		}
	}
	return Link{}, false
}
