//go:build linux

package local_test

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/local"
)

// ufwMachine has ufw on, with a program in ufw's place that notes what it is told, or fails.
func ufwMachine(t *testing.T, ends string) (*machine, hosts.Host) {
	m := newMachine(t)
	m.systemd.units["ufw.service"] = local.UnitState{Load: "loaded", Active: "active", Enabled: "enabled"}
	m.write("/etc/ufw/ufw.conf", "ENABLED=yes\n")
	m.write("/etc/default/ufw", "IPV6=yes\n")
	m.put("/usr/sbin/ufw", "#!/bin/sh\necho \"$@\" >> "+m.at("/said")+"\n"+ends+"\n", 0o755)
	return m, m.open(local.Options{Programs: m.at("/usr/sbin")})
}

// rule is how ufw keeps a rule.
func rule(tuple, comment string) string {
	if comment != "" {
		comment = " comment=" + hex.EncodeToString([]byte(comment))
	}
	return "\n### tuple ### " + tuple + comment + "\n-A ufw-user-input -j ACCEPT\n"
}

var ufwOpenings = hosts.OpenFirewall{
	Kind: hosts.UFW,
	Openings: []hosts.Opening{
		{Name: "slipway-kubelet", Ports: []string{"10250/tcp"}, From: []string{"10.0.0.0/24", "2001:db8::/64"}, Why: "the kubelet's API"},
		{Name: "slipway-node-ports", Ports: []string{"30000-32767/udp"}, Why: "Services"},
		{Name: "slipway-vrrp", Ports: []string{"vrrp"}, From: []string{"10.0.0.2"}, Why: "adverts"},
	},
	Pods: []string{"cni0"}, IntoPods: true,
}

// TestUfwIsToldWhatIsMissing: one command for each rule that is not there yet, in ufw's own words.
func TestUfwIsToldWhatIsMissing(t *testing.T) {
	m, host := ufwMachine(t, "")
	m.write("/usr/lib/python3/dist-packages/ufw/util.py", "supported_protocols = [\"tcp\", \"udp\", \"vrrp\"]\n")
	m.write("/etc/ufw/user.rules", "*filter\n"+rule("allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in", "")+
		rule("allow udp 30000:32767 0.0.0.0/0 any 0.0.0.0/0 in", "")+rule("allow any any 0.0.0.0/0 any 0.0.0.0/0 in_cni0", "slipway: from Pods to the host"))
	m.write("/etc/ufw/user6.rules", rule("allow udp 30000:32767 ::/0 any ::/0 in", "")+rule("allow any any ::/0 any ::/0 in_cni0", "slipway: from Pods to the host"))
	m.once(host, ufwOpenings, hosts.Changed)
	want := `allow proto tcp from 10.0.0.0/24 to any port 10250 comment slipway: the kubelets API
allow proto tcp from 2001:db8::/64 to any port 10250 comment slipway: the kubelets API
allow proto vrrp from 10.0.0.2 to any comment slipway: adverts
route allow in on cni0 comment slipway: from Pods to others
route allow out on cni0 comment slipway: from others to Pods
`
	if got := m.read("/said"); got != want {
		t.Errorf("ufw was told\n%swant\n%s", got, want)
	}
}

// allUfwRules are the openings as ufw keeps them.
func allUfwRules() (four, six string) {
	const ours = "slipway: "
	four = rule("allow tcp 10250 0.0.0.0/0 any 10.0.0.0/24 in", ours) + rule("allow udp 30000:32767 0.0.0.0/0 any 0.0.0.0/0 in", "by hand") +
		rule("allow any any 0.0.0.0/0 any 10.0.0.2 in", ours) + rule("allow any any 0.0.0.0/0 any 0.0.0.0/0 in_cni0", ours) +
		rule("route:allow any any 0.0.0.0/0 any 0.0.0.0/0 in_cni0", ours) + rule("route:allow any any 0.0.0.0/0 any 0.0.0.0/0 out_cni0", ours)
	six = rule("allow tcp 10250 ::/0 any 2001:db8::/64 in", ours) + rule("allow udp 30000:32767 ::/0 any ::/0 in", "by hand") +
		rule("allow any any ::/0 any ::/0 in_cni0", ours) + rule("route:allow any any ::/0 any ::/0 in_cni0", ours) + rule("route:allow any any ::/0 any ::/0 out_cni0", ours)
	return four, six
}

