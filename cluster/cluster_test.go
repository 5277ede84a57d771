package cluster

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"8760h": 8760 * time.Hour, "90m": 90 * time.Minute, "10s": 10 * time.Second, "1h30m": 90 * time.Minute,
		"1.5h": 90 * time.Minute, "100ms": 100 * time.Millisecond, "0s": 0, "1h0m1s": time.Hour + time.Second,
	} {
		var d Duration
		if err := json.Unmarshal([]byte(`"`+text+`"`), &d); err != nil || time.Duration(d) != want {
			t.Errorf("%s: read as %s, %v", text, d, err)
		}
	}
	for d, want := range map[time.Duration]string{
		8760 * time.Hour: "8760h", 90 * time.Minute: "1h30m", 10 * time.Second: "10s", 0: "0s", 70 * time.Second: "1m10s",
		10 * time.Hour: "10h", 10 * time.Minute: "10m", time.Hour + time.Second: "1h0m1s", 100 * time.Millisecond: "100ms",
	} {
		if got := Duration(d).String(); got != want {
			t.Errorf("%s is written as %s, want %s", d, got, want)
		}
	}
	for _, text := range []string{`"1y"`, `10`, `""`, `null1`, `{}`} {
		var d Duration
		if err := json.Unmarshal([]byte(text), &d); err == nil {
			t.Errorf("%s was read as %s", text, d)
		}
	}
}

func TestDefaultsKeepWhatTheFileSays(t *testing.T) {
	c := load(t, full)
	before, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	Defaults(c)
	after, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(before), string(after)); diff != "" {
		t.Errorf("completing a complete file changed it:\n%s", diff)
	}
	if c.Endpoint.Host != "api.example.com" || c.Hosts[0].SSH.User != "root" || c.Hosts[1].SSH.User != "admin" || c.Hosts[1].SSH.Port != 22 {
		t.Errorf("the file's own words were lost: %+v", c)
	}
}

func TestServiceAddresses(t *testing.T) {
	for subnet, want := range map[string][2]string{
		"10.96.0.0/12":   {"10.96.0.1", "10.96.0.10"},
		"192.168.0.0/28": {"192.168.0.1", "192.168.0.10"},
		"fd00::/112":     {"fd00::1", "fd00::a"},
	} {
		n := Networking{ServiceSubnets: []string{subnet}}
		if got := n.APIServerAddresses(); len(got) != 1 || got[0].String() != want[0] {
			t.Errorf("%s: the API server's is %v, want %s", subnet, got, want[0])
		}
		if got := n.DNSAddresses(); len(got) != 1 || got[0].String() != want[1] {
			t.Errorf("%s: the DNS's is %v, want %s", subnet, got, want[1])
		}
	}
	if got := (Networking{ServiceSubnets: []string{"10.0.0.0/29", "nonsense"}}).DNSAddresses(); len(got) != 0 {
		t.Errorf("a subnet of eight has a tenth address: %v", got)
	}
}

func TestNodeLabelsAndTaints(t *testing.T) {
	own := Taint{Key: "gpu", Effect: EffectNoExecute}
	controlPlane := Taint{Key: TaintControlPlane, Effect: EffectNoSchedule}
	tests := map[string]struct {
		host   Host
		labels int
		taints []Taint
	}{
		"control plane":              {Host{Roles: []Role{RoleControlPlane}}, 2, []Taint{controlPlane}},
		"control plane with its own": {Host{Roles: []Role{RoleControlPlane}, Taints: []Taint{own}, Labels: map[string]string{"a": "b"}}, 3, []Taint{controlPlane, own}},
		"said in the file as well":   {Host{Roles: []Role{RoleControlPlane}, Taints: []Taint{own, controlPlane}}, 2, []Taint{controlPlane, own}},
		"both roles":                 {Host{Roles: []Role{RoleControlPlane, RoleWorker}}, 2, nil},
		"worker":                     {Host{Roles: []Role{RoleWorker}, Taints: []Taint{own}}, 0, []Taint{own}},
	}
	for name, test := range tests {
		if got := test.host.NodeLabels(); len(got) != test.labels {
			t.Errorf("%s: labels %v", name, got)
		}
		if diff := cmp.Diff(test.taints, test.host.NodeTaints()); diff != "" {
			t.Errorf("%s: taints (-want +got):\n%s", name, diff)
		}
	}
}

func TestMapFilesReachesEveryFile(t *testing.T) {
	c := load(t, full)
	c.Etcd.External = load(t, outside).Etcd.External
	c.MapFiles(func(name string) string { return "/there/" + name })
	got := []string{c.SSH.IdentityFile, c.SSH.KnownHostsFile, c.Hosts[0].SSH.IdentityFile, c.Hosts[1].SSH.KnownHostsFile,
		c.Registries[0].CAFile, c.Registries[2].CAFile, c.Registries[2].CredentialsFile,
		c.Etcd.External.CAFile, c.Etcd.External.CertFile, c.Etcd.External.KeyFile,
		c.Bundle.TrustedKeyFiles[0], c.Bundle.TrustedKeyFiles[1]}
	want := []string{"/there/~/.ssh/id", "/there/known_hosts", "/there/~/.ssh/id", "/there/known_hosts", "", "/there/ca.crt", "/there/creds",
		"/there/etcd-ca.crt", "/there/etcd-client.crt", "/there/etcd-client.key", "/there/release.pub", "/there/own.pub"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestNearest(t *testing.T) {
	known := []string{"address", "addresses", "name", "roles", "podSubnets", "serviceSubnets"}
	for name, want := range map[string]string{
		"adress": "address", "Address": "address", "nmae": "name", "podsubnets": "podSubnets", "role": "roles",
		"podSubnet": "podSubnets", "frobnicate": "", "": "", "x": "",
	} {
		if got := nearest(name, known); got != want {
			t.Errorf("%q: meant %q, want %q", name, got, want)
		}
	}
}
