//go:build linux

package local_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
)

// timeMachine is in UTC, and knows another time zone.
func timeMachine(t *testing.T) *machine {
	m := newMachine(t)
	m.write("/usr/share/zoneinfo/Etc/UTC", "utc")
	m.write("/usr/share/zoneinfo/Europe/Berlin", "berlin")
	m.write("/etc/timezone", "Etc/UTC\n")
	if err := os.Symlink("/usr/share/zoneinfo/Etc/UTC", m.at("/etc/localtime")); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestTheTimeZoneIsSetAndPutBack(t *testing.T) {
	m := timeMachine(t)
	host := m.host()
	m.do(host, hosts.SetTimeZone{Zone: "Europe/Berlin"})
	target, _ := os.Readlink(m.at("/etc/localtime"))
	if target != "../usr/share/zoneinfo/Europe/Berlin" || m.read("/etc/timezone") != "Europe/Berlin\n" || m.observe(host, hosts.Query{}).TimeSettings.Zone != "Europe/Berlin" {
		t.Errorf("the link leads to %s, and %s", target, m.read("/etc/timezone"))
	}
	for _, zone := range []string{"Mars/Base", "../../etc/passwd"} {
		if err := m.fails(host, hosts.SetTimeZone{Zone: zone}); !strings.Contains(err.Error(), zone) {
			t.Errorf("%s: %v", zone, err)
		}
	}
	m.once(host, hosts.Restore{Setting: hosts.TimeZoneSetting}, hosts.Changed)
	if target, _ := os.Readlink(m.at("/etc/localtime")); target != "/usr/share/zoneinfo/Etc/UTC" {
		t.Errorf("the link leads to %s", target)
	}
	if m.read("/etc/timezone") != "Etc/UTC\n" || m.observe(host, hosts.Query{}).TimeSettings.Zone != "Etc/UTC" {
		t.Errorf("it is not what it was: %s", m.read("/etc/timezone"))
	}
}

// TestTimeServersGoToTheServiceThatIsThere, which then runs; a reset has it be as it was.
func TestTimeServersGoToTheServiceThatIsThere(t *testing.T) {
	servers := hosts.SetNTP{Servers: []string{"ntp.example.com", "192.0.2.7"}}
	for name, test := range map[string]struct {
		unit, active, enabled, conf string
		path, content               string
		begins, ends                []string
	}{
		"timesyncd that is off": {"systemd-timesyncd.service", "inactive", "disabled", "",
			"/etc/systemd/timesyncd.conf.d/60-slipway.conf", "NTP=ntp.example.com 192.0.2.7\n",
			[]string{"enable systemd-timesyncd.service", "restart systemd-timesyncd.service"},
			[]string{"disable systemd-timesyncd.service", "stop systemd-timesyncd.service"}},
		"Debian's chrony": {"chrony.service", "active", "enabled", "confdir /etc/chrony/conf.d\nsourcedir /run/chrony-dhcp\nsourcedir /etc/chrony/sources.d\n",
			"/etc/chrony/conf.d/slipway.conf", "server ntp.example.com iburst\nserver 192.0.2.7 iburst\n",
			[]string{"restart chrony.service"}, []string{"restart chrony.service"}},
		"Red Hat's chrony": {"chronyd.service", "active", "enabled", "sourcedir /run/chrony-dhcp\nsourcedir /etc/chrony.d\n",
			"/etc/chrony.d/slipway.sources", "server 192.0.2.7 iburst\n",
			[]string{"restart chronyd.service"}, []string{"restart chronyd.service"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := timeMachine(t)
			m.systemd.units[test.unit] = unit("loaded", test.active, test.enabled, "/usr/lib/systemd/system/"+test.unit)
			m.write("/etc/chrony/chrony.conf", test.conf)
			host := m.host()
			m.do(host, servers)
			if got := m.read(test.path); !strings.Contains(got, test.content) {
				t.Errorf("%s is\n%s", test.path, got)
			}
			if jobs := m.systemd.took(); !slices.Equal(jobs, test.begins) {
				t.Errorf("systemd did %q, want %q", jobs, test.begins)
			}
			if got := m.observe(host, hosts.Query{}).TimeSettings; got.Service != test.unit || !got.Active || got.Unread || !slices.Equal(got.Servers, servers.Servers) {
				t.Errorf("seen: %+v", got)
			}
			m.once(host, hosts.Restore{Setting: hosts.NTPSetting}, hosts.Changed)
			if jobs := m.systemd.took(); m.has(test.path) || !slices.Equal(jobs, test.ends) {
				t.Errorf("systemd did %q, want %q", jobs, test.ends)
			}
		})
	}
}

// TestATimeServiceThatIsInstalledLater gets the servers, and loses them with a reset; the one before it is not started
// again.
func TestATimeServiceThatIsInstalledLater(t *testing.T) {
	const timesyncd, chrony = "systemd-timesyncd.service", "chrony.service"
	servers := hosts.SetNTP{Servers: []string{"192.0.2.7"}}
	for what, test := range map[string]struct {
		active, enabled string // timesyncd, at first
		stays, set      bool   // timesyncd's package, and the servers a second time
		ends            []string
	}{
		"in timesyncd's place":     {"active", "enabled", false, false, []string{"restart " + chrony}},
		"beside it":                {"active", "enabled", true, false, []string{"restart " + chrony}},
		"beside one that was off":  {"inactive", "disabled", true, false, []string{"disable " + timesyncd, "stop " + timesyncd, "restart " + chrony}},
		"and gets others, as well": {"active", "enabled", false, true, []string{"restart " + chrony}},
	} {
		t.Run(what, func(t *testing.T) {
			m := timeMachine(t)
			m.systemd.units[timesyncd] = unit("loaded", test.active, test.enabled, "/usr/lib/systemd/system/"+timesyncd)
			host := m.host()
			m.do(host, servers)
			if !test.stays {
				delete(m.systemd.units, timesyncd)
			}
			m.systemd.units[chrony] = unit("loaded", "active", "enabled", "/usr/lib/systemd/system/"+chrony)
			m.write("/etc/chrony/chrony.conf", "sourcedir /etc/chrony/sources.d\n")
			m.do(host, servers)
			if test.set {
				m.do(host, hosts.SetNTP{Servers: []string{"192.0.2.8"}})
			}
			m.systemd.took()
			m.once(host, hosts.Restore{Setting: hosts.NTPSetting}, hosts.Changed)
			if jobs := m.systemd.took(); m.has("/etc/chrony/sources.d/slipway.sources") || !slices.Equal(jobs, test.ends) {
				t.Errorf("systemd did %q, want %q", jobs, test.ends)
			}
		})
	}
}

// TestATimeZoneWhereNoneWas: without the link the zone is UTC, also to Debian's programs.
func TestATimeZoneWhereNoneWas(t *testing.T) {
	m := timeMachine(t)
	host := m.host()
	if err := os.Remove(m.at("/etc/localtime")); err != nil {
		t.Fatal(err)
	}
	m.do(host, hosts.SetTimeZone{Zone: "Europe/Berlin"})
	m.once(host, hosts.Restore{Setting: hosts.TimeZoneSetting}, hosts.Changed)
	if got := m.read("/etc/timezone"); got != "Etc/UTC\n" || m.has("/etc/localtime") {
		t.Errorf("after a reset it is %q", got)
	}
}

func TestTimeServersWithoutAPlaceForThem(t *testing.T) {
	m := timeMachine(t)
	host := m.host()
	servers := hosts.SetNTP{Servers: []string{"ntp.example.com"}}
	if err := m.fails(host, servers); !strings.Contains(err.Error(), "neither chrony nor systemd-timesyncd") {
		t.Errorf("it fails with %v", err)
	}
	m.systemd.units["chronyd.service"] = unit("loaded", "active", "enabled", "/usr/lib/systemd/system/chronyd.service")
	m.write("/etc/chrony.conf", "pool 2.rocky.pool.ntp.org iburst\n")
	if err := m.fails(host, servers); !strings.Contains(err.Error(), "sourcedir") || !m.observe(host, hosts.Query{}).TimeSettings.Unread {
		t.Errorf("it fails with %v", err)
	}
}
