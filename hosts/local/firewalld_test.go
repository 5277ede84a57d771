//go:build linux

package local_test

import (
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/local"
)

const publicZone = `<?xml version="1.0" encoding="utf-8"?>
<zone>
  <short>Public</short>
  <description>For use in public areas.</description>
  <service name="ssh"/>
  <forward/>
</zone>
`

// ownZone is one that its user wrote, in a form of its own.
const ownZone = `<?xml version="1.0" encoding="utf-8"?>
<!-- ours -->
<zone version="1.0"><short>Internal</short>
	<service name="ssh"/><port port="8080" protocol="tcp"/>
	<rule family="ipv4"><source address="10.9.0.0/16"/><service name="https"/><accept/></rule></zone>`

const (
	publicFile   = "/etc/firewalld/zones/public.xml"
	internalFile = "/etc/firewalld/zones/internal.xml"
	podsFile     = "/etc/firewalld/zones/slipway-pods.xml"
	kubeletFile  = "/etc/firewalld/services/slipway-kubelet.xml"
	policyFile   = "/etc/firewalld/policies/slipway-pods.xml"
)

// firewalldMachine has firewalld's files, with a zone of the package's and one of its user's.
func firewalldMachine(t *testing.T) *machine {
	m := newMachine(t)
	m.write("/etc/firewalld/firewalld.conf", "DefaultZone=public\nFirewallBackend=nftables\n")
	m.write("/usr/lib/firewalld/zones/public.xml", publicZone)
	m.write(internalFile, ownZone)
	m.systemd.units["firewalld.service"] = local.UnitState{Load: "loaded", Active: "inactive", Enabled: "enabled"}
	return m
}

func openings(zones ...string) hosts.OpenFirewall {
	return hosts.OpenFirewall{
		Kind: hosts.Firewalld, Zones: zones,
		Openings: []hosts.Opening{
			{Name: "slipway-kubelet", Ports: []string{"10250/tcp"}, From: []string{"10.0.0.0/24", "2001:db8::/64"}, Why: "the kubelet's API"},
			{Name: "slipway-node-ports", Ports: []string{"30000-32767/tcp", "30000-32767/udp"}, Why: "Services"},
			{Name: "slipway-vrrp", Ports: []string{"vrrp"}, From: []string{"10.0.0.2"}, Why: "adverts"},
		},
		Pods: []string{"cni0", "flannel.1"}, IntoPods: true,
	}
}

// TestFirewalldsFilesAreOpenedAndPutBack, also while it does not run: the zone of its user's keeps every byte, and the
// package's is in force again.
func TestFirewalldsFilesAreOpenedAndPutBack(t *testing.T) {
	m := firewalldMachine(t)
	host := m.host()
	m.do(host, openings("internal", "public"))
	for path, wants := range map[string][]string{
		kubeletFile: {`<port protocol="tcp" port="10250"/>`, "the kubelet&#39;s API"},
		"/etc/firewalld/services/slipway-vrrp.xml": {`<protocol value="vrrp"/>`},
		podsFile:     {`<zone target="ACCEPT">`, `<interface name="cni0"/>`, `<interface name="flannel.1"/>`},
		policyFile:   {`<ingress-zone name="ANY"/>`, `<egress-zone name="slipway-pods"/>`},
		publicFile:   {`<service name="ssh"/>`, `<service name="slipway-node-ports"/>`, `<source address="10.0.0.0/24"/>`},
		internalFile: {"<!-- ours -->", `<rule family="ipv6">`, `<service name="https"/>`},
	} {
		for _, want := range wants {
			if text := m.read(path); !strings.Contains(text, want) {
				t.Errorf("%s lacks %s:\n%s", path, want, text)
			}
		}
	}
	less := openings("public")
	less.Openings, less.IntoPods = less.Openings[:1], false
	m.do(host, less)
	if got := m.read(internalFile); got != ownZone {
		t.Errorf("a zone that is no longer the host's is not as it was:\n%s", got)
	}
	if strings.Contains(m.read(publicFile), "node-ports") || m.has(policyFile) || m.has("/etc/firewalld/services/slipway-vrrp.xml") {
		t.Error("what is no longer wanted is still there")
	}
	m.do(host, openings("internal"))
	m.once(host, hosts.Restore{Setting: "firewall/firewalld"}, hosts.Changed)
	if got := m.read(internalFile); got != ownZone {
		t.Errorf("the user's zone is not as it was:\n%s", got)
	}
	for _, path := range []string{publicFile, podsFile, policyFile, kubeletFile} {
		if m.has(path) {
			t.Errorf("%s is left", path)
		}
	}
	if priors := m.record(host).Priors; len(priors) > 0 {
		t.Errorf("the record has %v", priors)
	}
}

