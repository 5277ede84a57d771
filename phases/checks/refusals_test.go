package checks

import (
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/view"
)

// TestRulesBeforeSlipwaysAreTold: those that keep out what it opens are, and no plan mends what they stop.
func TestRulesBeforeSlipwaysAreTold(t *testing.T) {
	refuses := func(rule hosts.PacketRule) hosts.InRule {
		return hosts.InRule{PacketRule: rule, Refuses: true, Text: "no"}
	}
	allows := func(rule hosts.PacketRule) hosts.InRule { return hosts.InRule{PacketRule: rule} }
	zoned := func(rule hosts.InRule, zone string) hosts.InRule { rule.Zone = zone; return rule }
	unsure := func(rule hosts.InRule) hosts.InRule { rule.Unsure = true; return rule }
	kubelet := hosts.PacketRule{Protocol: "tcp", Ports: "10250"}
	from := func(rule hosts.PacketRule, place string) hosts.PacketRule { rule.From = place; return rule }
	on := func(rule hosts.PacketRule, link string) hosts.PacketRule { rule.Link = link; return rule }
	for name, test := range map[string]struct {
		rules  []hosts.InRule
		told   string // a part of what is told; empty: nothing is
		passes bool   // what does not pass to the kubelet is the plan's to open
	}{
		"no rule":                {nil, "", true},
		"the port":               {[]hosts.InRule{refuses(kubelet)}, "keeps out TCP port 10250 (the kubelet's API: logs, exec, port-forward), TCP port 10250 (the kubelet's API, for metrics) from cp-1", false},
		"all of a neighbour":     {[]hosts.InRule{refuses(hosts.PacketRule{From: "10.0.0.1"})}, "UDP port 8472", false},
		"a part of NodePorts":    {[]hosts.InRule{refuses(hosts.PacketRule{Ports: "22,32000:33000"})}, "TCP port 30000-32767 (Services of type NodePort), UDP port 30000-32767", true},
		"another protocol":       {[]hosts.InRule{refuses(hosts.PacketRule{Protocol: "udp", Ports: "10250"})}, "", true},
		"another port":           {[]hosts.InRule{refuses(hosts.PacketRule{Protocol: "tcp", Ports: "22"})}, "", true},
		"a stranger":             {[]hosts.InRule{refuses(from(kubelet, "192.0.2.7"))}, "", true},
		"the other family":       {[]hosts.InRule{refuses(from(kubelet, "::/0"))}, "", true},
		"all but a network":      {[]hosts.InRule{refuses(from(kubelet, "!10.0.0.0/24"))}, "", true},
		"all but another":        {[]hosts.InRule{refuses(from(kubelet, "!10.9.0.0/24"))}, "keeps out TCP port 10250", false},
		"by its interface":       {[]hosts.InRule{refuses(on(kubelet, "eth0"))}, "keeps out TCP port 10250", false},
		"by another interface":   {[]hosts.InRule{refuses(on(kubelet, "eth1"))}, "", true},
		"it is let in before":    {[]hosts.InRule{allows(from(kubelet, "10.0.0.0/24")), refuses(kubelet)}, "", true},
		"another is let in":      {[]hosts.InRule{allows(from(kubelet, "10.0.0.9")), refuses(kubelet)}, "keeps out TCP port 10250", false},
		"all NodePorts let in":   {[]hosts.InRule{allows(hosts.PacketRule{Ports: "30000:32767"}), refuses(hosts.PacketRule{Ports: "32000"})}, "", true},
		"some NodePorts let in":  {[]hosts.InRule{allows(hosts.PacketRule{Ports: "31000"}), refuses(hosts.PacketRule{Ports: "32000"})}, "TCP port 30000-32767", true},
		"in its zone":            {[]hosts.InRule{zoned(refuses(kubelet), "internal")}, "keeps out TCP port 10250", false},
		"in another zone":        {[]hosts.InRule{zoned(refuses(kubelet), "public")}, "", true},
		"who is not known":       {[]hosts.InRule{zoned(unsure(refuses(kubelet)), "internal")}, "cannot be told", true},
		"who is not known first": {[]hosts.InRule{zoned(unsure(allows(kubelet)), "internal"), zoned(refuses(kubelet), "internal")}, "keeps out TCP port 10250", false},
	} {
		t.Run(name, func(t *testing.T) {
			v := triedView(true, way(0, 1, "tcp", 10250, hosts.Silent))
			kind, check := hosts.UFW, "Ufw"
			facts := v.Facts["w-1"]
			if len(test.rules) > 0 && test.rules[0].Zone != "" {
				kind, check = hosts.Firewalld, "Firewalld"
				facts.FirewallState = hosts.FirewallState{Version: "1.3.4", DefaultZone: "public", Sources: map[string]string{"10.0.0.0/24": "internal", "10.0.0.0/8": "public"}}
			}
			facts.Firewall, facts.FirewallState.Rules = kind, test.rules
			v.Facts["w-1"] = facts
			found := Some(view.Init, v, check)
			if (len(found) == 1) != (test.told != "") || len(found) > 1 || len(found) == 1 && (found[0].Severity != Warning || !strings.Contains(found[0].Seen, test.told)) {
				t.Errorf("told: %v", found)
			}
			broken := brokenTraffic(v)
			if len(broken) != 1 || (broken[0].Severity == Warning) != test.passes || strings.Contains(broken[0].Seen, "keeps this out by `no`") == test.passes {
				t.Errorf("of what does not pass: %v", broken)
			}
		})
	}
}

// TestARuleIsTakenAwayAsItIsWritten where it stands.
func TestARuleIsTakenAwayAsItIsWritten(t *testing.T) {
	rule := hosts.InRule{Zone: "internal", Text: `rule family="ipv4" port port="10250" protocol="tcp" drop`}
	for kind, want := range map[string]string{
		hosts.Firewalld: `firewall-cmd --permanent --zone=internal --remove-rich-rule='rule family="ipv4" port port="10250" protocol="tcp" drop' && firewall-cmd --reload`,
		hosts.UFW:       "ufw status numbered, then ufw delete with its number",
	} {
		if fix := withoutRule(kind, rule); !strings.HasSuffix(fix, ": "+want) {
			t.Errorf("%s: %s", kind, fix)
		}
	}
}
