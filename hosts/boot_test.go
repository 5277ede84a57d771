package hosts

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBootSysctls(t *testing.T) {
	const forward, call = "net.ipv4.ip_forward", "net.bridge.bridge-nf-call-iptables"
	ours := ConfigFile{"/etc/sysctl.d/99-slipway.conf", []byte("# ours\nnet.ipv4.ip_forward = 1\n")}
	file := func(content string) ConfigFile { return ConfigFile{"later", []byte(content)} }
	for name, test := range map[string]struct {
		files []ConfigFile
		want  map[string]BootSetting
	}{
		"ours alone":      {[]ConfigFile{ours}, map[string]BootSetting{forward: {"1", ours.Path}}},
		"a later one":     {[]ConfigFile{ours, file("net.ipv4.ip_forward=0\n")}, map[string]BootSetting{forward: {"0", "later"}}},
		"with slashes":    {[]ConfigFile{ours, file(" net/ipv4/ip_forward\t=  0")}, map[string]BootSetting{forward: {"0", "later"}}},
		"may fail":        {[]ConfigFile{ours, file("-net.ipv4.ip_forward = 0")}, map[string]BootSetting{forward: {"0", "later"}}},
		"a comment":       {[]ConfigFile{ours, file("# net.ipv4.ip_forward=0\n; net.ipv4.ip_forward=0\n")}, map[string]BootSetting{forward: {"1", ours.Path}}},
		"an earlier one":  {[]ConfigFile{file("net.ipv4.ip_forward=0"), ours}, map[string]BootSetting{forward: {"1", ours.Path}}},
		"a pattern alone": {[]ConfigFile{file("net.bridge.bridge-nf-call-* = 0")}, map[string]BootSetting{call: {"0", "later"}}},
		"a pattern late":  {[]ConfigFile{ours, file("net.ipv4.* = 0")}, map[string]BootSetting{forward: {"1", ours.Path}}},
		"others":          {[]ConfigFile{file("net.ipv4.ip_forward_use_pmtu = 1\nkernel.panic=1\nnonsense")}, map[string]BootSetting{}},
	} {
		if diff := cmp.Diff(test.want, BootSysctls(test.files, []string{forward, call})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestBarredModules(t *testing.T) {
	files := []ConfigFile{
		{"a.conf", []byte("# blacklist overlay\nblacklist br-netfilter\nalias x overlay\n")},
		{"b.conf", []byte("install sctp /bin/true\ninstall dccp /sbin/modprobe --ignore-install dccp\nblacklist sctp\n")},
	}
	want := map[string]BarredModule{"br_netfilter": {File: "a.conf"}, "sctp": {File: "b.conf", Always: true}}
	if diff := cmp.Diff(want, BarredModules(files, []string{"overlay", "br_netfilter", "sctp", "dccp"})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWritesHosts(t *testing.T) {
	for content, want := range map[string]string{
		"manage_etc_hosts: true\n":                              "f",
		"users: []\nmanage_etc_hosts: \"template\" # mine\n":    "f",
		"manage_etc_hosts: localhost\n":                         "",
		"manage_etc_hosts: false\n":                             "",
		"#manage_etc_hosts: true\n":                             "",
		"  manage_etc_hosts: true\n":                            "",
		"manage_etc_hosts: true\nmanage_etc_hosts: localhost\n": "",
	} {
		if got := WritesHosts([]ConfigFile{{"f", []byte(content)}}); got != want {
			t.Errorf("%q: %q, want %q", content, got, want)
		}
	}
}