// TestAZonesFileThatSaysWhatThePackageSaysStays where it was there before: its user, or a tool of theirs, wrote it.
func TestAZonesFileThatSaysWhatThePackageSaysStays(t *testing.T) {
	m := firewalldMachine(t)
	host := m.host()
	own := strings.Replace(publicZone, "<zone>", "<!-- by hand --><zone>", 1)
	m.write(publicFile, own)
	m.do(host, openings("public"))
	more := openings("public")
	more.Openings = more.Openings[:1]
	m.do(host, more)
	m.once(host, hosts.Restore{Setting: "firewall/firewalld"}, hosts.Changed)
	if !m.has(publicFile) || m.read(publicFile) != own {
		t.Error("the user's zone is not as it was")
	}
}

// TestRichRulesThatAreAskedFirstAreRead: by their priority, and of one those that refuse; firewall-cmd takes their texts.
func TestRichRulesThatAreAskedFirstAreRead(t *testing.T) {
	m := firewalldMachine(t)
	m.write("/etc/firewalld/services/own.xml", `<service><port port="2379-2380" protocol="tcp"/><protocol value="vrrp"/></service>`)
	m.write(publicFile, `<zone>
  <rule family="ipv4"><source address="10.9.0.0/16"/><service name="own"/><accept/></rule>
  <rule family="ipv4"><source address="10.0.0.0/24" invert="True"/><port port="10250" protocol="tcp"/><log prefix="no" level="info"><limit value="1/m"/></log><drop/></rule>
  <rule><service name="own"/><reject type="tcp-reset"/></rule>
  <rule priority="1"><port port="6443" protocol="tcp"/><drop/></rule>
  <rule priority="-1" family="ipv6"><port port="10250" protocol="tcp"/><accept/></rule>
  <rule priority="-2"><port port="22" protocol="tcp"/><accept><limit value="1/m"/></accept></rule>
  <rule><icmp-type name="echo-request"/><drop/></rule>
  <rule><source ipset="banned"/><drop/></rule>
</zone>`)
	const own = `rule service name="own" reject type="tcp-reset"`
	want := []hosts.InRule{
		{Zone: "public", PacketRule: hosts.PacketRule{Protocol: "tcp", Ports: "10250", To: "::/0", From: "::/0"}, Text: `rule priority="-1" family="ipv6" port port="10250" protocol="tcp" accept`},
		{Zone: "public", Refuses: true, PacketRule: hosts.PacketRule{Protocol: "tcp", Ports: "10250", To: "0.0.0.0/0", From: "!10.0.0.0/24"},
			Text: `rule family="ipv4" source NOT address="10.0.0.0/24" port port="10250" protocol="tcp" log prefix="no" level="info" limit value="1/m" drop`},
		{Zone: "public", Refuses: true, PacketRule: hosts.PacketRule{Protocol: "tcp", Ports: "2379:2380"}, Text: own},
		{Zone: "public", Refuses: true, PacketRule: hosts.PacketRule{Protocol: "vrrp"}, Text: own},
		{Zone: "public", Refuses: true, Unsure: true, Text: `rule source ipset="banned" drop`},
	}
	if got := m.observe(m.host(), hosts.Query{}).FirewallState.Rules; !slices.Equal(got, want) {
		t.Errorf("read %+v\nwant %+v", got, want)
	}
}

// TestWhatFirewalldHasRewrittenIsClosedToo: firewall-cmd writes a zone anew, in a form of its own, and with
// what its user adds.
func TestWhatFirewalldHasRewrittenIsClosedToo(t *testing.T) {
	m := firewalldMachine(t)
	host := m.host()
	m.do(host, openings("public"))
	m.write(publicFile, strings.NewReplacer("\n    <", "<", "\n  </rule>", "</rule>", `  <service name="ssh"/>`, `  <service name="ssh"/><service name="http"/>`).Replace(m.read(publicFile)))
	m.once(host, openings("public"), hosts.Changed) // it writes its own lines as it has them
	m.once(host, hosts.Restore{Setting: "firewall/firewalld"}, hosts.Changed)
	if got, want := m.read(publicFile), strings.Replace(publicZone, `"ssh"/>`, `"ssh"/><service name="http"/>`, 1); got != want {
		t.Errorf("left:\n%s\nwant:\n%s", got, want)
	}
}

