//go:build linux

package local

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/godbus/dbus/v5"

	"github.com/slipway-k8s/slipway/hosts"
)

// lasting are the settings of a zone or policy that a reload takes from the files alone. Interfaces are not among them:
// NetworkManager, and whoever makes them, binds them while firewalld runs, and again after a reload.
var lasting = []string{
	"services", "ports", "protocols", "sources", "source_ports", "forward_ports", "icmp_blocks", "icmp_block_inversion", "rules_str", "rich_rules",
	"masquerade", "forward", "ingress_zones", "egress_zones",
}

// differences lists what is in force and not in the files, which a reload ends (unsaved), and what is in the files and not
// in force, which it brings into force (unloaded); but what is Slipway's own.
func (c firewalldCaller) differences(ctx context.Context) (unsaved, unloaded []string, err error) {
	looks := []func(context.Context, *differing) error{c.zones, c.policies}
	if !c.keeps {
		looks = append(looks, c.ipsets, c.direct)
	}
	for _, look := range looks {
		var seen differing
		if err := look(ctx, &seen); err != nil {
			return nil, nil, err
		}
		unsaved, unloaded = append(unsaved, seen.unsaved...), append(unloaded, seen.unloaded...)
	}
	return unsaved, unloaded, nil
}

// differing are the words in which what is in force differs from the files.
type differing struct{ unsaved, unloaded []string }

// compare takes in the words of one setting.
func (d *differing) compare(of string, running, kept []string) {
	lacks := func(among, words []string) (missing []string) {
		for _, word := range words {
			if !slices.Contains(among, word) && !strings.Contains(word, hosts.OpeningPrefix) {
				missing = append(missing, of+": "+word)
			}
		}
		return missing
	}
	d.unsaved, d.unloaded = append(d.unsaved, lacks(kept, running)...), append(d.unloaded, lacks(running, kept)...)
}

// settings takes in all that a zone or policy has.
func (d *differing) settings(of string, running, kept map[string]dbus.Variant) {
	for _, key := range lasting {
		d.compare(of+", "+strings.TrimSuffix(key, "_str"), settingWords(running[key]), settingWords(kept[key]))
	}
}

func (c firewalldCaller) zones(ctx context.Context, seen *differing) error {
	var names []string
	if err := c.ask(ctx, firewalldPath, ".zone.getZones", &names); err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range names {
		var running, kept map[string]dbus.Variant
		if err := c.ask(ctx, firewalldPath, ".zone.getZoneSettings2", &running, name); err != nil {
			return err
		}
		if err := c.kept(ctx, ".config.getZoneByName", name, ".config.zone.getSettings2", &kept); err != nil {
			return err
		}
		seen.settings("zone "+name, running, kept)
	}
	return nil
}

func (c firewalldCaller) policies(ctx context.Context, seen *differing) error {
	var names []string
	if err := ifKnown(c.ask(ctx, firewalldPath, ".policy.getPolicies", &names)); err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range names {
		if strings.HasPrefix(name, hosts.OpeningPrefix) {
			continue
		}
		var running, kept map[string]dbus.Variant
		if err := c.ask(ctx, firewalldPath, ".policy.getPolicySettings", &running, name); err != nil {
			return err
		}
		if err := c.kept(ctx, ".config.getPolicyByName", name, ".config.policy.getSettings", &kept); err != nil {
			return err
		}
		seen.settings("policy "+name, running, kept)
	}
	return nil
}

// ipsets compares the entries of sets; of one whose entries end by themselves firewalld tells none.
func (c firewalldCaller) ipsets(ctx context.Context, seen *differing) error {
	var names []string
	if err := ifKnown(c.ask(ctx, firewalldPath, ".ipset.getIPSets", &names)); err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range names {
		var running, kept []string
		if err := c.ask(ctx, firewalldPath, ".ipset.getEntries", &running, name); err != nil {
			continue
		}
		if err := c.kept(ctx, ".config.getIPSetByName", name, ".config.ipset.getEntries", &kept); err != nil {
			return err
		}
		seen.compare("ipset "+name, running, kept)
	}
	return nil
}

// direct compares what was added to firewalld past its zones.
func (c firewalldCaller) direct(ctx context.Context, seen *differing) error {
	for method, what := range map[string]string{"getAllChains": "direct chain", "getAllRules": "direct rule", "getAllPassthroughs": "direct passthrough"} {
		var running, kept [][]any
		if err := ifKnown(c.ask(ctx, firewalldPath, ".direct."+method, &running)); err != nil {
			return err
		}
		if err := ifKnown(c.ask(ctx, firewalldConfigPath, ".config.direct."+method, &kept)); err != nil {
			return err
		}
		seen.compare(what, directWords(running), directWords(kept))
	}
	slices.Sort(seen.unsaved)
	slices.Sort(seen.unloaded)
	return nil
}

// directWords are such entries as firewall-cmd takes them.
func directWords(entries [][]any) []string {
	return each(entries, func(entry []any) string {
		return strings.Join(each(entry, func(part any) string {
			if words, is := part.([]string); is {
				return strings.Join(words, " ")
			}
			return fmt.Sprint(part)
		}), " ")
	})
}

// kept asks for what the files say of one thing; nothing where they have none of that name.
func (c firewalldCaller) kept(ctx context.Context, byName, name, method string, answer any) error {
	var object dbus.ObjectPath
	if err := c.ask(ctx, firewalldConfigPath, byName, &object, name); err != nil {
		return nil // it is only in force
	}
	return c.ask(ctx, object, method, answer)
}

// ifKnown is an error, unless it is that this firewalld has no such method.
func ifKnown(err error) error {
	var of dbus.Error
	if errors.As(err, &of) && (of.Name == "org.freedesktop.DBus.Error.UnknownMethod" || of.Name == "org.freedesktop.DBus.Error.UnknownInterface") {
		return nil
	}
	return err
}