// TestUfwsRulesThatAreThereStay, and a reset takes away those alone that Slipway has added: what somebody
// else has allowed before stays open.
func TestUfwsRulesThatAreThereStay(t *testing.T) {
	m, host := ufwMachine(t, "")
	m.once(host, ufwOpenings, hosts.Changed)
	four, six := allUfwRules()
	m.write("/etc/ufw/user.rules", four)
	m.write("/etc/ufw/user6.rules", six)
	m.once(host, ufwOpenings, hosts.Unchanged)
	if state := m.observe(host, hosts.Query{}).FirewallState; state.Opened == nil || len(state.Missing) > 0 {
		t.Errorf("seen: %+v", state)
	}
	m.write("/said", "")
	less := ufwOpenings
	less.Openings = less.Openings[:2]
	m.once(host, less, hosts.Changed)
	if got := m.read("/said"); got != "delete allow from 10.0.0.2 to any\n" {
		t.Errorf("ufw was told\n%s", got)
	}
	m.write("/said", "")
	m.once(host, hosts.Restore{Setting: "firewall/ufw"}, hosts.Changed)
	want := []string{
		"delete allow proto tcp from 10.0.0.0/24 to any port 10250", "delete allow from 10.0.0.2 to any",
		"delete allow in on cni0", "route delete allow in on cni0", "route delete allow out on cni0",
		"delete allow proto tcp from 2001:db8::/64 to any port 10250", "",
	}
	if got := strings.Split(m.read("/said"), "\n"); !slices.Equal(got, want) {
		t.Errorf("ufw was told %q, want %q", got, want)
	}
}

// TestWhatAnOlderUfwWasToldIsClosed: it had no word for VRRP, and let another balancer's address in for all protocols. The
// next ufw has one. What somebody else's hand has made of a rule of Slipway's stays.
func TestWhatAnOlderUfwWasToldIsClosed(t *testing.T) {
	m, host := ufwMachine(t, "")
	only := hosts.OpenFirewall{Kind: hosts.UFW, Openings: ufwOpenings.Openings[2:]}
	m.once(host, only, hosts.Changed)
	m.write("/etc/ufw/user.rules", rule("allow any any 0.0.0.0/0 any 10.0.0.2 in", "slipway: adverts")+
		rule("deny tcp 23 0.0.0.0/0 any 0.0.0.0/0 in", "slipway: no, ours")+rule("allow any any 0.0.0.0/0 any 10.0.0.3 in", "balancers"))
	m.once(host, only, hosts.Unchanged)
	m.write("/said", "")
	m.write("/usr/lib/python3/dist-packages/ufw/util.py", "supported_protocols = [\"tcp\", \"udp\", \"vrrp\"]\n")
	m.once(host, only, hosts.Changed)
	if got, want := m.read("/said"), "allow proto vrrp from 10.0.0.2 to any comment slipway: adverts\ndelete allow from 10.0.0.2 to any\n"; got != want {
		t.Errorf("ufw was told\n%swant\n%s", got, want)
	}
	m.write("/said", "")
	m.once(host, hosts.Restore{Setting: "firewall/ufw"}, hosts.Changed)
	if got := m.read("/said"); got != "delete allow from 10.0.0.2 to any\n" {
		t.Errorf("ufw was told\n%s", got)
	}
}

// TestUfwsRulesAreReadUpToTheLastRefusal, of both families and in their order: what comes in, and from any port.
func TestUfwsRulesAreReadUpToTheLastRefusal(t *testing.T) {
	m, host := ufwMachine(t, "")
	const all, six = "0.0.0.0/0", "::/0"
	m.write("/etc/ufw/user.rules", rule("allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in", "")+rule("deny_log tcp 10250 0.0.0.0/0 any 10.0.0.0/24 in_eth0", "mine")+
		rule("deny any any 0.0.0.0/0 any 0.0.0.0/0 out", "")+rule("route:deny any any 0.0.0.0/0 any 0.0.0.0/0 in", "")+rule("deny tcp any 0.0.0.0/0 53 0.0.0.0/0 in", "")+
		rule("limit any 6443 0.0.0.0/0 any 0.0.0.0/0 API - in", "")+rule("allow tcp 10250 0.0.0.0/0 any 10.0.0.0/24 in", "slipway: the kubelet"))
	m.write("/etc/ufw/user6.rules", rule("reject tcp 2379,2380 ::/0 any ::/0 in", "")+rule("allow tcp 22 ::/0 any ::/0 in", ""))
	want := []hosts.InRule{
		{PacketRule: hosts.PacketRule{Protocol: "tcp", Ports: "22", To: all, From: all}, Text: "allow in proto tcp from any to any port 22"},
		{PacketRule: hosts.PacketRule{Protocol: "tcp", Ports: "10250", To: all, From: "10.0.0.0/24", Link: "eth0"}, Refuses: true, Text: "deny in on eth0 proto tcp from 10.0.0.0/24 to any port 10250"},
		{PacketRule: hosts.PacketRule{Ports: "6443", To: all, From: all}, Refuses: true, Text: "limit in from any to any port 6443"},
		{PacketRule: hosts.PacketRule{Protocol: "tcp", Ports: "10250", To: all, From: "10.0.0.0/24"}, Text: "allow in proto tcp from 10.0.0.0/24 to any port 10250"},
		{PacketRule: hosts.PacketRule{Protocol: "tcp", Ports: "2379,2380", To: six, From: six}, Refuses: true, Text: "reject in proto tcp from any to any port 2379,2380"},
	}
	if got := m.observe(host, hosts.Query{}).FirewallState.Rules; !slices.Equal(got, want) {
		t.Errorf("read %+v\nwant %+v", got, want)
	}
	m.write("/etc/default/ufw", "IPV6=no\n")
	if got := m.observe(host, hosts.Query{}).FirewallState.Rules; !slices.Equal(got, want[:3]) {
		t.Errorf("without IPv6: %+v", got)
	}
}

