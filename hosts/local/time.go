//go:build linux

package local

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/slipway-k8s/slipway/hosts"
)

const (
	localTime    = "/etc/localtime"
	zoneInfo     = "/usr/share/zoneinfo"
	timezoneFile = "/etc/timezone" // Debian's, beside the link
	timesyncd    = "systemd-timesyncd.service"
	timesyncFile = "/etc/systemd/timesyncd.conf.d/60-slipway.conf"
)

// chronyUnits are chrony's by Debian's name and by Red Hat's, and chronyConfs its configurations.
var (
	chronyUnits = []string{"chrony.service", "chronyd.service"}
	chronyConfs = []string{"/etc/chrony/chrony.conf", "/etc/chrony.conf"}
)

// timeZone is the host's, by the link that /etc/localtime is.
func (h *Host) timeZone() string {
	target, err := os.Readlink(h.at(localTime))
	if err != nil {
		return ""
	}
	return zoneIn(target)
}

// zoneIn is the time zone that a link's target is the file of; "" where it is of none.
func zoneIn(target string) string {
	_, zone, _ := strings.Cut(target, "zoneinfo/")
	return zone
}

var zoneName = regexp.MustCompile(`^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}$`)

// setTimeZone makes the link as systemd-timedated does, which need not be there.
func (h *Host) setTimeZone(ctx context.Context, a hosts.SetTimeZone) (hosts.Outcome, error) {
	if !zoneName.MatchString(a.Zone) || !h.exists(filepath.Join(zoneInfo, a.Zone)) {
		return hosts.Outcome{}, fmt.Errorf("the host knows no time zone %q: see timedatectl list-timezones, and that tzdata is installed", a.Zone)
	}
	was := h.timeZone()
	if was == a.Zone {
		return unchanged, nil
	}
	target, _ := os.Readlink(h.at(localTime)) // as it is written there: a reset writes it so again
	if was == "" && h.exists(localTime) {
		return hosts.Outcome{}, errors.New("/etc/localtime is no link to a time zone: see timedatectl status")
	}
	prior := hosts.Prior{Setting: hosts.TimeZoneSetting, Value: target, Absent: was == "", Set: a.Zone}
	return h.apply(ctx, change{
		action: a,
		detail: "was " + cmp.Or(was, "none"),
		note:   remember(prior),
		act:    func(context.Context) error { return h.linkTimeZone(".." + filepath.Join(zoneInfo, a.Zone)) },
	})
}

// linkTimeZone makes the link that says the time zone; "" takes it away, which is UTC (localtime(5)).
func (h *Host) linkTimeZone(target string) error {
	if h.exists(timezoneFile) {
		zone := cmp.Or(zoneIn(target), "Etc/UTC")
		if err := rewrite(h.at(timezoneFile), []byte(zone+"\n")); err != nil {
			return err
		}
	}
	if target == "" {
		return removeFile(h.at(localTime))
	}
	return replaceLink(h.at(localTime), target)
}

func (h *Host) restoreTimeZone(_ context.Context, _ string, prior hosts.Prior) error {
	if prior.Value != "" && zoneIn(prior.Value) == "" {
		return fmt.Errorf("the record's value %q is not understood", prior.Value) // a link to it would lead nowhere
	}
	return h.linkTimeZone(prior.Value)
}

// timeService is the unit that keeps the host's clock right, or could, and how it is.
func (h *Host) timeService(ctx context.Context) (string, UnitState, error) {
	for _, name := range append(slices.Clone(chronyUnits), timesyncd) {
		state, err := h.unitIfAny(ctx, name)
		if err != nil {
			return "", UnitState{}, err
		}
		if state.Load == "loaded" && (name == timesyncd || state.Active == "active" || state.Enabled == "enabled") {
			return name, state, nil
		}
	}
	return "", UnitState{}, nil
}

// serversFile is where a service's further servers lie, and how they are written; "" where it reads no such file.
func (h *Host) serversFile(service string, servers []string) (path string, content []byte) {
	if service == timesyncd {
		return timesyncFile, []byte("# Written by Slipway.\n[Time]\nNTP=" + strings.Join(servers, " ") + "\n")
	}
	var text bytes.Buffer
	text.WriteString("# Written by Slipway.\n")
	for _, server := range servers {
		fmt.Fprintf(&text, "server %s iburst\n", server)
	}
	for _, conf := range chronyConfs {
		data, err := os.ReadFile(h.at(conf))
		if err != nil {
			continue
		}
		for line := range bytes.Lines(data) {
			fields := strings.Fields(string(line))
			if len(fields) < 2 || !strings.HasPrefix(fields[1], "/etc/") { // what lies in /run goes with the boot
				continue
			}
			switch fields[0] {
			case "sourcedir":
				return filepath.Join(fields[1], "slipway.sources"), text.Bytes()
			case "confdir":
				return filepath.Join(fields[1], "slipway.conf"), text.Bytes()
			}
		}
	}
	return "", nil
}

// ntpNote is what the record keeps of the time servers that were set.
type ntpNote struct {
	Service string   `json:"service"`
	Was     string   `json:"was,omitempty"` // how the service was before; older records do not say
	Path    string   `json:"path"`
	Servers []string `json:"servers"`
}

func ntpNoteOf(record *hosts.Record) (note ntpNote, found bool) {
	prior, found := record.PriorOf(hosts.NTPSetting)
	return note, found && json.Unmarshal([]byte(prior.Set), &note) == nil
}

