package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/e2e/acks"
)

// older has the cluster there and healthy, made by the bundle of the older version.
func (l *lab) older() {
	l.t.Helper()
	if !l.made {
		l.bundle = olderBundleFile()
		l.init()
	}
	l.healthy()
}

// upgrade gives the arguments of an upgrade to the bundle of the newer version, or of one of the
// commands about it.
func (l *lab) upgrade(verb ...string) []string {
	return append(append([]string{"upgrade"}, verb...), "-f", l.file)
}

func (l *lab) upgradeApply(flags ...string) []string {
	return append(append(l.upgrade("apply"), "--bundle", bundleFile(), "--yes"), flags...)
}

// upgradeTakenBack gives the new version to one control plane, and takes it back. The one whose etcd
// leads has its turn last.
func upgradeTakenBack(t *testing.T, l *lab) {
	l.older()
	before, leader := l.versions(), l.status().leader()
	planes := slices.DeleteFunc(slices.Clone(threePlanes[:3]), func(name string) bool { return name == leader })
	l.must(l.upgradeApply("--pause-after", planes[0])...)
	for host, version := range l.versions() {
		if changed := version != before[host]; changed != (host == planes[0]) {
			t.Errorf("after a pause behind %s, %s has %s; it had %s", planes[0], host, version, before[host])
		}
	}
	l.must(append(l.upgrade("rollback"), "--yes", "--skip-smoke")...)
	if now := l.versions(); !maps.Equal(now, before) {
		t.Errorf("after the rollback the nodes are of %v; they were of %v", now, before)
	}
	l.planIsEmpty()
}

// upgradeRolls upgrades the cluster under clients, with slipway killed half-way: no write that was
// acknowledged is lost, no request is without an answer, and no budget is broken. At its end the cluster
// keeps every promise (slipway smoke), and nothing of the asking stays.
func upgradeRolls(t *testing.T, l *lab) {
	l.older()
	before := l.versions()
	l.must(l.onCluster("image", "load", appImage(t, "app:v1", "v1"))...)
	const namespace = "upgraded"
	w := l.startWriter("worker-1", namespace, "guarded")
	file := filepath.Join(repository(), "e2e", "testdata", "guarded.yaml")
	l.kubectl("apply", "-n", namespace, "-f", file)
	l.kubectl("rollout", "status", "-n", namespace, "deployment/guarded", "--timeout=180s")
	asking := l.startAsking("cp-1", "http://"+l.kubectl("get", "service", "guarded", "-n", namespace, "-o", "jsonpath={.spec.clusterIP}"))
	began, watched := time.Now(), len(w.log().Available)

	l.wantCode(0, "kube-apiserver", append(l.upgrade("plan"), "--bundle", bundleFile())...)
	l.killAfter(l.stepsOfUpgrade()/2, l.upgradeApply()...)
	l.afterKill(l.upgradeApply()...)
	l.bundle = bundleFile()

	for host, version := range l.versions() {
		if version == before[host] {
			t.Errorf("%s still has %s", host, version)
		}
	}
	l.planIsEmpty()
	if left := l.kubectl("get", "namespaces,persistentvolumes", "-l", "slipway.dev/smoke", "-o", "name"); left != "" {
		t.Errorf("smoke left %s", left)
	}
	if least := slices.Min(w.log().Available[watched:]); least < 2 {
		t.Errorf("at a time %d Pods were available; the budget is 2", least)
	}
	// How many seconds it is depends on the machine, and is measured by make bench. Who has to wait for an API server
	// that starts anew is without an answer for most of the time that it is away.
	gap, away := w.log().Gap(began), l.shortestAway(began)
	t.Logf("the writer was %s without an answer; an API server was away for %s at least", gap, away)
	if gap >= away/2 {
		t.Error("the writer has waited for an API server that started anew")
	}
	answered, err := asking.Stop()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d requests answered, %d not at the second try", len(answered.Acknowledged), len(answered.Failed))
	for _, failed := range answered.Failed {
		t.Errorf("%.1f s after the upgrade began: %s", failed.At.Sub(began).Seconds(), failed.Error)
	}
	w.stop()
	l.kubectl("delete", "-n", namespace, "-f", file)
}

// shortestAway is the shortest time for which an upgrade that began after a time took an API server away, by the
// journals of the runs: from the step that ends it to the one that has found it ready.
func (l *lab) shortestAway(after time.Time) time.Duration {
	l.t.Helper()
	journals, err := filepath.Glob(filepath.Join(l.state, "slipway", "runs", "*.jsonl"))
	if err != nil {
		l.t.Fatal(err)
	}
	var all []time.Duration
	for _, journal := range journals {
		content, err := os.ReadFile(journal)
		if err != nil {
			l.t.Fatal(err)
		}
		ended := map[string]time.Time{} // by host
		for line := range bytes.Lines(content) {
			var note struct {
				Time       time.Time
				Mark, Step string
			}
			if err := json.Unmarshal(line, &note); err != nil || note.Time.Before(after) {
				continue // the last line of a run that was killed may be cut
			}
			host, quits := strings.CutSuffix(note.Step, "/control-plane/kube-apiserver/quit")
			plane, awaits := strings.CutPrefix(note.Step, "cluster/wait-control-plane/")
			switch {
			case quits && note.Mark == "begin":
				ended[host] = note.Time
			case awaits && note.Mark == "end" && !ended[plane].IsZero():
				all = append(all, note.Time.Sub(ended[plane]))
			}
		}
	}
	if len(all) == 0 {
		l.t.Fatal("no run has taken an API server away")
	}
	return slices.Min(all)
}

// stepsOfUpgrade is how many steps the upgrade has that always run.
func (l *lab) stepsOfUpgrade() int {
	l.t.Helper()
	var plan struct {
		Steps []struct {
			Rescues []string `json:"rescues"`
		} `json:"steps"`
	}
	l.decode(l.must("plan", "upgrade", "apply", "-f", l.file, "--bundle", bundleFile(), "-o", "json"), &plan)
	always := 0
	for _, step := range plan.Steps {
		if len(step.Rescues) == 0 {
			always++
		}
	}
	return always
}

// versions are the kubelets' by node.
func (l *lab) versions() map[string]string {
	l.t.Helper()
	of := map[string]string{}
	for line := range strings.Lines(l.kubectl("get", "nodes", "-o", `jsonpath={range .items[*]}{.metadata.name} {.status.nodeInfo.kubeletVersion}{"\n"}{end}`)) {
		name, version, _ := strings.Cut(strings.TrimSpace(line), " ")
		of[name] = version
	}
	return of
}

// startAsking has a host of the lab ask a URL again and again.
func (l *lab) startAsking(host, url string) *acks.Writer {
	l.t.Helper()
	l.putProgram(host, "app")
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	l.t.Cleanup(cancel)
	asking, err := acks.Start(l.command(ctx, "lab", "exec", "--name", l.name, host, "--", "/usr/local/bin/app", "ask", url))
	if err != nil {
		l.t.Fatal(err)
	}
	return asking
}
