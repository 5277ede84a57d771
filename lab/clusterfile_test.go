package lab

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
)

func tryRecord(t *testing.T, counts Counts) *record {
	t.Helper()
	r := &record{Name: "try", Subnet: netip.MustParsePrefix(DefaultSubnet)}
	if err := r.grow(Options{Counts: counts}); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestNewClusterFile(t *testing.T) {
	l := &Lab{name: "try", dir: "/labs/try"}
	got, err := l.render(tryRecord(t, Counts{ControlPlanes: 1, Workers: 1, Spares: 2}), "/opt/slip way", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	const want = `apiVersion: slipway.dev/v1alpha1
kind: Cluster
name: try
ssh:
  user: root
  identityFile: /labs/try/id_ed25519
  knownHostsFile: /labs/try/known_hosts
  proxyCommand: '''/opt/slip way'' lab dial --dir /labs --name try %h %p'
hosts:
  - name: cp-1
    address: 10.80.0.11
    roles: [control-plane]
  - name: worker-1
    address: 10.80.0.21
    roles: [worker]
`
	if string(got) != want+sharedDisk {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestClusterFileIsOne lets those judge who read it.
func TestClusterFileIsOne(t *testing.T) {
	const virtual = "10.80.0.100"
	three := Counts{ControlPlanes: 3, Workers: 2, Spares: 1}
	balanced := three
	balanced.LoadBalancers = 2
	for name, test := range map[string]struct {
		counts   Counts
		asked    string
		want     cluster.Endpoint
		balancer int // hosts of that role
	}{
		"one control plane":            {Counts{ControlPlanes: 1, Workers: 2}, "", cluster.Endpoint{Mode: cluster.EndpointControlPlane, Host: "10.80.0.11", Port: 6443}, 0},
		"one that is to grow":          {Counts{ControlPlanes: 1}, "vip", cluster.Endpoint{Mode: cluster.EndpointVIP, Host: virtual, Address: virtual, Port: 16443}, 0},
		"several control planes":       {three, "", cluster.Endpoint{Mode: cluster.EndpointVIP, Host: virtual, Address: virtual, Port: 16443}, 0},
		"load balancers":               {balanced, "", cluster.Endpoint{Mode: cluster.EndpointLoadBalancers, Host: virtual, Address: virtual, Port: 16443}, 2},
		"load balancers, asked for":    {balanced, "loadBalancers", cluster.Endpoint{Mode: cluster.EndpointLoadBalancers, Host: virtual, Address: virtual, Port: 16443}, 2},
		"load balancers that are none": {balanced, "vip", cluster.Endpoint{Mode: cluster.EndpointVIP, Host: virtual, Address: virtual, Port: 16443}, 0},
		"local":                        {three, "local", cluster.Endpoint{Mode: cluster.EndpointLocal, Host: "api.try.internal", Port: 16443}, 0},
		"external":                     {balanced, "external", cluster.Endpoint{Mode: cluster.EndpointExternal, Host: "10.80.0.201", Port: 6443}, 0},
		"control plane, asked for":     {Counts{ControlPlanes: 1}, "controlPlane", cluster.Endpoint{Mode: cluster.EndpointControlPlane, Host: "10.80.0.11", Port: 6443}, 0},
	} {
		l := &Lab{name: "try", dir: "/labs/try"}
		data, err := l.render(tryRecord(t, test.counts), "slipway", test.asked, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		c, err := cluster.Load(data)
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, data)
			continue
		}
		if c.Endpoint != test.want {
			t.Errorf("%s: the endpoint is %+v, want %+v", name, c.Endpoint, test.want)
		}
		if nodes := test.counts.ControlPlanes + test.counts.Workers; len(c.ControlPlanes()) != test.counts.ControlPlanes || len(c.Nodes()) != nodes || len(c.Hosts)-nodes != test.balancer {
			t.Errorf("%s: %d control planes, %d nodes and %d hosts are read out of\n%s", name, len(c.ControlPlanes()), len(c.Nodes()), len(c.Hosts), data)
		}
	}
}

func TestEndpointsThatCannotBe(t *testing.T) {
	for says, test := range map[string]struct {
		counts Counts
		asked  string
		file   string
	}{
		"loadBalancers needs load balancers":                    {Counts{ControlPlanes: 3}, "loadBalancers", ""},
		"external needs a load balancer":                        {Counts{ControlPlanes: 3}, "external", ""},
		"controlPlane is for one control plane, and the lab ha": {Counts{ControlPlanes: 3}, "controlPlane", ""},
		`"haproxy" is not one of vip, loadBalancers`:            {Counts{ControlPlanes: 3}, "haproxy", ""},
		`its endpoint.mode is "local", and adding hosts does`:   {Counts{ControlPlanes: 3}, "vip", grown},
		"another cluster": {Counts{ControlPlanes: 3}, "vip", strings.Replace(grown, "name: try", "name: production", 1)},
	} {
		var existing []byte
		if test.file != "" {
			existing = []byte(test.file)
		}
		err := tryRecord(t, test.counts).checkEndpoint(test.asked, existing)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s of %+v: got %v, want %q", test.asked, test.counts, err, says)
		}
	}
	for _, asked := range []string{"", "local"} {
		if err := tryRecord(t, Counts{ControlPlanes: 3}).checkEndpoint(asked, []byte(grown)); err != nil {
			t.Errorf("%q where the file has it: %v", asked, err)
		}
	}
}

// grown is a file of the lab's with an endpoint of its own.
const grown = `apiVersion: slipway.dev/v1alpha1
kind: Cluster
name: try
endpoint: {mode: local, port: 7443} # no VRRP here
hosts:
  - name: cp-1
    address: 10.80.0.11
    roles: [control-plane]
`

// More hosts make no other endpoint, and load balancers have no role in this one.
func TestGrownClusterFileKeepsItsEndpoint(t *testing.T) {
	l := &Lab{name: "try", dir: "/labs/try"}
	r := tryRecord(t, Counts{ControlPlanes: 2, LoadBalancers: 1})
	got, err := l.render(r, "slipway", "", []byte(grown))
	if err != nil {
		t.Fatal(err)
	}
	if want := grown + "  - name: cp-2\n    address: 10.80.0.12\n    roles: [control-plane]\n"; string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	balanced := strings.Replace(grown, "mode: local", "mode: loadBalancers", 1)
	if got, err = l.render(r, "slipway", "", []byte(balanced)); err != nil || !strings.Contains(string(got), "- name: lb-1\n    address: 10.80.0.201\n    roles: [load-balancer]\n") {
		t.Errorf("a load balancer is not added to (%v)\n%s", err, got)
	}
}

func TestTheModesAreTheClusterFiles(t *testing.T) {
	want := []cluster.EndpointMode{cluster.EndpointVIP, cluster.EndpointLoadBalancers, cluster.EndpointLocal, cluster.EndpointExternal, cluster.EndpointControlPlane}
	for i, mode := range EndpointModes() {
		if i >= len(want) || cluster.EndpointMode(mode) != want[i] {
			t.Fatalf("modes %v, want %v", EndpointModes(), want)
		}
	}
	for role, want := range map[Role]cluster.Role{RoleControlPlane: cluster.RoleControlPlane, RoleWorker: cluster.RoleWorker, RoleLoadBalancer: cluster.RoleLoadBalancer, RoleSpare: ""} {
		if roles[role] != string(want) {
			t.Errorf("%s is %q in the file, want %q", role, roles[role], want)
		}
	}
}

// edited is a file that a user has made his own since the lab wrote it.
const edited = `# my cluster
apiVersion: slipway.dev/v1alpha1
kind: Cluster
name: try
kubernetesVersion: v1.36.3 # pinned
hosts:
  # the first
  - {name: cp-1, address: 10.80.0.11, roles: [control-plane, worker]}
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
maxPods: 50 # few
`

func TestGrownClusterFileKeepsEdits(t *testing.T) {
	l := &Lab{name: "try", dir: "/labs/try"}
	r := tryRecord(t, Counts{ControlPlanes: 1, Workers: 1})
	got, err := l.render(r, "slipway", "", []byte(edited))
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(edited, "worker]}\n", "worker]}\n  - {name: worker-1, address: 10.80.0.21, roles: [worker]}\n", 1)
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	again, err := l.render(r, "slipway", "", got)
	if err != nil || string(again) != want {
		t.Errorf("a file with all hosts in it is changed (%v) to\n%s", err, again)
	}
}

func TestForeignFilesAreRefused(t *testing.T) {
	l := &Lab{name: "try", dir: "/labs/try"}
	for name, test := range map[string]struct{ file, says string }{
		"another cluster": {strings.Replace(edited, "name: try", "name: production", 1), "another cluster"},
		"another kind":    {"kind: Pod\nname: try\n", "not a Cluster file"},
		"no hosts":        {"kind: Cluster\nname: try\n", "no list of hosts"},
		"empty":           {"", "not a Cluster file"},
		"not YAML":        {"kind: [\n", "yaml"},
	} {
		_, err := l.render(tryRecord(t, Counts{Workers: 1}), "slipway", "", []byte(test.file))
		if err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: got %v, want %q", name, err, test.says)
		}
	}
}

func TestProxyCommandNamesADirOnlyWhenItMust(t *testing.T) {
	l := &Lab{name: "try", dir: defaultDir + "/try"}
	if got, want := l.ProxyCommand("/opt/100%/it's"), `'/opt/100%%/it'\''s' lab dial --name try %h %p`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