// written are the paths that are written for it: for timesyncd also the folder, which Slipway may have made.
func (n ntpNote) written() []string {
	switch n.Path {
	case "":
		return nil
	case timesyncFile:
		return []string{filepath.Dir(n.Path), n.Path}
	default:
		return []string{n.Path}
	}
}

func (h *Host) observeTime(ctx context.Context, _ hosts.Query, facts *hosts.Facts) error {
	settings := hosts.TimeSettings{Zone: h.timeZone(), Fixed: !h.hasCapability(unix.CAP_SYS_TIME)}
	service, state, err := h.timeService(ctx)
	if err != nil {
		return err
	}
	settings.Service, settings.Active = service, state.Active == "active" && state.Enabled == "enabled"
	path, _ := h.serversFile(service, nil)
	settings.Unread = service != "" && path == ""
	if note, found := ntpNoteOf(facts.Record); found && note.Service == service && note.Path == path {
		if _, content := h.serversFile(service, note.Servers); h.holds(path, content) {
			settings.Servers = note.Servers
		}
	}
	facts.TimeSettings = settings
	return nil
}

// holds tells whether a file has this content.
func (h *Host) holds(path string, content []byte) bool {
	have, err := os.ReadFile(h.at(path))
	return err == nil && bytes.Equal(have, content)
}

func (h *Host) setNTP(ctx context.Context, a hosts.SetNTP) (hosts.Outcome, error) {
	service, state, err := h.timeService(ctx)
	if err != nil {
		return hosts.Outcome{}, err
	}
	path, content := h.serversFile(service, a.Servers)
	switch {
	case service == "":
		return hosts.Outcome{}, errors.New("the host has neither chrony nor systemd-timesyncd: install one of them")
	case path == "":
		return hosts.Outcome{}, errors.New("chrony's configuration reads no folder: add the line `sourcedir /etc/chrony/sources.d` to it, and make that folder")
	}
	up := state.Active == "active" && state.Enabled == "enabled"
	if up && h.holds(path, content) {
		return unchanged, nil
	}
	record, err := h.record.read()
	if err != nil {
		return hosts.Outcome{}, err
	}
	earlier, noted := ntpNoteOf(record)
	if !noted && h.exists(path) {
		return hosts.Outcome{}, fmt.Errorf("%s is there, and Slipway did not write it", path)
	}
	was := state.prior()
	if noted && earlier.Service == service {
		was = earlier.Was
	}
	note, err := json.Marshal(ntpNote{service, was, path, a.Servers})
	if err != nil {
		return hosts.Outcome{}, err
	}
	return h.apply(ctx, change{
		action: a,
		detail: "by " + service,
		note:   remember(hosts.Prior{Setting: hosts.NTPSetting, Value: service + " " + state.prior(), Set: string(note)}),
		act: func(ctx context.Context) error {
			if noted && earlier.Path != path {
				if err := removeFile(h.at(earlier.Path)); err != nil {
					return err
				}
			}
			if err := writeAtomically(h.at(path), content, attributes{mode: 0o644}, modeParents); err != nil {
				return err
			}
			if state.Enabled != "enabled" {
				if err := h.systemd.Change(ctx, UnitEnable, service); err != nil {
					return err
				}
			}
			if err := h.systemd.Run(ctx, JobRestart, service); err != nil {
				return err
			}
			now, err := h.systemd.Unit(ctx, service)
			if err == nil && now.Active != "active" { // a condition of it is not met, which is no error of the job's
				err = fmt.Errorf("%s does not run: see systemctl status %s", service, service)
			}
			return err
		},
	})
}

// restoreNTP takes the servers away, and has the service be as it was: one that ran reads its own servers again.
func (h *Host) restoreNTP(ctx context.Context, _ string, prior hosts.Prior) error {
	note, found := ntpNoteOf(&hosts.Record{Priors: []hosts.Prior{prior}})
	if !found {
		return fmt.Errorf("the record's value %q is not understood", prior.Set)
	}
	if err := removeFile(h.at(note.Path)); err != nil {
		return err
	}
	if folder := filepath.Dir(note.Path); folder == filepath.Dir(timesyncFile) {
		_ = removeFile(h.at(folder)) // if nothing is left in it
	}
	first, was, _ := strings.Cut(prior.Value, " ")
	if first == note.Service {
		return h.putTimeServiceBack(ctx, first, was)
	}
	// Somebody has put another service in its place since (chrony and timesyncd exclude each other): the first one is not
	// started again, only kept off where it was off.
	if !strings.HasPrefix(was, "enabled ") && !strings.HasSuffix(was, " active") {
		if err := h.putTimeServiceBack(ctx, first, was); err != nil {
			return err
		}
	}
	return h.putTimeServiceBack(ctx, note.Service, cmp.Or(note.Was, "enabled active"))
}

// putTimeServiceBack has a time service be as it was; one that ran starts again, without Slipway's servers.
func (h *Host) putTimeServiceBack(ctx context.Context, service, was string) error {
	enabled, active, _ := strings.Cut(was, " ")
	state, err := h.systemd.Unit(ctx, service)
	if err != nil || state.Load == "not-found" {
		return err
	}
	if enabled != "enabled" {
		if err := h.systemd.Change(ctx, UnitDisable, service); err != nil {
			return err
		}
	}
	if active == "active" {
		return h.systemd.Run(ctx, JobRestart, service)
	}
	return h.systemd.Run(ctx, JobStop, service)
}
