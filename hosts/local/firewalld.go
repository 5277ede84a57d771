//go:build linux

package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
)

// Where firewalld has its settings: those of the machine before those of the package.
const (
	firewalldEtc  = "/etc/firewalld"
	firewalldLib  = "/usr/lib/firewalld"
	firewalldConf = "/etc/firewalld/firewalld.conf"
)

// podsZone is the zone of Pods' interfaces, and the policy of what others send to Pods.
const podsZone = hosts.OpeningPrefix + "pods"

// firewalld's settings are written as its files, whether it runs or not. One that runs reads them
// by a reload, for which it is asked over D-Bus, as for what it has in force.
type firewalld struct {
	host *Host
	runs bool
	made []string // zones whose files Slipway has made, since only the package's were there
}

// fileChange is one file as it is and as it shall be; nil: it is not there.
type fileChange struct {
	path          string
	before, after []byte
}

// changes are the files to write and to remove, and the reload that has them taken up.
func (f *firewalld) changes(ctx context.Context, want hosts.OpenFirewall, before []hosts.OpenFirewall) (firewallChanges, error) {
	files, err := f.fileChanges(want, before)
	if err != nil {
		return firewallChanges{}, err
	}
	what, cause := f.absentZones(want)
	for _, file := range files {
		deed := "write "
		if file.after == nil {
			deed = "remove "
		}
		what = append(what, deed+file.path)
	}
	if f.runs {
		stale, err := f.stale(ctx, want, before)
		if err != nil {
			return firewallChanges{}, err
		}
		if len(files) > 0 || len(stale) > 0 {
			what = append(what, append(stale, "reload firewalld")...)
		}
	}
	return firewallChanges{what: what, cause: cause, apply: func(ctx context.Context) error { return f.apply(ctx, files) }}, nil
}

// absentZones are those to be opened that firewalld does not have: somebody may have removed one since it was opened, and
// have moved its interfaces to another.
func (f *firewalld) absentZones(want hosts.OpenFirewall) (what []string, cause error) {
	for _, zone := range want.Zones {
		if f.host.exists(ownZoneFile(zone)) || f.host.exists(path.Join(firewalldLib, "zones", zone+".xml")) {
			continue
		}
		what = append(what, "zone "+zone+" is not there")
		cause = &hosts.Error{
			Kind: hosts.KindForeign, Err: fmt.Errorf("firewalld has no file of the zone %s, which is to be opened", zone),
			Fix: "see where the host's interfaces are: firewall-cmd --get-active-zones; then run the same command again",
		}
	}
	return what, cause
}

// apply writes files and reloads. What firewalld does not take is taken back: it would not start with it either.
func (f *firewalld) apply(ctx context.Context, files []fileChange) error {
	if f.runs {
		if err := f.refuseToLose(ctx); err != nil {
			return err
		}
	}
	for _, file := range files {
		if err := f.put(file.path, file.after); err != nil {
			return err
		}
	}
	if !f.runs {
		return nil
	}
	err := f.reload(ctx)
	if err == nil {
		return nil
	}
	for _, file := range files {
		err = errors.Join(err, f.put(file.path, file.before))
	}
	return errors.Join(fmt.Errorf("firewalld does not take its new settings, and has those from before again: %w", err), f.reload(context.WithoutCancel(ctx)))
}

// refuseToLose is an error where a reload would end what is only in force. Somebody may have meant it to last.
func (f *firewalld) refuseToLose(ctx context.Context) error {
	unsaved, err := f.unsaved(ctx)
	if err != nil || len(unsaved) == 0 {
		return err
	}
	return &hosts.Error{
		Kind: hosts.KindForeign,
		Err:  fmt.Errorf("firewalld has settings that its files do not have, and that its reload would end: %s", strings.Join(unsaved, "; ")),
		Fix:  "keep them: firewall-cmd --runtime-to-permanent; or end them: firewall-cmd --reload; then run the same command again",
	}
}

func (f *firewalld) put(path string, content []byte) error {
	if content == nil {
		return removeFile(f.host.at(path))
	}
	attr := attributes{mode: 0o644}
	if info, err := os.Stat(f.host.at(path)); err == nil {
		attr = attributesOf(info)
	}
	return writeAtomically(f.host.at(path), content, attr, modeParents)
}

// fileChanges compares the files with what is wanted.
func (f *firewalld) fileChanges(want hosts.OpenFirewall, before []hosts.OpenFirewall) ([]fileChange, error) {
	wanted := firewalldFiles(want)
	ours := map[string]bool{} // files that are Slipway's by its record
	zones := map[string]bool{}
	for _, open := range before {
		for path := range firewalldFiles(open) {
			ours[path] = true
		}
	}
	for _, open := range append([]hosts.OpenFirewall{want}, before...) {
		for _, zone := range open.Zones {
			zones[zone] = true
		}
	}
	var changes []fileChange
	for _, path := range slices.Sorted(maps.Keys(union(wanted, ours))) {
		have, err := readIfThere(f.host.at(path))
		if err != nil {
			return nil, err
		}
		after, stays := wanted[path]
		switch {
		case have != nil && !ours[path] && !bytes.Equal(have, after):
			return nil, &hosts.Error{
				Kind: hosts.KindForeign, Err: fmt.Errorf("%s is there, and Slipway did not write it", path),
				Fix: "give it another name: names that begin with " + hosts.OpeningPrefix + " are Slipway's",
			}
		case stays && !bytes.Equal(have, after), !stays && have != nil:
			changes = append(changes, fileChange{path, have, after})
		}
	}
	for _, zone := range slices.Sorted(maps.Keys(zones)) {
		change, err := f.zoneChange(zone, want, slices.Contains(want.Zones, zone))
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(change.before, change.after) {
			changes = append(changes, change)
		}
	}
	return changes, nil
}

func union[V any](one map[string]V, other map[string]bool) map[string]bool {
	all := maps.Clone(other)
	for key := range one {
		all[key] = true
	}
	return all
}

// ownZoneFile is where a zone's file of the machine's own lies, which counts before the package's.
func ownZoneFile(zone string) string { return path.Join(firewalldEtc, "zones", zone+".xml") }

// zoneChange is the file of a zone of the user's with what is wanted, and nothing else of Slipway's, in it.
// One that Slipway has made goes when it would say the same as the package's.
func (f *firewalld) zoneChange(zone string, want hosts.OpenFirewall, opens bool) (fileChange, error) {
	change := fileChange{path: ownZoneFile(zone)}
	packaged, err := readIfThere(f.host.at(path.Join(firewalldLib, "zones", zone+".xml")))
	if err != nil {
		return change, err
	}
	if change.before, err = readIfThere(f.host.at(change.path)); err != nil {
		return change, err
	}
	base := change.before
	if base == nil {
		base = packaged
	}
	if base == nil {
		return change, nil // there is nothing to open, or to close
	}
	if change.after, err = withOpenings(base, want, opens); err != nil {
		return change, fmt.Errorf("read the zone %s: %w", zone, err)
	}
	if !opens && (change.before == nil || packaged != nil && slices.Contains(f.made, zone) && sameZone(change.after, packaged)) {
		change.after = nil
	}
	return change, nil
}
