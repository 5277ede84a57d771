package e2e

import (
	"strings"
	"testing"
)

// TestFirewallsStayOn: a cluster comes up between a host with firewalld and one with ufw, works after both have
// been reloaded and started anew, and a reset leaves their files and what is in force as they were.
func TestFirewallsStayOn(t *testing.T) {
	l := newLab(t, "--control-planes", "1", "--workers", "1", "--packages", "firewalld,ufw")
	l.exec("cp-1", "systemctl", "enable", "--now", "firewalld")
	l.exec("cp-1", "firewall-cmd", "--permanent", "--add-service=http")
	l.exec("cp-1", "firewall-cmd", "--reload")
	l.exec("worker-1", "systemctl", "enable", "--now", "ufw")
	l.exec("worker-1", "ufw", "allow", "22/tcp")
	l.exec("worker-1", "ufw", "--force", "enable")
	l.exec("worker-1", "ufw", "reload") // which adds rules of its own that enable does not
	before := l.firewalls()
	promises(t, l, nil, []promise{
		{"the ports of a role are open by name, and nothing else", opensByName},
		{"the cluster works through firewalls that were reloaded and restarted", worksAfterReload},
		{"what somebody takes away comes back", firewallIsMended},
		{"an unsaved setting of firewalld is not lost", unsavedIsKept},
		{"a reset leaves the firewalls as they were", func(t *testing.T, l *lab) {
			l.must(l.onCluster("reset", "--all", "--yes")...)
			for host, was := range before {
				if is := l.firewalls()[host]; is != was {
					t.Errorf("the firewall of %s was\n%s\nand is\n%s", host, was, is)
				}
			}
		}},
	})
}

// firewalls are what the hosts' firewalls have in files and in force.
func (l *lab) firewalls() map[string]string {
	return map[string]string{
		"cp-1":     l.exec("cp-1", "sh", "-c", `find /etc/firewalld -type f | sort | xargs sha256sum; nft -s list table inet firewalld; firewall-cmd --list-all-zones`),
		"worker-1": l.exec("worker-1", "sh", "-c", `find /etc/ufw -type f | sort | xargs sha256sum; { iptables-save -t filter; ip6tables-save -t filter; } | sed 's/ \[.*//' | grep -v '^#'; ufw status verbose`),
	}
}

func opensByName(t *testing.T, l *lab) {
	l.init()
	wantWords(t, l.exec("cp-1", "firewall-cmd", "--zone=public", "--list-services"), "dhcpv6-client", "http", "slipway-api", "slipway-node-ports", "ssh")
	wantWords(t, l.exec("cp-1", "firewall-cmd", "--zone=slipway-pods", "--list-interfaces"), "cni0", "flannel.1")
	rules := l.exec("cp-1", "firewall-cmd", "--zone=public", "--list-rich-rules")
	for _, want := range []string{"slipway-kubelet", "slipway-vxlan"} {
		if !strings.Contains(rules, want) {
			t.Errorf("no rule of firewalld for %s:\n%s", want, rules)
		}
	}
	rules = l.exec("worker-1", "ufw", "show", "added")
	for _, want := range []string{"port 10250 proto tcp", "port 8472 proto udp", "30000:32767/tcp", "allow in on cni0", "route allow in on flannel.1"} {
		if !strings.Contains(rules, want) {
			t.Errorf("no rule of ufw for %s:\n%s", want, rules)
		}
	}
	if strings.Contains(rules, "6443") {
		t.Errorf("a worker lets in what is for an API server:\n%s", rules)
	}
	l.planIsEmpty()
}

func wantWords(t *testing.T, got string, want ...string) {
	t.Helper()
	if strings.Join(strings.Fields(got), " ") != strings.Join(want, " ") {
		t.Errorf("got %q, want %q", got, want)
	}
}

func worksAfterReload(_ *testing.T, l *lab) {
	l.exec("cp-1", "firewall-cmd", "--reload")
	l.exec("cp-1", "systemctl", "restart", "firewalld")
	l.exec("worker-1", "ufw", "reload")
	l.exec("worker-1", "ufw", "disable")
	l.exec("worker-1", "ufw", "--force", "enable")
	l.exec("worker-1", "systemctl", "restart", "ufw")
	l.must(l.onCluster("smoke")...)
	l.planIsEmpty()
}

func firewallIsMended(t *testing.T, l *lab) {
	l.exec("cp-1", "firewall-cmd", "--zone=public", "--remove-service=slipway-api")
	l.exec("worker-1", "ufw", "delete", "allow", "in", "on", "cni0")
	var ids []string
	for _, step := range l.planned() {
		ids = append(ids, step.ID)
	}
	wantWords(t, strings.Join(ids, " "), "cp-1/prepare/firewall", "worker-1/prepare/firewall")
	l.init()
	l.planIsEmpty()
}

func unsavedIsKept(_ *testing.T, l *lab) {
	l.exec("cp-1", "firewall-cmd", "--zone=public", "--remove-service=slipway-api")
	l.exec("cp-1", "firewall-cmd", "--add-port=9999/tcp")
	l.wantCode(4, "9999", l.withBundle("init", "--yes")...)
	l.exec("cp-1", "firewall-cmd", "--remove-port=9999/tcp")
	l.init()
}
