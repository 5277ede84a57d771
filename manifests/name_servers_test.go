package manifests

import (
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
)

// TestCoreDNSForwardsOnlyWhereThereIsSomebodyToAsk: with a resolv.conf that names nobody it
// would not start.
func TestCoreDNSForwardsOnlyWhereThereIsSomebodyToAsk(t *testing.T) {
	for name, test := range map[string]struct {
		servers []string
		want    bool
	}{
		"a server":               {[]string{"192.0.2.53"}, true},
		"a server of version 6":  {[]string{"2001:db8::53"}, true},
		"a router's link-local":  {[]string{"fe80::1%eth0"}, false},
		"a cloud's link-local":   {[]string{"169.254.169.253"}, true},
		"none":                   {nil, false},
		"the host's own":         {[]string{"127.0.0.53", "::1"}, false},
		"the host's and another": {[]string{"127.0.0.1", "192.0.2.53"}, true},
	} {
		facts := modern()
		facts.NameServers = test.servers
		in := input(t, one(), facts)
		corefile := data(t, in, "coredns", "Corefile")
		if got := strings.Contains(corefile, "forward . /etc/resolv.conf"); got != test.want || !strings.Contains(corefile, "kubernetes cluster.local") {
			t.Errorf("%s: forwards %v, want %v:\n%s", name, got, test.want, corefile)
		}
	}
}

// TestKubeletReadsNoResolvConfWhereThereIsNone: it starts no Pod with a file that is not there.
func TestKubeletReadsNoResolvConfWhereThereIsNone(t *testing.T) {
	for resolver, want := range map[string]string{
		"": `resolvConf: ""`, "/etc/resolv.conf": "", "/run/systemd/resolve/resolv.conf": "resolvConf: /run/systemd/resolve/resolv.conf",
	} {
		facts := modern()
		facts.Resolver = resolver
		config := string(render(t, input(t, one(), facts), "cp-1").file(t, KubeletConfig).Content)
		if want == "" && strings.Contains(config, "resolvConf") || !strings.Contains(config, want) {
			t.Errorf("resolver %q: %s", resolver, config)
		}
	}
}

func TestResolverIsTheUsersWhereOneIsSaid(t *testing.T) {
	c := one()
	c.Kubelet = map[string]any{"resolvConf": "/etc/pods.conf"}
	facts := hosts.Facts{Resolver: ResolvConf, Contents: map[string][]byte{"/etc/pods.conf": []byte("# mine\nnameserver\t192.0.2.5 \noptions x\n")}}
	if path, servers := Resolver(c, facts); path != "/etc/pods.conf" || len(servers) != 1 || servers[0] != "192.0.2.5" {
		t.Errorf("got %s, %q", path, servers)
	}
}
