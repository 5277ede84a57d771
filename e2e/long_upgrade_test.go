//go:build long

package e2e

import (
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"
)

// TestLongUpgrade has bad luck at upgrades of one cluster; each time it is taken back to the older version.
func TestLongUpgrade(t *testing.T) {
	l := newLab(t, "--control-planes", "3", "--workers", "1")
	promises(t, l, (*lab).older, []promise{
		{"an API server that does not start with its flags is put back, and the others are left alone", upgradeWithUnknownFlag},
		{"an upgrade killed again and again goes on, and so does its rollback", upgradeKilledAgain},
		{"a worker that loses its power while it is drained stops the upgrade, which goes on when it is back", upgradeLosesWorker},
		{"a host that is down is left out by its name, and comes later", upgradeWithoutWorker},
	})
}

func (l *lab) rollback(flags ...string) []string {
	return append(append(l.upgrade("rollback"), "--yes", "--skip-smoke"), flags...)
}

func upgradeWithUnknownFlag(t *testing.T, l *lab) {
	before := l.versions()
	with := *l
	with.file = edited(t, l, func(file map[string]any) {
		file["extraArgs"] = map[string]any{"apiServer": []any{map[string]any{"name": "no-such-flag", "value": "1"}}}
	})
	r := with.wantCode(1, "unknown flag: --no-such-flag", with.upgradeApply("--skip-smoke")...)
	t.Logf("%s", r.stderr)
	if now := l.versions(); !maps.Equal(now, before) {
		t.Errorf("the nodes are of %v; they were of %v", now, before)
	}
	for _, step := range l.planned() {
		if step.Phase != "prune" { // of what is staged
			t.Errorf("by the older bundle there is still to do: %s", step.ID)
		}
	}
}

// killedEach is after how many steps slipway is killed.
const killedEach = 12

// killedAgain kills a command -9 again and again, each time a little further on, until it comes to its end.
func (l *lab) killedAgain(args ...string) {
	l.t.Helper()
	const most = 40 // runs
	for range most {
		if l.killAfter(killedEach, args...) < killedEach {
			return
		}
	}
	l.t.Fatalf("%s: it does not come to its end in %d runs of %d steps each", strings.Join(args, " "), most, killedEach)
}

func upgradeKilledAgain(t *testing.T, l *lab) {
	before := l.versions()
	w := l.startWriter("worker-1", "killed-again")
	l.killedAgain(l.upgradeApply("--skip-smoke")...)
	for host, version := range l.versions() {
		if version == before[host] {
			t.Errorf("%s still has %s", host, version)
		}
	}
	l.killedAgain(l.rollback()...)
	if now := l.versions(); !maps.Equal(now, before) {
		t.Errorf("after the rollback the nodes are of %v; they were of %v", now, before)
	}
	l.planIsEmpty()
	w.stop()
}

// upgradeLosesWorker has a Pod on the worker that takes its time to end.
func upgradeLosesWorker(t *testing.T, l *lab) {
	l.must(l.onCluster("image", "load", appImage(t, "app:v1", "v1"))...)
	file := write(t, "slow.yaml", []byte(slow))
	l.kubectl("apply", "-f", file)
	l.kubectl("rollout", "status", "deployment/slow", "--timeout=60s")
	r := l.begin(l.upgradeApply("--skip-smoke")...)
	r.waitStarted("cluster/upgrade/worker-1/drain")
	l.power("kill", "worker-1")
	if code := r.wait(); code != 1 || !strings.Contains(r.stderr.String(), "worker-1") {
		t.Errorf("it ends with %d: %s", code, &r.stderr)
	}
	l.power("start", "worker-1")
	l.healthy()
	l.must(l.upgradeApply("--skip-smoke")...)
	l.kubectl("delete", "-f", file)
	l.must(l.rollback()...)
}

// waitStarted reads events until a step has started.
func (r *running) waitStarted(step string) {
	r.lab.t.Helper()
	for r.events.Scan() {
		var event struct{ Type, Step string }
		if json.Unmarshal(r.events.Bytes(), &event) == nil && event.Type == "started" && event.Step == step {
			return
		}
	}
	r.wait()
	r.lab.t.Fatalf("%s never started: %s", step, &r.stderr)
}

func upgradeWithoutWorker(t *testing.T, l *lab) {
	before := l.versions()
	l.power("kill", "worker-1")
	l.wantCode(4, "--without worker-1", l.upgradeApply()...)
	eventually(t, 2*time.Minute, "the cluster sees that worker-1 is down", func() error {
		if ready := l.kubectl("get", "node", "worker-1", "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].status}`); ready == "True" {
			return errors.New("its node is Ready")
		}
		return nil
	})
	l.must(l.upgradeApply("--skip-smoke", "--without", "worker-1")...)
	if now := l.versions(); now["worker-1"] != before["worker-1"] || now["cp-1"] == before["cp-1"] {
		t.Errorf("the nodes are of %v; they were of %v", now, before)
	}
	l.power("start", "worker-1")
	l.healthy()
	l.must(l.upgradeApply()...)
	if now := l.versions(); now["worker-1"] != now["cp-1"] {
		t.Errorf("the worker has %s, the control planes %s", now["worker-1"], now["cp-1"])
	}
	l.must(l.rollback()...)
}

// slow is an app that is told to end, and goes on for a minute.
const slow = `apiVersion: apps/v1
kind: Deployment
metadata: {name: slow}
spec:
  selector: {matchLabels: {app: slow}}
  template:
    metadata: {labels: {app: slow}}
    spec:
      terminationGracePeriodSeconds: 90
      containers:
      - {name: app, image: app:v1, imagePullPolicy: Never, lifecycle: {preStop: {sleep: {seconds: 60}}}}
`
