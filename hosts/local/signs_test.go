//go:build linux

package local_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/local"
)

// TestSigns: what moves on a host is told in numbers, of the cluster's own Pods and units alone.
func TestSigns(t *testing.T) {
	m := newMachine(t)
	m.write("/var/log/pods/api/2.log", "0123456789")
	// The program's name holds what the fields are parted by.
	m.write("/proc/77/stat", "77 (kube) (let) S 1 77 77 0 -1 4194560 9 9 9 9 1200 345 0 0 20 0 9 0 100")
	now := time.Now()
	ago := func(seconds int) time.Time { return now.Add(-time.Duration(seconds) * time.Second) }
	m.systemd.units["kubelet.service"] = local.UnitState{Load: "loaded", Active: "active", Sub: "running", Restarts: 3, PID: 77, Changed: ago(50)}
	m.systemd.units["haproxy.service"] = local.UnitState{Load: "loaded", Active: "active", Sub: "running", PID: 78}
	m.containerd.fetched = 4096
	const api = "kube-system/kube-apiserver-cp-1"
	m.containerd.containers = []local.Container{
		// Neither the order of their making nor that of a list is an order of attempts.
		{Pod: api, Name: "kube-apiserver", Attempt: 2, Running: true, Created: ago(96), Started: ago(95), CPU: 42 * time.Second, Log: "/var/log/pods/api/2.log"},
		{Pod: api, Name: "kube-apiserver", Attempt: 0, ExitCode: 2, Reason: "Error", Started: ago(900), Finished: ago(800)},
		{Pod: api, Name: "kube-apiserver", Attempt: 1, ExitCode: 137, Reason: "Error", Started: ago(700), Finished: ago(100)},
		{Pod: "kube-system/etcd-cp-1", Name: "etcd", ExitCode: 1, Reason: "OOMKilled", Started: ago(30), Finished: ago(10)},
		{Pod: "kube-system/kube-scheduler-cp-1", Name: "kube-scheduler", Created: ago(5)},
		{Pod: "default/app", Name: "app", Running: true, Started: ago(5), CPU: time.Hour},
	}
	facts := m.observe(m.host(), hosts.Query{Evidence: true, APIPort: 6443})
	want := []hosts.Sign{
		{Source: "kubelet.service", State: "active (running)", Attempt: 3, Seconds: 50, CPU: 15.45},
		{Source: "haproxy.service", State: "active (running)"},
		{Source: "container kube-system/etcd-cp-1/etcd", State: hosts.StateEnded, Seconds: 10, Ended: &hosts.Ending{Code: 1, Reason: "OOMKilled", Ran: 20}},
		{Source: "container " + api + "/kube-apiserver", State: hosts.StateRunning, Attempt: 2, Seconds: 95, CPU: 42, Log: 10, Ended: &hosts.Ending{Code: 137, Reason: "Error", Ran: 600}},
		{Source: "container kube-system/kube-scheduler-cp-1/kube-scheduler", State: hosts.StateCreated, Seconds: 5},
		{Source: hosts.SourceImages, Fetched: 4096},
	}
	near := cmpopts.EquateApprox(0, 5) // of what has passed, on a machine that is busy
	if diff := cmp.Diff(want, facts.Signs, near); diff != "" {
		t.Errorf("the signs (-want +got):\n%s", diff)
	}
	for _, sign := range facts.Signs {
		if sign.Source == "kubelet.service" && sign.CPU != 15.45 {
			t.Errorf("the kubelet has used %v s", sign.CPU)
		}
	}
	if none := m.observe(m.host(), hosts.Query{}); len(none.Signs) > 0 {
		t.Errorf("signs come unasked: %v", none.Signs)
	}
}
