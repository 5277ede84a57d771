//go:build linux

package local

import (
	"bytes"
	"cmp"
	"context"
	"encoding/xml"
	"maps"
	"os"
	"path"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
)

// look reads what firewalld's files and, where it runs, firewalld itself say.
func (f *firewalld) look(ctx context.Context) (hosts.FirewallState, error) {
	state := hosts.FirewallState{
		DefaultZone: f.setting("DefaultZone"),
		Strict:      isYes(f.setting("StrictForwardPorts")),
		Flushes:     f.setting("FirewallBackend") == "iptables" && f.setting("FlushAllOnReload") != "no",
	}
	state.Bound, state.Sources = f.bindings()
	state.Rules = f.rulesIn()
	state.Zones = maps.Clone(state.Bound)
	if state.DefaultZone == "" {
		state.DefaultZone = "public" // as firewalld falls back
	}
	if !f.runs {
		return state, nil
	}
	return state, f.ask(ctx, &state)
}

// setting reads a line of firewalld.conf.
func (f *firewalld) setting(key string) string {
	return strings.TrimSpace(f.host.value(firewalldConf, key+"="))
}

func isYes(word string) bool {
	return strings.EqualFold(word, "yes") || strings.EqualFold(word, "true")
}

// bindings are the zones of the interfaces and of the sources that zones' files name, but Slipway's own.
func (f *firewalld) bindings() (bound, from map[string]string) {
	bound, from = map[string]string{}, map[string]string{}
	for _, zone := range f.zones() {
		links, sources := zoneBindings(zone.text)
		for _, link := range links {
			bound[link] = zone.name
		}
		for _, source := range sources {
			from[source] = zone.name
		}
	}
	return bound, from
}

// zoneText is a zone and its file.
type zoneText struct {
	name string
	text []byte
}

// zones are all that have a file, but Slipway's own.
func (f *firewalld) zones() []zoneText {
	var found []zoneText
	for _, folder := range []string{firewalldLib, firewalldEtc} {
		for _, file := range f.host.glob(path.Join(folder, "zones", "*.xml")) {
			zone := strings.TrimSuffix(path.Base(file), ".xml")
			if zone == podsZone || folder == firewalldLib && f.host.exists(ownZoneFile(zone)) {
				continue
			}
			text, err := os.ReadFile(f.host.at(file))
			if err != nil {
				continue // firewalld cannot read it either
			}
			found = append(found, zoneText{zone, text})
		}
	}
	return found
}

// zoneBindings are the interfaces that a zone's file names, and the sources: not those of a rule.
func zoneBindings(zone []byte) (links, sources []string) {
	decoder := xml.NewDecoder(bytes.NewReader(zone))
	for depth := 0; ; {
		token, err := decoder.Token()
		if err != nil {
			return links, sources
		}
		switch element := token.(type) {
		case xml.StartElement:
			if depth == 1 && element.Name.Local == "interface" {
				links = append(links, attribute(element, "name"))
			}
			if depth == 1 && element.Name.Local == "source" {
				sources = append(sources, sourceOf(element))
			}
			depth++
		case xml.EndElement:
			depth--
		}
	}
}

// sourceOf is a source as firewalld itself calls it.
func sourceOf(element xml.StartElement) string {
	if set := attribute(element, "ipset"); set != "" {
		return "ipset:" + set
	}
	return cmp.Or(attribute(element, "address"), attribute(element, "mac"))
}
