package e2e

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// drainForecast drains the only worker, whose Pod a budget never lets go: that is said beforehand, a
// drain that waits for it in vain gives back what it has cordoned, and once nothing blocks it is done
// and undone.
func drainForecast(t *testing.T, l *lab) {
	pause := strings.TrimSpace(l.exec("worker-1", "grep", "-o", "[^\"' ]*/pause:[0-9.]*", "/etc/containerd/config.toml"))
	file := write(t, "drained.yaml", []byte(strings.ReplaceAll(drained, "PAUSE", strings.Fields(pause)[0])))
	l.kubectl("apply", "-f", file)
	defer l.run(l.kubectlArgs("delete", "--ignore-not-found", "-f", file)...)
	l.kubectl("rollout", "status", "deployment/drained", "--timeout=60s")
	l.kubectl("wait", "--for=condition=Ready", "pod/held", "--timeout=60s")
	eventually(t, 20*time.Second, "the budget's Pods to be counted", func() error {
		if n := l.kubectl("get", "pdb", "drained", "-o", "jsonpath={.status.currentHealthy}"); n != "1" {
			return errors.New("it counts " + n)
		}
		return nil
	})
	says := l.wantCode(4, "", l.onCluster("drain", "worker-1", "--forecast", "--force")...).stdout
	for _, words := range []string{"budget default/drained never lets one go: it needs 1 of 1 Ready", "default/held: it has finalizer example.com/hold"} {
		if !strings.Contains(says, words) {
			t.Errorf("the forecast does not say %q:\n%s", words, says)
		}
	}
	drain := l.onCluster("drain", "worker-1", "--yes", "--force", "--grace-period", "1", "--timeout", "8s", "--on-blocked", "wait")
	l.wantCode(1, "The disruption budget drained needs 1 healthy pods", drain...)
	closed := func() string { return l.kubectl("get", "node", "worker-1", "-o", "jsonpath={.spec.unschedulable}") }
	if closed() != "" {
		t.Error("worker-1 stays cordoned although its drain has failed")
	}
	l.kubectl("delete", "pdb", "drained")
	l.kubectl("patch", "pod", "held", "--type", "merge", "-p", `{"metadata":{"finalizers":null}}`)
	l.must(l.onCluster("drain", "worker-1", "--yes", "--force", "--grace-period", "1")...)
	if closed() != "true" {
		t.Error("worker-1 is not cordoned although it is drained")
	}
	l.must(l.onCluster("uncordon", "worker-1", "--yes")...)
	l.kubectl("rollout", "status", "deployment/drained", "--timeout=60s")
}

const drained = `apiVersion: apps/v1
kind: Deployment
metadata: {name: drained}
spec:
  selector: {matchLabels: {app: drained}}
  template:
    metadata: {labels: {app: drained}}
    spec: {containers: [{name: pause, image: PAUSE}]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: drained}
spec: {minAvailable: 1, selector: {matchLabels: {app: drained}}}
---
apiVersion: v1
kind: Pod
metadata: {name: held, finalizers: [example.com/hold]}
spec:
  nodeName: worker-1
  containers: [{name: pause, image: PAUSE}]
`
