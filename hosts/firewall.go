package hosts

import (
	"fmt"
	"slices"
	"strings"
)

var _ = register(OpenFirewall{})

// The firewalls that Slipway opens.
const (
	Firewalld = "firewalld"
	UFW       = "ufw"
)

// FirewallSetting is what the record calls what was opened in a firewall of a kind.
func FirewallSetting(kind string) string { return "firewall/" + kind }

// OpenFirewall has the host's firewall let through what it says, permanently and, where the
// firewall runs, at once; what else Slipway opened before is closed. What others have opened stays
// as it is, and what they opened alike is theirs.
type OpenFirewall struct {
	Kind string `json:"kind"`
	// Zones are firewalld's, where the host's addresses are.
	Zones    []string  `json:"zones,omitempty"`
	Openings []Opening `json:"openings,omitempty"`
	// Pods are the interfaces of Pods' network: what comes in by them is let in, and let through.
	Pods []string `json:"pods,omitempty"`
	// IntoPods lets through also what others send to Pods, as clients of a NodePort do.
	IntoPods bool `json:"intoPods,omitempty"`
}

// Opening is what a firewall lets in, under one name.
type Opening struct {
	Name  string   `json:"name"`  // begins with OpeningPrefix
	Ports []string `json:"ports"` // 10250/tcp, 30000-32767/udp, or a protocol that has no ports: vrrp
	// From are the addresses and subnets that it is let in from; none means anybody.
	From []string `json:"from,omitempty"`
	Why  string   `json:"why"` // what it is for
}

// OpeningPrefix begins the names of what Slipway opens.
const OpeningPrefix = "slipway-"

func (a OpenFirewall) describe() Description {
	var parts []string
	for _, opening := range a.Openings {
		from := "anybody"
		if len(opening.From) > 0 {
			from = strings.Join(SomeOf(opening.From), ", ")
		}
		parts = append(parts, fmt.Sprintf("%s (%s) from %s", strings.TrimPrefix(opening.Name, OpeningPrefix), strings.Join(opening.Ports, ", "), from))
	}
	if len(a.Pods) > 0 {
		by := "all from Pods' interfaces "
		if a.IntoPods {
			by = "all from and to Pods' interfaces "
		}
		parts = append(parts, by+strings.Join(a.Pods, ", "))
	}
	where := ""
	if len(a.Zones) > 0 {
		where = ", zone " + strings.Join(a.Zones, " and ")
	}
	return Description{Kind: "open-firewall", Deed: "open " + a.Kind, Detail: where + ": " + strings.Join(parts, "; ")}
}

// FirewallState is what is seen of a firewall that runs, or will after the next boot.
type FirewallState struct {
	// Version is the firewall's own; empty where it is not known.
	Version string `json:"version,omitempty"`
	// DefaultZone and Zones are firewalld's: the latter by interface. One that is not there is in the former.
	DefaultZone string            `json:"defaultZone,omitempty"`
	Zones       map[string]string `json:"zones,omitempty"`
	// Bound are the zones that files of others bind interfaces to, whether those are there or not.
	Bound map[string]string `json:"bound,omitempty"`
	// Sources are firewalld's zones by where packets come from: an address, a subnet, a MAC address, or ipset:NAME.
	// They count before an interface's.
	Sources map[string]string `json:"sources,omitempty"`
	// Strict tells that firewalld drops what kube-proxy translates, unless a policy lets it through.
	Strict bool `json:"strict,omitempty"`
	// Flushes tells that a reload takes away the rules of others: firewalld with iptables.
	Flushes bool `json:"flushes,omitempty"`
	// Opened is what Slipway has opened, by its record; nil where it has opened nothing.
	Opened *OpenFirewall `json:"opened,omitempty"`
	// Missing are parts of Opened that are there no more, or that the firewall that runs does not know of.
	Missing []string `json:"missing,omitempty"`
	// Unsaved are settings of the firewall that runs which its files do not have: a reload ends them.
	Unsaved []string `json:"unsaved,omitempty"`
	// Unloaded are settings of its files which the firewall that runs does not have: a reload brings them into force.
	Unloaded []string `json:"unloaded,omitempty"`
	// Rules are those about what comes in that are asked before Slipway's are, and Slipway's own among them: of each
	// zone in the order in which they are asked.
	Rules []InRule `json:"rules,omitempty"`
	// Problem is why the firewall could not be looked at.
	Problem string `json:"problem,omitempty"`
}

// ZoneOf is firewalld's zone of an interface.
func (s FirewallState) ZoneOf(link string) string {
	if zone := s.Zones[link]; zone != "" {
		return zone
	}
	return s.DefaultZone
}

// PacketRule is which packets a rule of a firewall is about. What is empty is any.
type PacketRule struct {
	Protocol string `json:"protocol,omitempty"` // tcp, udp, vrrp …
	Ports    string `json:"ports,omitempty"`    // as ufw has them: 443, 2379:2380, or several with commas
	To       string `json:"to"`                 // an address or subnet, of one family; all but it behind a !
	From     string `json:"from"`
	Link     string `json:"link,omitempty"` // the interface that it comes in or leaves by
}

// InRule is a firewall's rule about what comes in.
type InRule struct {
	PacketRule
	Zone    string `json:"zone,omitempty"`    // firewalld's
	Refuses bool   `json:"refuses,omitempty"` // it keeps out what it is about; else it lets it in
	// Unsure tells that it is about a part of these packets, and which that is cannot be told.
	Unsure bool   `json:"unsure,omitempty"`
	Text   string `json:"text"` // as the firewall itself writes it
}

// Filter is a packet filter's chain that drops what nothing else lets in, and that no firewall
// which is known has made.
type Filter struct {
	// Tool is nft, iptables or ip6tables; Family, Table and Chain are as it calls them.
	Tool   string `json:"tool"`
	Family string `json:"family,omitempty"`
	Table  string `json:"table"`
	Chain  string `json:"chain"`
	// Hook is input or forward.
	Hook string `json:"hook"`
	// Policy tells that its policy drops, and no rule: one that lets something through works behind all others too.
	Policy bool `json:"policy,omitempty"`
	// In and Out are the interfaces of which it lets everything through before, by which it comes in or goes out.
	In  []string `json:"in,omitempty"`
	Out []string `json:"out,omitempty"`
}

func (f Filter) String() string {
	return strings.Join(slices.DeleteFunc([]string{f.Tool, "table", f.Family, f.Table + ", chain", f.Chain}, func(word string) bool { return word == "" }), " ")
}
