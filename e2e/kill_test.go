package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// running is an init that goes on while the test does something to it.
type running struct {
	lab     *lab
	command *exec.Cmd
	events  *bufio.Scanner
	stderr  bytes.Buffer
	end     func()
}

func startInit(l *lab) *running {
	l.t.Helper()
	ctx, cancel := bounded()
	r := &running{lab: l, command: l.command(ctx, l.withBundle("init", "--yes", "-o", "json")...), end: cancel}
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
		r.lab.t.Fatalf("init ended after %d steps: %s", seen, &r.stderr)
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

// initAfterKill completes an init that was killed, once the hosts' leases are free.
func (l *lab) initAfterKill() {
	l.t.Helper()
	eventually(l.t, leaseFree, "the last lease is free, and init completes", func() error {
		r := l.run(l.withBundle("init", "--yes")...)
		if r.code == 6 {
			return fmt.Errorf("init: %s", r)
		}
		if r.code != 0 {
			l.t.Fatalf("init: %s", r)
		}
		return nil
	})
	l.made = true
}

// killAfter starts init and kills it -9 when it has finished so many steps; an init that
// ends well before, since an earlier one had done most of it, is fine.
//
// A host that was in the middle of an action when the one before was killed keeps its lease
// until that is done, and refuses the next one so long.
func killAfter(l *lab, steps int) {
	l.t.Helper()
	var r *running
	var seen, code int
	eventually(l.t, leaseFree, "the lease of the init that was killed is free", func() error {
		r = startInit(l)
		if seen = r.finished(steps); seen >= steps {
			_ = r.command.Process.Signal(os.Kill)
		}
		if code = r.wait(); code == 6 {
			return fmt.Errorf("%s", &r.stderr)
		}
		return nil
	})
	l.t.Logf("init ended after %d of %d steps with exit code %d", seen, steps, code)
	if seen < steps && code != 0 {
		l.t.Fatalf("init failed by itself after %d steps: %s", seen, &r.stderr)
	}
}
