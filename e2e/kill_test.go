package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// running is a command that goes on while the test does something to it.
type running struct {
	lab     *lab
	command *exec.Cmd
	events  *bufio.Scanner
	stderr  bytes.Buffer
	end     func()
}

// begin starts a command that changes something.
func (l *lab) begin(args ...string) *running {
	l.t.Helper()
	ctx, cancel := l.bounded()
	r := &running{lab: l, command: l.command(ctx, append(slices.Clone(args), "-o", "json")...), end: cancel}
	r.command.Stderr = &r.stderr
	stdout, err := r.command.StdoutPipe()
	if err != nil {
		l.t.Fatal(err)
	}
	if err := r.command.Start(); err != nil {
		l.t.Fatal(err)
	}
	r.events = bufio.NewScanner(stdout)
	r.events.Buffer(nil, 1<<20)
	return r
}

// finished reads events until so many steps are finished, or the end; it gives how many
// it saw.
func (r *running) finished(bound int) int {
	seen := 0
	for seen < bound && r.events.Scan() {
		var event struct {
			Type string `json:"type"`
		}
		if json.Unmarshal(r.events.Bytes(), &event) == nil && event.Type == "finished" {
			seen++
		}
	}
	return seen
}

func (r *running) waitFinished(steps int) {
	r.lab.t.Helper()
	if seen := r.finished(steps); seen < steps {
		r.wait()
		r.lab.t.Fatalf("it ended after %d steps: %s", seen, &r.stderr)
	}
}

// wait reads what is left and gives the exit code.
func (r *running) wait() int {
	for r.events.Scan() {
	}
	_ = r.command.Wait() // its exit code says it
	r.end()
	return r.command.ProcessState.ExitCode()
}

// leaseFree bounds how long a host keeps the lease of a slipway that was killed: until its
// agent notices that nobody is there, and the action in hand is done.
const leaseFree = 30 * time.Second

// initAfterKill completes an init that was killed.
func (l *lab) initAfterKill() {
	l.t.Helper()
	l.afterKill(l.withBundle("init", "--yes")...)
	l.made = true
}

// afterKill completes what a command that was killed had begun, once the hosts' leases are free.
func (l *lab) afterKill(args ...string) {
	l.t.Helper()
	eventually(l.t, leaseFree, "the last lease is free, and the command completes", func() error {
		r := l.run(args...)
		if r.code == 6 {
			return fmt.Errorf("%s", r)
		}
		if r.code != 0 {
			l.t.Fatalf("slipway %s: %s", strings.Join(args, " "), r)
		}
		return nil
	})
}

// killAfter starts init and kills it -9 when it has finished so many steps.
func killAfter(l *lab, steps int) {
	l.t.Helper()
	l.killAfter(steps, l.withBundle("init", "--yes")...)
}

// killAfter starts a command and kills it -9 when it has finished so many steps; one that
// ends well before, since an earlier one had done most of it, is fine. It gives how many it saw.
//
// A host that was in the middle of an action when the one before was killed keeps its lease
// until that is done, and refuses the next one so long.
func (l *lab) killAfter(steps int, args ...string) int {
	l.t.Helper()
	var r *running
	var seen, code int
	eventually(l.t, leaseFree, "the lease of the one that was killed is free", func() error {
		r = l.begin(args...)
		if seen = r.finished(steps); seen >= steps {
			_ = r.command.Process.Signal(os.Kill)
		}
		if code = r.wait(); code == 6 {
			return fmt.Errorf("%s", &r.stderr)
		}
		return nil
	})
	l.t.Logf("%s ended after %d of %d steps with exit code %d", args[0], seen, steps, code)
	if seen < steps && code != 0 {
		l.t.Fatalf("%s failed by itself after %d steps: %s", args[0], seen, &r.stderr)
	}
	return seen
}
