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
	if err := r.grow(counts); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestNewClusterFile(t *testing.T) {
	l := &Lab{name: "try", dir: "/labs/try"}
	got, err := l.render(tryRecord(t, Counts{ControlPlanes: 1, Workers: 1, Spares: 2}), "/opt/slip way", nil)
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
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestClusterFileIsOne lets those judge who read it.
func TestClusterFileIsOne(t *testing.T) {
	l := &Lab{name: "try", dir: "/labs/try"}
	data, err := l.render(tryRecord(t, Counts{ControlPlanes: 1, Workers: 2, LoadBalancers: 1, Spares: 1}), "slipway", nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := cluster.Load(data)
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range cluster.Validate(c) {
		t.Error(problem)
	}
	if len(c.ControlPlanes()) != 1 || len(c.Nodes()) != 3 {
		t.Errorf("%d control planes and %d nodes are read out of\n%s", len(c.ControlPlanes()), len(c.Nodes()), data)
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
	got, err := l.render(r, "slipway", []byte(edited))
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(edited, "worker]}\n", "worker]}\n  - {name: worker-1, address: 10.80.0.21, roles: [worker]}\n", 1)
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	again, err := l.render(r, "slipway", got)
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
		_, err := l.render(tryRecord(t, Counts{Workers: 1}), "slipway", []byte(test.file))
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
