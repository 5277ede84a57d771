package workflow

import (
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/certs/mint"
	"github.com/slipway-k8s/slipway/cluster"
)

// TestNewcomersAreWorkersThatWereNotSeen has a state folder that has seen some hosts in the
// cluster: a join logs in on the others alone only where all of them are workers.
func TestNewcomersAreWorkersThatWereNotSeen(t *testing.T) {
	c, err := cluster.Load([]byte(`apiVersion: slipway.dev/v1alpha1
kind: Cluster
name: try
endpoint: {host: 192.0.2.10}
hosts:
- {name: cp-1, address: 192.0.2.11, roles: [control-plane], ssh: {identityFile: id}}
- {name: cp-2, address: 192.0.2.12, roles: [control-plane], ssh: {identityFile: id}}
- {name: cp-3, address: 192.0.2.13, roles: [control-plane], ssh: {identityFile: id}}
- {name: worker-1, address: 192.0.2.21, roles: [worker], ssh: {identityFile: id}}
- {name: worker-2, address: 192.0.2.22, roles: [worker], ssh: {identityFile: id}}
`))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ seen, want string }{
		"one worker comes":              {seen: "cp-1 cp-2 cp-3 worker-1", want: "worker-2"},
		"all workers come":              {seen: "cp-1 cp-2 cp-3", want: "worker-1 worker-2"},
		"a control plane comes as well": {seen: "cp-1 cp-2 worker-1", want: ""},
		"nobody comes":                  {seen: "cp-1 cp-2 cp-3 worker-1 worker-2", want: ""},
		"none of it was seen from here": {seen: "", want: ""},
		"its keys are not here":         {seen: "no keys", want: ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("XDG_STATE_HOME", t.TempDir())
			if test.seen != "no keys" {
				keepJoined(t, c.Name, strings.Fields(test.seen)...)
			}
			few, folder := (&Session{cluster: c}).newcomers(Request{})
			var names []string
			for _, h := range few {
				names = append(names, h.Name)
			}
			if got := strings.Join(names, " "); got != test.want {
				t.Errorf("logs in on %q first, want %q", got, test.want)
			}
			if len(few) > 0 && folder.Name() != c.Name {
				t.Errorf("with the keys of %q", folder.Name())
			}
		})
	}
}

// keepJoined makes a cluster's keys and notes the hosts that were seen in it.
func keepJoined(t *testing.T, name string, hosts ...string) {
	t.Helper()
	pki, err := mint.PKI("ECDSA-P256", 24*time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	states, err := openStates()
	if err != nil {
		t.Fatal(err)
	}
	folder, err := states.Create(name, pki)
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range hosts {
		if err := folder.MarkJoined(host); err != nil {
			t.Fatal(err)
		}
	}
}