// TestUfwThatFails says what it was told, and what it answered; the next run goes on.
func TestUfwThatFails(t *testing.T) {
	m, host := ufwMachine(t, "echo 'ERROR: problem running' >&2; exit 1")
	err := m.fails(host, ufwOpenings)
	for _, want := range []string{"open ufw", "allow proto tcp from 10.0.0.0/24", "problem running"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("it fails with %v, without %q", err, want)
		}
	}
	if state := m.observe(host, hosts.Query{}).FirewallState; len(state.Missing) == 0 {
		t.Errorf("seen: %+v", state)
	}
}

// TestAUfwThatIsGoneIsClosedInItsFiles: they outlive its package, and would open it all again with the next one.
func TestAUfwThatIsGoneIsClosedInItsFiles(t *testing.T) {
	m, host := ufwMachine(t, "")
	m.once(host, ufwOpenings, hosts.Changed)
	const head, foot = "*filter\n### RULES ###\n", "\n### END RULES ###\nCOMMIT\n"
	own := rule("allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in", "")
	byHand := rule("allow udp 30000:32767 0.0.0.0/0 any 0.0.0.0/0 in", "by hand")
	four, _ := allUfwRules()
	m.write("/etc/ufw/user.rules", head+own+strings.Replace(four, "ACCEPT\n", "ACCEPT\n-A ufw-user-input -j RETURN\n", 1)+foot)
	m.removes("/usr/sbin/ufw")
	m.once(host, hosts.Restore{Setting: "firewall/ufw"}, hosts.Changed)
	if got, want := m.read("/etc/ufw/user.rules"), head+own+byHand+foot; got != want {
		t.Errorf("ufw's file is\n%s\nwant\n%s", got, want)
	}
	if priors := m.record(host).Priors; len(priors) > 0 {
		t.Errorf("the record has %v", priors)
	}
}

// TestRulesOfAnIPv6ThatIsOffAreClosedInTheirFile: ufw refuses to touch them, and they are in force again when it is on.
func TestRulesOfAnIPv6ThatIsOffAreClosedInTheirFile(t *testing.T) {
	m, host := ufwMachine(t, "")
	m.once(host, ufwOpenings, hosts.Changed)
	own := rule("allow tcp 22 ::/0 any ::/0 in", "")
	_, six := allUfwRules()
	m.write("/etc/ufw/user6.rules", own+six)
	m.write("/etc/default/ufw", "IPV6=no\n")
	m.write("/said", "")
	m.once(host, hosts.Restore{Setting: "firewall/ufw"}, hosts.Changed)
	if got, want := m.read("/etc/ufw/user6.rules"), own+rule("allow udp 30000:32767 ::/0 any ::/0 in", "by hand"); got != want {
		t.Errorf("ufw's file is\n%s\nwant\n%s", got, want)
	}
	if said := m.read("/said"); said != "" {
		t.Errorf("ufw was told\n%s", said)
	}
}

// TestUfwWithoutIPv6 is told nothing of it: it would refuse.
func TestUfwWithoutIPv6(t *testing.T) {
	m, host := ufwMachine(t, "")
	m.write("/etc/default/ufw", "IPV6=no\n")
	m.once(host, ufwOpenings, hosts.Changed)
	if said := m.read("/said"); strings.Contains(said, "2001:") {
		t.Errorf("ufw was told\n%s", said)
	}
	four, _ := allUfwRules()
	m.write("/etc/ufw/user.rules", four)
	m.once(host, ufwOpenings, hosts.Unchanged)
}