// TestAFirewalldThatRunsTakesItUp, and what it has in force is looked at, not only its files.
func TestAFirewalldThatRunsTakesItUp(t *testing.T) {
	m := firewalldMachine(t)
	daemon := newFakeFirewalld(m)
	host := m.open(local.Options{SystemBus: daemon.bus})
	state := m.observe(host, hosts.Query{}).FirewallState
	if state.Version != "1.3.3" || state.ZoneOf("eth0") != "internal" || state.ZoneOf("eth1") != "public" || state.Problem != "" || state.Opened != nil ||
		state.Sources["10.3.0.0/24"] != "internal" || state.Sources["ipset:lan"] != "internal" {
		t.Errorf("seen: %+v", state)
	}
	want := openings("internal")
	m.do(host, want)
	if daemon.reloads != 1 {
		t.Errorf("it was reloaded %d times", daemon.reloads)
	}
	if state = m.observe(host, hosts.Query{}).FirewallState; state.Opened == nil || len(state.Missing) > 0 {
		t.Errorf("seen: %+v", state)
	}

	zone := daemon.running["internal"]
	zone.Rules = slices.Delete(slices.Clone(zone.Rules), 1, 2)
	daemon.running["internal"] = zone
	if state = m.observe(host, hosts.Query{}).FirewallState; !slices.Contains(state.Missing, "slipway-kubelet from 10.0.0.0/24 in zone internal") {
		t.Errorf("a rule is gone from what is in force, and missing is %q", state.Missing)
	}
	m.do(host, want)
	delete(daemon.running, "slipway-pods")
	m.do(host, want)
	m.once(host, hosts.Restore{Setting: "firewall/firewalld"}, hosts.Changed)
	if _, there := daemon.running["slipway-pods"]; there || daemon.reloads != 4 {
		t.Errorf("after the end the zone of Pods is there: %v; %d reloads", there, daemon.reloads)
	}
}

// TestWhatFirewalldRefusesIsTakenBack: it would not start with it at the next boot.
func TestWhatFirewalldRefusesIsTakenBack(t *testing.T) {
	m := firewalldMachine(t)
	daemon := newFakeFirewalld(m)
	daemon.refuses = errors.New("INVALID_ZONE: no")
	host := m.open(local.Options{SystemBus: daemon.bus})
	err := m.fails(host, openings("internal", "public"))
	if !strings.Contains(err.Error(), "INVALID_ZONE: no") || m.read(internalFile) != ownZone || m.has(kubeletFile) || m.has(publicFile) || daemon.reloads != 2 {
		t.Errorf("it fails with %v, after %d reloads", err, daemon.reloads)
	}
	m.once(host, openings("internal"), hosts.Changed)
}

// TestNoReloadEndsWhatIsOnlyInForce: somebody may have meant it to last.
func TestNoReloadEndsWhatIsOnlyInForce(t *testing.T) {
	m := firewalldMachine(t)
	daemon := newFakeFirewalld(m)
	daemon.running["public"] = zoneSettings{Services: []named{{"ssh"}, {"http"}}}
	host := m.open(local.Options{SystemBus: daemon.bus})
	if got := m.observe(host, hosts.Query{}).FirewallState.Unsaved; !slices.Equal(got, []string{"zone public, services: http"}) {
		t.Errorf("unsaved: %q", got)
	}
	if err := m.fails(host, openings("internal")); !strings.Contains(err.Fix, "--runtime-to-permanent") || daemon.reloads > 0 || m.has(kubeletFile) {
		t.Errorf("it fails with %v", err)
	}
}

// TestWhatIsOnlyInForceBesideZones would end with a reload too; direct rules and entries of sets not where that keeps them.
func TestWhatIsOnlyInForceBesideZones(t *testing.T) {
	m := firewalldMachine(t)
	daemon := newFakeFirewalld(m)
	daemon.policies = map[string][]string{"guests": {"https"}, "slipway-pods": {"ours"}}
	daemon.sets = map[string][]string{"banned": {"192.0.2.7"}}
	daemon.direct = [][]string{{"-s", "192.0.2.9", "-j", "DROP"}}
	host := m.open(local.Options{SystemBus: daemon.bus})
	want := []string{"policy guests, services: https", "ipset banned: 192.0.2.7", "direct rule: ipv4 filter INPUT 0 -s 192.0.2.9 -j DROP"}
	if state := m.observe(host, hosts.Query{}).FirewallState; !slices.Equal(state.Unsaved, want) || state.Problem != "" {
		t.Errorf("unsaved: %q, want %q; %s", state.Unsaved, want, state.Problem)
	}
	m.write("/etc/firewalld/firewalld.conf", "FlushAllOnReload=no\n")
	if got := m.observe(host, hosts.Query{}).FirewallState.Unsaved; !slices.Equal(got, want[:1]) {
		t.Errorf("unsaved: %q, want %q", got, want[:1])
	}
}

