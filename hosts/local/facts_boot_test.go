//go:build linux

package local_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/local"
)

// TestNextBoot: files count in the order of their names, whichever folder they lie in, and of
// two of one name the administrator's.
func TestNextBoot(t *testing.T) {
	m := newMachine(t)
	m.write("/etc/sysctl.d/99-slipway.conf", "net.ipv4.ip_forward = 1\n")
	m.write("/usr/lib/sysctl.d/99-zz.conf", "net.ipv4.ip_forward = 0\n")
	m.write("/usr/lib/sysctl.d/50-inotify.conf", "fs.inotify.max_user_watches = 1\n")
	m.write("/etc/sysctl.d/50-inotify.conf", "fs.inotify.max_user_watches = 2\n")
	m.write("/usr/lib/modprobe.d/hardening.conf", "blacklist br_netfilter\n")
	m.write("/usr/bin/cloud-init", "")
	m.write("/etc/hosts", "10.0.0.9 api.example other.example\n10.0.0.1 kept.example\n127.0.0.1\tours.example\t"+hosts.HostsMark+"\n")
	m.write("/etc/cloud/templates/hosts.debian.tmpl", "127.0.1.1 {{fqdn}} {{hostname}}\n10.0.0.1 kept.example\n")
	m.write("/etc/cloud/cloud.cfg", "manage_etc_hosts: localhost\n")
	m.write("/etc/cloud/cloud.cfg.d/90-site.cfg", "manage_etc_hosts: true\n")
	m.systemd.units["firewalld.service"] = local.UnitState{Load: "loaded", Active: "inactive", Enabled: "enabled"}
	query := hosts.Query{Sysctls: []string{"net.ipv4.ip_forward", "fs.inotify.max_user_watches"}, Modules: []string{"br_netfilter", "overlay"},
		Names: []string{"API.example", "kept.example", "ours.example"}}
	want := hosts.Boot{
		Sysctls: map[string]hosts.BootSetting{
			"net.ipv4.ip_forward":         {Value: "0", File: "/usr/lib/sysctl.d/99-zz.conf"},
			"fs.inotify.max_user_watches": {Value: "2", File: "/etc/sysctl.d/50-inotify.conf"},
		},
		Barred:      map[string]hosts.BarredModule{"br_netfilter": {File: "/usr/lib/modprobe.d/hardening.conf"}},
		HostsWriter: "/etc/cloud/cloud.cfg.d/90-site.cfg",
		HostsNames:  []string{"api.example"},
		Firewall:    "firewalld",
	}
	if diff := cmp.Diff(want, m.observe(m.host(), query).Boot); diff != "" {
		t.Errorf("the next boot (-want +got):\n%s", diff)
	}
	m.write("/etc/sysctl.d/99-zz.conf", "")
	m.write("/var/lib/cloud/instance/cloud-config.txt", "manage_etc_hosts: false\n")
	m.write("/etc/ufw/ufw.conf", "ENABLED=yes\n")
	m.write("/etc/ufw/sysctl.conf", "net/ipv4/ip_forward=0\n")
	next := m.observe(m.host(), query).Boot
	if got := next.Sysctls["net.ipv4.ip_forward"]; got.File != "/etc/ufw/sysctl.conf" || next.HostsWriter != "" {
		t.Errorf("a masked file, ufw's own and a user's data: %+v", next)
	}
}

// TestWhoHasCloudInitWriteHosts: the later of two says so.
func TestWhoHasCloudInitWriteHosts(t *testing.T) {
	const (
		own, site, found = "/etc/cloud/cloud.cfg", "/etc/cloud/cloud.cfg.d/90-site.cfg", "/run/cloud-init/cloud.cfg"
		vendor, vendor2  = "/var/lib/cloud/instance/vendor-cloud-config.txt", "/var/lib/cloud/instance/vendor2-cloud-config.txt"
		user             = "/var/lib/cloud/instance/cloud-config.txt"
	)
	order := []string{own, site, found, vendor, vendor2, user}
	for i, last := range order {
		m := newMachine(t)
		m.write("/usr/bin/cloud-init", "")
		for _, before := range order[:i] {
			m.write(before, "#cloud-config\nmanage_etc_hosts: false\n")
		}
		m.write(last, "#cloud-config\n---\nmanage_etc_hosts: true\n")
		query := hosts.Query{Modules: []string{"overlay"}}
		if next := m.observe(m.host(), query).Boot; next.HostsWriter != last || next.HostsNames != nil {
			t.Errorf("%s says that it does, and seen is %q", last, next.HostsWriter)
		}
		m.write(last, "manage_etc_hosts: false\n")
		if next := m.observe(m.host(), query).Boot; next.HostsWriter != "" {
			t.Errorf("%s says that it does not, and seen is %q", last, next.HostsWriter)
		}
	}
}

