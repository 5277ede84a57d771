//go:build linux

package local_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-k8s/slipway/hosts"
)

// TestRestoreThatWasCutComesToItsEnd puts the machine where a kill can leave it: the record
// is written, or it is not.
func TestRestoreThatWasCutComesToItsEnd(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	m.write("/etc/x", "mine")
	m.do(host, m.writeFile(host, "/etc/x", "slipway's", 0o600))
	m.do(host, hosts.RemovePath{Path: "/etc/x"})
	// The record cannot be replaced: what goes wrong there goes wrong where a kill would.
	blocker := m.at("/var/lib/slipway/.record.json.slipway")
	if err := os.MkdirAll(filepath.Join(blocker, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	m.fails(host, hosts.Restore{Setting: "file//etc/x"})
	if err := os.RemoveAll(blocker); err != nil {
		t.Fatal(err)
	}
	m.do(host, hosts.Restore{Setting: "file//etc/x"})
	if m.read("/etc/x") != "mine" {
		t.Error("the file did not come back")
	}
	if kept := m.stateOf("/var/lib/slipway/store/backup"); len(kept) > 0 {
		t.Errorf("kept for nothing are %v", slices.Collect(maps.Keys(kept)))
	}
}

func TestWhatWasRestoredIsNotOursAnyMore(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	m.put("/etc/containerd/config.toml", "mine", 0o640)
	m.do(host, m.writeFile(host, "/etc/containerd/config.toml", "slipway's", 0o600))
	restore := hosts.Restore{Setting: "file//etc/containerd/config.toml"}
	m.do(host, restore) // without its removal before: a reset may have been cut anywhere
	if record := m.record(host); len(record.Paths)+len(record.Priors) > 0 {
		t.Errorf("the record still names %+v", record)
	}
	m.once(host, hosts.Restore{Setting: "file//etc/never"}, hosts.Unchanged)
	m.do(host, hosts.Forget{})
	if m.read("/etc/containerd/config.toml") != "mine" {
		t.Error("the file is gone again")
	}
}

// TestRecordTellsWhoMadeADirectory is what a reset removes trees by.
func TestRecordTellsWhoMadeADirectory(t *testing.T) {
	places := []string{"/etc/kubernetes/pki", "/etc/containerd", "/etc/cni/net.d", "/opt/cni/bin", "/var/lib/etcd", "/var/lib/kubelet"}
	makers := map[string]func(*machine, hosts.Host, string) hosts.Action{
		"make": func(_ *machine, _ hosts.Host, dir string) hosts.Action {
			return hosts.MakeDirectory{Path: dir, Mode: 0o700}
		},
		"write": func(m *machine, host hosts.Host, dir string) hosts.Action {
			return m.writeFile(host, dir+"/file", "x", 0o600)
		},
		"link": func(_ *machine, _ hosts.Host, dir string) hosts.Action {
			return hosts.MakeSymlink{Path: dir + "/link", Target: "x"}
		},
		"unpack": func(_ *machine, _ hosts.Host, dir string) hosts.Action {
			return hosts.Unpack{Set: "s", Files: []hosts.UnpackFile{{Path: dir + "/link", Target: "x"}}}
		},
	}
	for how, maker := range makers {
		t.Run(how, func(t *testing.T) {
			for _, place := range places {
				m := newMachine(t)
				host := m.host()
				parent := filepath.Dir(filepath.Dir(place))
				m.write(parent+"/.keep", "")
				m.write("/var/lib/.keep", "") // Slipway's own state is there in any case
				m.do(host, maker(m, host, place))
				want := []string{filepath.Dir(place), place}
				if want[0] == "/var/lib" {
					want = want[1:]
				}
				if diff := cmp.Diff(want, m.directories(host)); diff != "" {
					t.Errorf("%s, made (-want +got):\n%s", place, diff)
				}
				m = newMachine(t)
				host = m.host()
				m.write(place+"/theirs", "")
				m.do(host, maker(m, host, place))
				if made := m.directories(host); len(made) > 0 {
					t.Errorf("%s was there, and is on record: %v", place, made)
				}
			}
		})
	}
}

// directories are those on record.
func (m *machine) directories(host hosts.Host) []string {
	var paths []string
	for _, owned := range m.record(host).Paths {
		if owned.Type == hosts.TypeDirectory {
			paths = append(paths, owned.Path)
		}
	}
	return paths
}

func TestHostnameThatWasNotThere(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	m.write("/etc/.keep", "")
	if facts := m.observe(host, hosts.Query{}); facts.Hostname != "old" || facts.StaticHostname != "" {
		t.Errorf("the names are %q and %q", facts.Hostname, facts.StaticHostname)
	}
	m.do(host, hosts.SetHostname{Name: "old"})
	if facts := m.observe(host, hosts.Query{}); facts.StaticHostname != "old" {
		t.Errorf("the static name is %q", facts.StaticHostname)
	}
	m.do(host, hosts.Restore{Setting: "hostname"})
	if m.has("/etc/hostname") || m.read("/proc/sys/kernel/hostname") != "old\n" {
		t.Error("there is a static name where none was, or another running one")
	}
}

func TestSysctlThatSomebodyElseSetSinceStays(t *testing.T) {
	const path, setting = "/proc/sys/net/ipv4/ip_forward", "sysctl/net.ipv4.ip_forward"
	for live, want := range map[string]string{"1": "0", "2": "2", "0": "0"} {
		m := newMachine(t)
		host := m.host()
		m.write(path, "0\n")
		m.do(host, hosts.SetSysctl{Key: "net.ipv4.ip_forward", Value: "1"})
		m.write(path, live+"\n")
		outcome := m.once(host, hosts.Restore{Setting: setting}, hosts.Changed)
		if got := strings.TrimSpace(m.read(path)); got != want {
			t.Errorf("over %s it is %s, want %s", live, got, want)
		}
		if left := strings.HasPrefix(outcome.Detail, "left alone"); left != (want == "2") {
			t.Errorf("over %s it says %q", live, outcome.Detail)
		}
		m.once(host, hosts.Restore{Setting: setting}, hosts.Unchanged)
		m.do(host, hosts.Forget{})
	}
}

// TestNamesAndZonesThatSomebodyElseSetSinceStay, as kernel parameters do.
func TestNamesAndZonesThatSomebodyElseSetSinceStay(t *testing.T) {
	for since, want := range map[string]string{"": "before", "before": "before", "theirs": "theirs"} {
		m := newMachine(t)
		host := m.host()
		m.write("/etc/hostname", "before\n")
		m.do(host, hosts.SetHostname{Name: "earlier"})
		m.do(host, hosts.SetHostname{Name: "cp-1"})
		if since != "" {
			m.write("/etc/hostname", since+"\n")
			m.write("/proc/sys/kernel/hostname", since+"\n")
		}
		outcome := m.once(host, hosts.Restore{Setting: "hostname"}, hosts.Changed)
		if got := strings.TrimSpace(m.read("/etc/hostname")); got != want || strings.HasPrefix(outcome.Detail, "left alone") != (want == "theirs") {
			t.Errorf("over the name %q it is %q, want %q; %s", since, got, want, outcome.Detail)
		}
		m.once(host, hosts.Restore{Setting: "hostname"}, hosts.Unchanged)
	}
	for since, want := range map[string]string{"": "Etc/UTC", "../usr/share/zoneinfo/Etc/UTC": "Etc/UTC", "../usr/share/zoneinfo/Asia/Tokyo": "Asia/Tokyo"} {
		m := timeMachine(t)
		host := m.host()
		m.do(host, hosts.SetTimeZone{Zone: "Europe/Berlin"})
		if since != "" {
			if err := errors.Join(os.Remove(m.at("/etc/localtime")), os.Symlink(since, m.at("/etc/localtime"))); err != nil {
				t.Fatal(err)
			}
		}
		outcome := m.once(host, hosts.Restore{Setting: hosts.TimeZoneSetting}, hosts.Changed)
		if got := m.observe(host, hosts.Query{}).TimeSettings.Zone; got != want || strings.HasPrefix(outcome.Detail, "left alone") != (want == "Asia/Tokyo") {
			t.Errorf("over the zone %q it is %q, want %q; %s", since, got, want, outcome.Detail)
		}
	}
	m := timeMachine(t)
	host := m.host()
	m.do(host, hosts.SetTimeZone{Zone: "Europe/Berlin"})
	if err := os.Remove(m.at("/etc/localtime")); err != nil {
		t.Fatal(err)
	}
	m.write("/etc/localtime", "TZif")
	if outcome := m.once(host, hosts.Restore{Setting: hosts.TimeZoneSetting}, hosts.Changed); m.read("/etc/localtime") != "TZif" || !strings.HasPrefix(outcome.Detail, "left alone") {
		t.Errorf("a file in the link's place: %s", outcome.Detail)
	}
}

func TestModuleThatSomebodyElseAsksForStays(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	m.write("/etc/modules-load.d/theirs.conf", "# a bridge\nbr-netfilter\n")
	m.do(host, m.writeFile(host, "/etc/modules-load.d/slipway.conf", "overlay\n", 0o644))
	var record hosts.Record
	m.readJSON("/var/lib/slipway/record.json", &record)
	for _, name := range []string{"overlay", "br_netfilter"} {
		record.Priors = append(record.Priors, hosts.Prior{Setting: "module/" + name, Absent: true})
	}
	m.writeJSON("/var/lib/slipway/record.json", record)
	if outcome := m.once(host, hosts.Restore{Setting: "module/br_netfilter"}, hosts.Changed); !strings.Contains(outcome.Detail, "/etc/modules-load.d/theirs.conf") {
		t.Errorf("a module that is asked for: %q", outcome.Detail)
	}
	if outcome := m.once(host, hosts.Restore{Setting: "module/overlay"}, hosts.Changed); strings.Contains(outcome.Detail, "left alone") {
		t.Errorf("a module that only we asked for: %q", outcome.Detail)
	}
}

func TestUnitThatOursOverrodeComesBack(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	const name, ours, theirs = "containerd.service", "/etc/systemd/system/containerd.service", "/usr/lib/systemd/system/containerd.service"
	m.write("/etc/systemd/system/.keep", "")
	m.systemd.units[name] = unit("loaded", "active", "enabled", theirs)
	m.do(host, m.writeFile(host, ours, "slipway's", 0o644))
	m.systemd.units[name] = unit("loaded", "inactive", "disabled", ours)
	m.do(host, hosts.SetUnit{Name: name, Enabled: true, Active: true})
	want := []hosts.Prior{{Setting: "unit/" + name, Value: "enabled active"}}
	if diff := cmp.Diff(want, m.record(host).Priors); diff != "" {
		t.Fatalf("priors (-want +got):\n%s", diff)
	}

	m.do(host, hosts.SetUnit{Name: name})
	m.do(host, hosts.RemovePath{Path: ours})
	delete(m.systemd.units, name) // the unit is seen again once systemd has looked
	m.systemd.pending[name] = unit("loaded", "inactive", "disabled", theirs)
	m.do(host, hosts.Restore{Setting: "unit/" + name})
	if state := m.systemd.units[name]; state.Active != "active" || state.Enabled != "enabled" {
		t.Errorf("the distribution's unit is %+v", state)
	}
	m.do(host, hosts.Forget{}) // a unit that runs is its owner's again
}

func TestUnitOfOursHasNoStateBefore(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	m.do(host, m.writeFile(host, "/etc/systemd/system/kubelet.service", "x", 0o644))
	m.systemd.units["kubelet.service"] = unit("loaded", "active", "enabled", "/etc/systemd/system/kubelet.service")
	m.do(host, hosts.RemovePath{Path: "/etc/systemd/system/kubelet.service"})
	m.do(host, m.writeFile(host, "/etc/systemd/system/kubelet.service", "x", 0o644))
	if priors := m.record(host).Priors; len(priors) > 0 {
		t.Errorf("the record says %v", priors)
	}
}

func TestMaskedUnitIsMaskedAgain(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	const name, ours = "x.service", "/etc/systemd/system/x.service"
	m.write("/etc/systemd/system/.keep", "")
	if err := os.Symlink("/dev/null", m.at(ours)); err != nil {
		t.Fatal(err)
	}
	m.systemd.units[name] = unit("masked", "inactive", "masked", ours)
	m.do(host, m.writeFile(host, ours, "slipway's", 0o644))
	want := []hosts.Prior{{Setting: "unit/" + name, Value: "masked inactive"}, {Setting: "file/" + ours, Value: "symlink /dev/null"}}
	if diff := cmp.Diff(want, m.record(host).Priors); diff != "" {
		t.Fatalf("priors, of which a reset restores the last first (-want +got):\n%s", diff)
	}
	for _, prior := range slices.Backward(want) {
		m.do(host, hosts.Restore{Setting: prior.Setting})
	}
	if target, err := os.Readlink(m.at(ours)); err != nil || target != "/dev/null" {
		t.Errorf("the mask is %q, %v", target, err)
	}
}
