//go:build bench

package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/e2e/acks"
)

// losses is how often a control plane loses its power.
const losses = 21

// TestGaps takes control planes away from a client that writes through the endpoint, by
// power and in order, and tells how long no write was acknowledged.
func TestGaps(t *testing.T) {
	b := boot(t, "bench-gaps", "--control-planes", "3", "--workers", "1")
	defer b.down()
	b.slipway("init", "-f", b.file, "--bundle", bundleFile(), "--yes")
	w := b.write("worker-1")
	var killed, stopped []float64
	for i := range losses {
		s := b.state3()
		victim := s.victim(i)
		gap := b.gone(w, "kill", victim)
		killed = append(killed, gap)
		t.Logf("%2d: %s killed (holder %v, leader %s): %.2f s", i+1, victim, s.Holders, s.leader(), gap)
	}
	for i := range 3 {
		s := b.state3()
		victim := s.victim(i)
		gap := b.gone(w, "stop", victim)
		stopped = append(stopped, gap)
		t.Logf("%s stopped in order (holder %v, leader %s): %.2f s", victim, s.Holders, s.leader(), gap)
	}
	victim := b.state3().Holders[0]
	began := time.Now()
	b.slipway("reset", "-f", b.file, victim, "--yes")
	reset := w.gap(b, began)
	began = time.Now()
	b.slipway("join", "-f", b.file, "--bundle", bundleFile(), "--yes")
	joined := w.gap(b, began)
	w.end(b)
	fmt.Printf("\nthe longest time without an acknowledged write, seconds, median (min-max)\n")
	fmt.Printf("a control plane loses power, %d times: %s\n", losses, spread(killed))
	fmt.Printf("a control plane is shut down in order, %d times: %s\n", len(stopped), spread(stopped))
	fmt.Printf("the address's holder is reset: %.2f; a control plane joins: %.2f\n", reset, joined)
}

// gone takes a host away, measures, and waits until it is back and all is well.
func (b *bed) gone(w *client, verb, victim string) float64 {
	b.t.Helper()
	began := time.Now()
	b.slipway("lab", verb, "--name", b.name, victim)
	w.acknowledges(b, time.Now().Add(5*time.Second)) // later sessions' ends belong to the loss too
	gap := w.gap(b, began)
	b.slipway("lab", "start", "--name", b.name, victim)
	b.healthy()
	return gap
}

// clusterState is what the gaps' benchmark reads of status.
type clusterState struct {
	Holders []string `json:"holders"`
	Members []struct {
		Name   string `json:"name"`
		Leader bool   `json:"leader"`
	} `json:"members"`
}

func (s clusterState) leader() string {
	for _, m := range s.Members {
		if m.Leader {
			return m.Name
		}
	}
	return ""
}

// victim is, in turn, the address's holder, etcd's leader, and one that is neither where
// there is one.
func (s clusterState) victim(turn int) string {
	planes := []string{"cp-1", "cp-2", "cp-3"}
	switch turn % 3 {
	case 0:
		return s.Holders[0]
	case 1:
		return s.leader()
	}
	for _, host := range planes {
		if !slices.Contains(s.Holders, host) && host != s.leader() {
			return host
		}
	}
	return planes[0]
}

func (b *bed) state3() clusterState {
	b.t.Helper()
	var s clusterState
	if err := json.Unmarshal([]byte(b.slipway("status", "-f", b.file, "-o", "json").stdout), &s); err != nil {
		b.t.Fatal(err)
	}
	if len(s.Holders) != 1 || s.leader() == "" {
		b.t.Fatalf("no holder or no leader: %+v", s)
	}
	return s
}

// healthy waits until status finds nothing wrong.
func (b *bed) healthy() {
	b.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; {
		out, err := b.command(context.Background(), "status", "-f", b.file).CombinedOutput()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("status: %v\n%s", err, out)
		}
	}
}

// client is e2e/writer on a host of the bed.
type client struct{ writer *acks.Writer }

func (b *bed) write(host string) *client {
	b.t.Helper()
	program := filepath.Join(b.t.TempDir(), "writer")
	build := exec.Command("go", "build", "-o", program, "../writer")
	build.Env = append(build.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.t.Fatalf("build the writer: %v\n%s", err, out)
	}
	b.put(host, program, "/usr/local/bin/writer")
	config := filepath.Join(b.t.TempDir(), "admin.conf")
	b.slipway("kubeconfig", "-f", b.file, "--via", "endpoint", "--out", config)
	b.put(host, config, "/root/writer.conf")
	b.slipway("kubectl", "-f", b.file, "--", "create", "namespace", "writes")
	command := b.command(context.Background(), "lab", "exec", "--name", b.name, host, "--", "/usr/local/bin/writer", "/root/writer.conf", "writes")
	writer, err := acks.Start(command)
	if err != nil {
		b.t.Fatal(err)
	}
	c := &client{writer}
	c.acknowledges(b, time.Time{})
	return c
}

// acknowledges waits for a write that was acknowledged after the time given.
func (c *client) acknowledges(b *bed, after time.Time) {
	b.t.Helper()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); <-ticker.C {
		if n := len(c.log(b).Acknowledged); n > 0 && c.log(b).Acknowledged[n-1].At.After(after) {
			return
		}
	}
	b.t.Fatal("no write was acknowledged for two minutes")
}

func (c *client) log(b *bed) acks.Log {
	b.t.Helper()
	log, err := c.writer.Log()
	if err != nil {
		b.t.Fatal(err)
	}
	return log
}

func (c *client) gap(b *bed, since time.Time) float64 { return c.log(b).Gap(since).Seconds() }

// end stops the writer and looks for what it was told is there.
func (c *client) end(b *bed) {
	b.t.Helper()
	log, err := c.writer.Stop()
	if err != nil {
		b.t.Fatal(err)
	}
	there := b.slipway("kubectl", "-f", b.file, "--", "get", "configmaps", "-n", "writes", "-o", "jsonpath={.items[*].metadata.name}").stdout
	lost := log.Lost(strings.Fields(there))
	if len(lost) > 0 {
		b.t.Errorf("acknowledged writes are lost: %v", lost)
	}
	fmt.Printf("\n%d writes acknowledged, %d of them lost %v\n", len(log.Acknowledged), len(lost), lost)
}