// TestWhatAReloadBringsIntoForce is told: somebody may have taken it away until the next reload. It stops nothing.
func TestWhatAReloadBringsIntoForce(t *testing.T) {
	m := firewalldMachine(t)
	daemon := newFakeFirewalld(m)
	daemon.running["public"] = zoneSettings{}
	host := m.open(local.Options{SystemBus: daemon.bus})
	state := m.observe(host, hosts.Query{}).FirewallState
	if want := []string{"zone public, services: ssh"}; !slices.Equal(state.Unloaded, want) || len(state.Unsaved) > 0 {
		t.Errorf("unloaded: %q, want %q; unsaved: %q", state.Unloaded, want, state.Unsaved)
	}
	m.once(host, openings("internal"), hosts.Changed)
	zone := daemon.running["internal"]
	zone.Services, zone.Rules = nil, nil
	daemon.running["internal"] = zone
	if got := m.observe(host, hosts.Query{}).FirewallState.Unloaded; slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "slipway") }) {
		t.Errorf("what is Slipway's own is unloaded: %q", got)
	}
}

// removes is what somebody else removes.
func (m *machine) removes(path string) {
	m.t.Helper()
	if err := os.Remove(m.at(path)); err != nil {
		m.t.Fatal(err)
	}
}

// TestAZoneThatItsUserRemoved is only missing: another one is opened in its place, and a reset has nothing to close in it.
func TestAZoneThatItsUserRemoved(t *testing.T) {
	m := firewalldMachine(t)
	daemon := newFakeFirewalld(m)
	host := m.open(local.Options{SystemBus: daemon.bus})
	m.do(host, openings("internal"))
	m.removes(internalFile)
	daemon.running = daemon.files()
	if state := m.observe(host, hosts.Query{}).FirewallState; state.Problem != "" || !slices.Contains(state.Missing, "zone internal is not there") {
		t.Errorf("seen: %+v", state)
	}
	if err := m.fails(host, openings("internal")); !strings.Contains(err.Error(), "no file of the zone internal") || !strings.Contains(err.Fix, "--get-active-zones") {
		t.Errorf("it fails with %v", err)
	}
	m.once(host, openings("public"), hosts.Changed)
	m.removes(publicFile)
	m.removes("/usr/lib/firewalld/zones/public.xml")
	daemon.running = daemon.files()
	m.once(host, hosts.Restore{Setting: "firewall/firewalld"}, hosts.Changed)
	if m.has(kubeletFile) {
		t.Errorf("%s is left", kubeletFile)
	}
}

// TestAServiceOfSomebodyElseStays: names are all that tells whose a file is, and the record.
func TestAServiceOfSomebodyElseStays(t *testing.T) {
	m := firewalldMachine(t)
	m.write(kubeletFile, "<service/>")
	if err := m.fails(m.host(), openings("internal")); !strings.Contains(err.Error(), kubeletFile) || m.read(internalFile) != ownZone {
		t.Errorf("it fails with %v", err)
	}
}

// TestInterfacesOfOthersZones: what files bind is told, but not Slipway's own.
func TestInterfacesOfOthersZones(t *testing.T) {
	m := firewalldMachine(t)
	m.write("/etc/firewalld/zones/trusted.xml", `<zone target="ACCEPT"><interface name="cni0"/></zone>`)
	m.write("/etc/firewalld/firewalld.conf", "DefaultZone=drop\nFirewallBackend=iptables\nStrictForwardPorts=yes\n")
	host := m.host()
	m.do(host, openings("internal"))
	state := m.observe(host, hosts.Query{}).FirewallState
	if state.Bound["cni0"] != "trusted" || state.Bound["flannel.1"] != "" || state.DefaultZone != "drop" || !state.Flushes || !state.Strict {
		t.Errorf("seen: %+v", state)
	}
}

// TestSourcesOfOthersZones: they count before interfaces. The source of a rule is another thing.
func TestSourcesOfOthersZones(t *testing.T) {
	m := firewalldMachine(t)
	m.write("/usr/lib/firewalld/zones/work.xml", `<zone><source address="10.1.0.0/24"/></zone>`)
	m.write("/etc/firewalld/zones/work.xml", `<zone>
  <source address="10.2.0.0/24"/><source mac="00:11:22:33:44:55"/><source ipset="lan"/>
  <rule family="ipv4"><source address="10.9.0.0/24"/><accept/></rule>
</zone>`)
	want := map[string]string{"10.2.0.0/24": "work", "00:11:22:33:44:55": "work", "ipset:lan": "work"}
	if got := m.observe(m.host(), hosts.Query{}).FirewallState.Sources; !maps.Equal(got, want) {
		t.Errorf("sources: %v, want %v", got, want)
	}
}

// TestZoneWithoutAnEnd is opened too.
func TestZoneWithoutAnEnd(t *testing.T) {
	m := firewalldMachine(t)
	m.write(publicFile, "<zone target=\"DROP\"/>\n")
	host := m.host()
	m.do(host, openings("public"))
	m.observe(host, hosts.Query{})
	m.once(host, hosts.Restore{Setting: "firewall/firewalld"}, hosts.Changed)
	if got := m.read(publicFile); strings.Contains(got, "slipway") {
		t.Errorf("left: %s", got)
	}
}
