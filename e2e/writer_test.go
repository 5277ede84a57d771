package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/e2e/acks"
)

// writing is a client on a lab host that writes through the endpoint.
type writing struct {
	lab       *lab
	namespace string
	writer    *acks.Writer
}

// startWriter lets a host of the lab write, and waits for its first acknowledged write. It makes the
// namespace, and watches the Deployment there that is named, if one is.
func (l *lab) startWriter(host, namespace string, deployment ...string) *writing {
	l.t.Helper()
	l.putProgram(host, "writer")
	config := filepath.Join(l.t.TempDir(), "admin.conf")
	l.must(l.onCluster("kubeconfig", "--via", "endpoint", "--out", config)...)
	l.put(host, config, "/root/writer.conf")
	l.kubectl("create", "namespace", namespace)
	ctx, cancel := l.bounded()
	l.t.Cleanup(cancel)
	command := l.command(ctx, "lab", "exec", "--name", l.name, host, "--", "/usr/local/bin/writer", "/root/writer.conf", namespace)
	command.Args = append(command.Args, deployment...)
	w := &writing{lab: l, namespace: namespace}
	var err error
	if w.writer, err = acks.Start(command); err != nil {
		l.t.Fatal(err)
	}
	w.acknowledges(30*time.Second, time.Time{})
	return w
}

// acknowledges waits for a write that was acknowledged after the time given.
func (w *writing) acknowledges(bound time.Duration, after time.Time) {
	w.lab.t.Helper()
	eventually(w.lab.t, bound, "a write through the endpoint is acknowledged", func() error {
		log := w.log()
		if n := len(log.Acknowledged); n > 0 && log.Acknowledged[n-1].At.After(after) {
			return nil
		}
		if n := len(log.Failed); n > 0 {
			return fmt.Errorf("%s", log.Failed[n-1].Error)
		}
		return fmt.Errorf("nothing yet")
	})
}

// log is what the writer has said so far.
func (w *writing) log() acks.Log {
	w.lab.t.Helper()
	log, err := w.writer.Log()
	if err != nil {
		w.lab.t.Fatal(err)
	}
	return log
}

// stop ends the writer, and wants every acknowledged write to be there.
func (w *writing) stop() {
	w.lab.t.Helper()
	log, err := w.writer.Stop()
	if err != nil {
		w.lab.t.Fatal(err)
	}
	there := strings.Fields(w.lab.kubectl("get", "configmaps", "-n", w.namespace, "-o", "jsonpath={.items[*].metadata.name}"))
	if lost := log.Lost(there); len(lost) > 0 {
		w.lab.t.Errorf("of %d acknowledged writes, %d are lost: %v", len(log.Acknowledged), len(lost), lost)
	}
	w.lab.t.Logf("%d writes acknowledged and none lost, %d refused or timed out; longest gap %.2f s",
		len(log.Acknowledged), len(log.Failed), log.Gap(time.Time{}).Seconds())
	for _, write := range log.Failed[:min(len(log.Failed), 5)] {
		w.lab.t.Logf("%.1f s after the first: %s", write.At.Sub(log.Acknowledged[0].At).Seconds(), write.Error)
	}
}
