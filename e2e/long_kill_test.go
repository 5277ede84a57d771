//go:build long

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// TestLongKills takes the power of one, of two and of all hosts of a cluster.
func TestLongKills(t *testing.T) {
	l := newLab(t, "--control-planes", "3", "--workers", "1")
	promises(t, l, (*lab).well, []promise{
		{"any control plane killed: nothing acknowledged is lost and the endpoint is back in time", killEachPlane},
		{"two of three killed: the API stops, nothing is corrupted, it comes back with them", killTwoPlanes},
		{"ha test puts back what it has taken out when it is interrupted", haTestInterrupted},
		{"a cold start needs nobody", coldStart},
	})
}

// killEachPlane kills every control plane, first whoever has the address and whoever leads.
func killEachPlane(t *testing.T, l *lab) {
	victims := []func(statusView) string{func(s statusView) string { return s.Holders[0] }, statusView.leader}
	for _, plane := range threePlanes[:3] {
		victims = append(victims, func(statusView) string { return plane })
	}
	killEach(t, l, victims...)
}

// haTestInterrupted sends Ctrl-C when the first control plane's units are stopped.
func haTestInterrupted(t *testing.T, l *lab) {
	ctx, cancel := l.bounded()
	defer cancel()
	command := l.command(ctx, l.onCluster("ha", "test", "--yes")...)
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, "cp-1 is taken out", func() error {
		if r := l.run("lab", "exec", "--name", l.name, "cp-1", "--", "systemctl", "is-active", "kubelet"); r.code == 0 {
			return fmt.Errorf("its kubelet still runs")
		}
		return nil
	})
	if err := command.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = command.Wait() // its exit code says it
	if code := command.ProcessState.ExitCode(); code != 130 {
		t.Errorf("want exit code 130, got %d: %s", code, &out)
	}
	if r := l.run(l.onCluster("status")...); r.code != 0 {
		t.Errorf("after the interrupt not all is put back: %s\n%s", r, &out)
	}
	l.planIsEmpty()
}

func killTwoPlanes(t *testing.T, l *lab) {
	address := l.virtualAddress()
	w := l.startWriter("worker-1", "writes-two")
	l.power("kill", "cp-1", "cp-2")
	before := len(w.log().Acknowledged)
	eventually(t, recovery, "the API refuses writes without a quorum", func() error {
		log := w.log()
		if n := len(log.Failed); n > 5 && log.Failed[n-1].At.After(log.Acknowledged[len(log.Acknowledged)-1].At.Add(3*time.Second)) {
			return nil
		}
		return fmt.Errorf("%d acknowledged (%d before), %d failed", len(log.Acknowledged), before, len(log.Failed))
	})
	// None is ready, and whoever asks is led to the one that is left: it answers for itself,
	// whatever it says, and the two that are dead do not come first each time.
	asking := fmt.Sprintf("curl -sk -o /dev/null -w '%%{http_code}' --max-time 4 https://%s:16443/livez/ping || true", address)
	for range 5 {
		eventually(t, recovery, "an API server that is not ready answers where none is", func() error {
			if code := l.exec("worker-1", "sh", "-c", asking); strings.TrimSpace(code) == "000" {
				return errors.New("no answer")
			}
			return nil
		})
	}
	began := time.Now()
	l.power("start", "cp-1", "cp-2")
	w.acknowledges(2*time.Minute, began)
	l.healthy()
	w.stop()
}

func coldStart(t *testing.T, l *lab) {
	l.kubectl("create", "configmap", "before-the-night", "-n", "default")
	l.power("kill", threePlanes...)
	l.power("start", threePlanes...)
	l.healthy()
	l.kubectl("get", "configmap", "before-the-night", "-n", "default")
	l.wantReady(threePlanes...)
	l.planIsEmpty()
}