// TestServicesThatBringSwapAreKeptOff: swap in compressed memory comes by a service, not by a
// swap unit, and would be back after a boot. What was is noted, and put back.
func TestServicesThatBringSwapAreKeptOff(t *testing.T) {
	m := newMachine(t)
	m.write("/proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n")
	m.systemd.units["zramswap.service"] = local.UnitState{
		Load: "loaded", Active: "active", Enabled: "enabled", Fragment: "/lib/systemd/system/zramswap.service",
	}
	host := m.host()
	if facts := m.observe(host, hosts.Query{}); !slices.Contains(facts.SwapUnits, "zramswap.service") {
		t.Fatalf("what would bring swap: %v", facts.SwapUnits)
	}
	m.once(host, hosts.DisableSwap{}, hosts.Changed)
	if changes := strings.Join(m.systemd.took(), ", "); !strings.Contains(changes, "mask zramswap.service") {
		t.Errorf("changes: %s", changes)
	}
	if facts := m.observe(host, hosts.Query{}); len(facts.SwapUnits) > 0 {
		t.Errorf("what would still bring swap: %v", facts.SwapUnits)
	}
	prior := m.record(host).Priors
	if !slices.ContainsFunc(prior, func(p hosts.Prior) bool { return p.Setting == "unit/zramswap.service" && p.Value == "enabled active" }) {
		t.Errorf("noted is %+v", prior)
	}
}

// TestAServiceThatGoesOnMakingSwapIsStopped, after it is kept off; one that has made it and ended is not. A reset has
// each run as before.
func TestAServiceThatGoesOnMakingSwapIsStopped(t *testing.T) {
	const name = "swapspace.service"
	for what, test := range map[string]struct {
		sub, enabled, fragment string
		does                   []string
	}{
		"enabled":             {"running", "enabled", "/lib/systemd/system/" + name, []string{"mask " + name, "stop " + name}},
		"started by hand":     {"running", "disabled", "/lib/systemd/system/" + name, []string{"mask " + name, "stop " + name}},
		"the administrator's": {"running", "enabled", "/etc/systemd/system/" + name, []string{"disable " + name, "stop " + name}},
		"one that has ended":  {"exited", "enabled", "/lib/systemd/system/" + name, []string{"mask " + name}},
	} {
		t.Run(what, func(t *testing.T) {
			m := newMachine(t)
			was := local.UnitState{Load: "loaded", Active: "active", Sub: test.sub, Enabled: test.enabled, Fragment: test.fragment}
			m.systemd.units[name] = was
			host := m.host()
			m.do(host, hosts.DisableSwap{})
			if jobs := m.systemd.took(); !slices.Equal(jobs, append([]string{"daemon-reload"}, test.does...)) {
				t.Errorf("systemd did %q", jobs)
			}
			m.do(host, hosts.Restore{Setting: "unit/" + name})
			if state := m.systemd.units[name]; state != was {
				t.Errorf("it is %+v, and was %+v", state, was)
			}
		})
	}
}

// TestAServiceThatMakesSwapAndWasNotStoppedIsStoppedByTheNextRun, though it is masked already.
func TestAServiceThatMakesSwapAndWasNotStoppedIsStoppedByTheNextRun(t *testing.T) {
	const name = "swapspace.service"
	m := newMachine(t)
	m.systemd.units[name] = local.UnitState{Load: "loaded", Active: "active", Sub: "running", Enabled: "enabled", Fragment: "/lib/systemd/system/" + name}
	m.systemd.failing[name] = errors.New("out of cheese")
	host := m.host()
	m.fails(host, hosts.DisableSwap{})
	delete(m.systemd.failing, name)
	if units := m.observe(host, hosts.Query{}).SwapUnits; !slices.Equal(units, []string{name}) {
		t.Errorf("what would bring swap is %q", units)
	}
	m.do(host, hosts.DisableSwap{})
	if state := m.systemd.units[name]; state.Active != "inactive" || state.Load != "masked" {
		t.Errorf("it is %+v", state)
	}
}
