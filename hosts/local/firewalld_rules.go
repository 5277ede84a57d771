//go:build linux

package local

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
)

// richRule is a rich rule of a zone's file, as far as it matters here.
type richRule struct {
	Family      string       `xml:"family,attr"`
	Priority    int          `xml:"priority,attr"`
	Source      *richAddress `xml:"source"`
	Destination *richAddress `xml:"destination"`
	Service     *struct {
		Name string `xml:"name,attr"`
	} `xml:"service"`
	Accept *richAction `xml:"accept"`
	Drop   *richAction `xml:"drop"`
	Reject *richAction `xml:"reject"`
	Others []struct {
		XMLName xml.Name
	} `xml:",any"`
	Inner []byte `xml:",innerxml"`
	richPorts
}

// richPorts are what a rule, or a service, is about.
type richPorts struct {
	Ports []struct {
		Port     string `xml:"port,attr"`
		Protocol string `xml:"protocol,attr"`
	} `xml:"port"`
	Protocols []struct {
		Value string `xml:"value,attr"`
	} `xml:"protocol"`
}

type richAddress struct {
	Address string `xml:"address,attr"`
	Invert  string `xml:"invert,attr"`
}

type richAction struct {
	Limit *struct{} `xml:"limit"`
}

// rulesIn are the rich rules that are asked before what Slipway opens is let in. firewalld asks those with a negative
// priority first, in their order; then those of none that refuse, and last those that let in, as Slipway's do
// (firewalld.richlanguage(5)).
func (f *firewalld) rulesIn() []hosts.InRule {
	var found []hosts.InRule
	for _, zone := range f.zones() {
		var file struct {
			Rules []richRule `xml:"rule"`
		}
		if err := xml.Unmarshal(zone.text, &file); err != nil {
			continue // firewalld cannot read it either
		}
		rules := slices.DeleteFunc(file.Rules, func(rule richRule) bool { return !rule.early() })
		slices.SortStableFunc(rules, func(a, b richRule) int { return cmp.Compare(a.order(), b.order()) })
		for _, rule := range rules {
			found = append(found, f.rulesOfRich(zone.name, rule)...)
		}
	}
	return found
}

func (r richRule) refuses() bool { return r.Drop != nil || r.Reject != nil }

// order is by priority, and of one priority those that refuse first.
func (r richRule) order() int {
	if r.refuses() {
		return 2 * r.Priority
	}
	return 2*r.Priority + 1
}

// early tells whether the rule is about packets to a port, and decides of them before Slipway's rules do.
func (r richRule) early() bool {
	for _, other := range r.Others { // as icmp-type and source-port
		if name := other.XMLName.Local; name != "log" && name != "nflog" && name != "audit" {
			return false
		}
	}
	return r.refuses() && r.Priority <= 0 || r.Accept != nil && r.Accept.Limit == nil && r.Priority < 0
}

// rulesOfRich are a rich rule as rules of one protocol each.
func (f *firewalld) rulesOfRich(zone string, rich richRule) []hosts.InRule {
	rule := hosts.InRule{Zone: zone, Refuses: rich.refuses(), Text: rich.String()}
	anywhere := map[string]string{"ipv4": "0.0.0.0/0", "ipv6": "::/0"}[rich.Family]
	rule.From, rule.To = cmp.Or(rich.Source.words(), anywhere), cmp.Or(rich.Destination.words(), anywhere)
	// Of a MAC address or an ipset it cannot be told whether hosts are among it.
	rule.Unsure = rich.Source != nil && rich.Source.Address == "" || rich.Destination != nil && rich.Destination.Address == ""
	about := rich.richPorts
	if rich.Service != nil {
		about = f.service(rich.Service.Name)
	} else if len(about.Ports)+len(about.Protocols) == 0 {
		return []hosts.InRule{rule}
	}
	var found []hosts.InRule
	for _, port := range about.Ports {
		rule.Protocol, rule.Ports = port.Protocol, strings.ReplaceAll(port.Port, "-", ":")
		found = append(found, rule)
	}
	for _, protocol := range about.Protocols {
		rule.Protocol, rule.Ports = protocol.Value, ""
		found = append(found, rule)
	}
	return found
}

// words is the address as an InRule has it; empty where there is none.
func (a *richAddress) words() string {
	if a == nil || a.Address == "" {
		return ""
	}
	if isYes(a.Invert) {
		return "!" + a.Address
	}
	return a.Address
}

// service is what a service of firewalld's is about: by the machine's own file, or else the package's.
func (f *firewalld) service(name string) (about richPorts) {
	for _, folder := range []string{firewalldEtc, firewalldLib} {
		text, err := os.ReadFile(f.host.at(path.Join(folder, "services", path.Base(name)+".xml")))
		if err == nil {
			_ = xml.Unmarshal(text, &about) // firewalld cannot read it either
			return about
		}
	}
	return about
}

// String is the rule as firewall-cmd writes and takes it.
func (r richRule) String() string {
	words := "rule"
	if r.Priority != 0 {
		words += fmt.Sprintf(" priority=%q", fmt.Sprint(r.Priority))
	}
	if r.Family != "" {
		words += fmt.Sprintf(" family=%q", r.Family)
	}
	decoder := xml.NewDecoder(bytes.NewReader(r.Inner))
	for {
		token, err := decoder.Token()
		if err != nil {
			return words
		}
		element, is := token.(xml.StartElement)
		if !is {
			continue
		}
		words += " " + element.Name.Local
		if isYes(attribute(element, "invert")) {
			words += " NOT"
		}
		for _, attr := range element.Attr {
			if attr.Name.Local != "invert" {
				words += fmt.Sprintf(" %s=\"%s\"", attr.Name.Local, attr.Value)
			}
		}
	}
}
