//go:build linux

package local

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/godbus/dbus/v5"

	"github.com/slipway-k8s/slipway/hosts"
)

// firewalld's names on D-Bus.
const (
	firewalldName       = "org.fedoraproject.FirewallD1"
	firewalldPath       = dbus.ObjectPath("/org/fedoraproject/FirewallD1")
	firewalldConfigPath = dbus.ObjectPath("/org/fedoraproject/FirewallD1/config")
)

// firewalldCaller asks firewalld over one connection.
type firewalldCaller struct {
	conn  *dbus.Conn
	keeps bool // a reload keeps direct rules and the entries of sets
}

// connect connects to the bus that firewalld is on. A call never starts it.
func (f *firewalld) connect() (firewalldCaller, error) {
	conn, err := f.host.systemBus()
	if err != nil {
		return firewalldCaller{}, fmt.Errorf("connect to firewalld: %w", err)
	}
	return firewalldCaller{conn, f.setting("FlushAllOnReload") == "no"}, nil
}

// ask calls a method, given behind the daemon's own name, and stores what it answers.
func (c firewalldCaller) ask(ctx context.Context, path dbus.ObjectPath, method string, answer any, args ...any) error {
	call := c.conn.Object(firewalldName, path).CallWithContext(ctx, firewalldName+method, dbus.FlagNoAutoStart, args...)
	err := call.Err
	if err == nil && answer != nil {
		err = call.Store(answer)
	}
	if err != nil {
		return fmt.Errorf("ask firewalld (%s): %w", strings.TrimPrefix(method, "."), err)
	}
	return nil
}

// reload has firewalld read its files. It keeps what it knows of connections and of interfaces.
func (f *firewalld) reload(ctx context.Context) error {
	caller, err := f.connect()
	if err != nil {
		return err
	}
	defer caller.conn.Close()
	return caller.ask(ctx, firewalldPath, ".reload", nil)
}

// ask adds what the firewalld that runs says.
func (f *firewalld) ask(ctx context.Context, state *hosts.FirewallState) error {
	caller, err := f.connect()
	if err != nil {
		return err
	}
	defer caller.conn.Close()
	var version dbus.Variant
	get := caller.conn.Object(firewalldName, firewalldPath).CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", dbus.FlagNoAutoStart, firewalldName, "version")
	if err := get.Store(&version); err != nil {
		return fmt.Errorf("ask firewalld for its version: %w", err)
	}
	state.Version, _ = version.Value().(string)
	if err := caller.ask(ctx, firewalldPath, ".getDefaultZone", &state.DefaultZone); err != nil {
		return err
	}
	var active map[string]map[string][]string
	if err := caller.ask(ctx, firewalldPath, ".zone.getActiveZones", &active); err != nil {
		return err
	}
	for zone, bound := range active {
		for _, link := range bound["interfaces"] {
			state.Zones[link] = zone
		}
		for _, source := range bound["sources"] {
			state.Sources[source] = zone
		}
	}
	state.Unsaved, state.Unloaded, err = caller.differences(ctx)
	return err
}

func (f *firewalld) unsaved(ctx context.Context) ([]string, error) {
	caller, err := f.connect()
	if err != nil {
		return nil, err
	}
	defer caller.conn.Close()
	unsaved, _, err := caller.differences(ctx)
	return unsaved, err
}

// settingWords are the entries of a setting as texts: of a list each, of a switch that is on one.
func settingWords(value dbus.Variant) []string {
	var words []string
	switch list := value.Value().(type) {
	case []string:
		return list
	case [][]any:
		for _, entry := range list {
			words = append(words, strings.Join(each(entry, func(part any) string { return fmt.Sprint(part) }), "/"))
		}
	case []any:
		for _, entry := range list {
			words = append(words, fmt.Sprint(entry))
		}
	case bool:
		if list {
			words = append(words, "on")
		}
	}
	return words
}

// stale lists what of Slipway's is in force otherwise than wanted.
func (f *firewalld) stale(ctx context.Context, want hosts.OpenFirewall, before []hosts.OpenFirewall) ([]string, error) {
	caller, err := f.connect()
	if err != nil {
		return nil, err
	}
	defer caller.conn.Close()
	var stale []string
	zones := map[string]bool{}
	for _, open := range append([]hosts.OpenFirewall{want}, before...) {
		for _, zone := range open.Zones {
			zones[zone] = true
		}
	}
	for _, zone := range slices.Sorted(maps.Keys(zones)) {
		var running map[string]dbus.Variant
		if err := caller.ask(ctx, firewalldPath, ".zone.getZoneSettings2", &running, zone); err != nil {
			if slices.Contains(want.Zones, zone) {
				stale = append(stale, "zone "+zone+" is not in force")
			}
			continue
		}
		wanted := want
		if !slices.Contains(want.Zones, zone) {
			wanted.Openings = nil
		}
		stale = append(stale, zoneIsStale(zone, running, wanted.Openings)...)
	}
	var names []string
	if err := caller.ask(ctx, firewalldPath, ".zone.getZones", &names); err != nil {
		return nil, err
	}
	if slices.Contains(names, podsZone) != (len(want.Pods) > 0) {
		return append(stale, "zone "+podsZone), nil
	}
	if len(want.Pods) > 0 {
		var running map[string]dbus.Variant
		if err := caller.ask(ctx, firewalldPath, ".zone.getZoneSettings2", &running, podsZone); err != nil {
			return nil, err
		}
		have := settingWords(running["interfaces"])
		for _, link := range want.Pods {
			if !slices.Contains(have, link) {
				stale = append(stale, "interface "+link)
			}
		}
	}
	return stale, nil
}

// zoneIsStale lists the openings that a zone in force lacks, and what else of Slipway's it has.
func zoneIsStale(zone string, running map[string]dbus.Variant, openings []hosts.Opening) []string {
	services, rules := 0, 0
	var stale []string
	have, rich := settingWords(running["services"]), settingWords(running["rules_str"])
	for _, opening := range openings {
		if len(opening.From) == 0 {
			services++
			if !slices.Contains(have, opening.Name) {
				stale = append(stale, opening.Name+" in zone "+zone)
			}
		}
		for _, source := range opening.From {
			rules++
			is := func(rule string) bool {
				return strings.Contains(rule, `"`+source+`"`) && strings.Contains(rule, `"`+opening.Name+`"`)
			}
			if !slices.ContainsFunc(rich, is) {
				stale = append(stale, opening.Name+" from "+source+" in zone "+zone)
			}
		}
	}
	ours := func(list []string, begins string) (n int) {
		for _, word := range list {
			if strings.Contains(word, begins+hosts.OpeningPrefix) {
				n++
			}
		}
		return n
	}
	if ours(have, "") > services || ours(rich, `"`) > rules {
		stale = append(stale, "what is no longer wanted in zone "+zone)
	}
	return stale
}
