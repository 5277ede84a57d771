//go:build linux

package local

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

// TestACommandIsEndedWithAllThatItStarted, at its time limit and when its user interrupts it.
func TestACommandIsEndedWithAllThatItStarted(t *testing.T) {
	for _, how := range []string{"limit", "interrupt"} {
		t.Run(how, func(t *testing.T) {
			pipe := filepath.Join(t.TempDir(), "pipe")
			if err := syscall.Mkfifo(pipe, 0o600); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			timeout := 60
			if how == "limit" {
				timeout = 1
			}
			ended := make(chan struct{})
			go func() { // reads until nobody holds the pipe any more
				defer close(ended)
				data, err := os.ReadFile(pipe)
				if err != nil || string(data) != "begun\n" {
					t.Errorf("read %q, %v", data, err)
				}
			}()
			if how == "interrupt" {
				time.AfterFunc(500*time.Millisecond, cancel)
			}
			output, err := execute(ctx, hosts.RunCommand{Argv: []string{"sh", "-c", `exec 3>"$0"; echo begun >&3; sleep 1000 & sleep 1000`, pipe}, Timeout: timeout})
			switch {
			case how == "interrupt" && !errors.Is(err, context.Canceled):
				t.Errorf("interrupted: %v", err)
			case how == "limit" && (err != nil || output.Code != 128+9 || !strings.Contains(output.Cause, "did not end within 1s")):
				t.Errorf("at its limit: %+v, %v", output, err)
			}
			select {
			case <-ended:
			case <-time.After(20 * time.Second): // a kernel that is asked to kill needs less
				t.Error("what the command started goes on")
			}
		})
	}
}

func TestACommandsOutputIsBounded(t *testing.T) {
	output, err := execute(t.Context(), hosts.RunCommand{Argv: []string{"sh", "-c", "head -c 1000000 /dev/zero; echo warned >&2; exit 7"}, Timeout: 30})
	if err != nil || len(output.Stdout) != hosts.MaxOutput || output.LeftOut != 1000000-hosts.MaxOutput || output.Stderr != "warned\n" || output.Code != 7 {
		t.Errorf("got %d bytes, %d left out, %q, code %d, %v", len(output.Stdout), output.LeftOut, output.Stderr, output.Code, err)
	}
}

// TestACommandsArgumentsAreInNoJournal: they may be secret.
func TestACommandsArgumentsAreInNoJournal(t *testing.T) {
	state := t.TempDir()
	h, err := New(Options{StateDir: state, RunDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if _, err := h.Do(t.Context(), hosts.RunCommand{Argv: []string{"echo", "hunter2"}, Timeout: 30}, nil); err != nil {
		t.Fatal(err)
	}
	journal, err := os.ReadFile(filepath.Join(state, "journal.jsonl"))
	if err != nil || strings.Contains(string(journal), "hunter2") || !strings.Contains(string(journal), `"kind":"run-command","deed":"run echo"`) {
		t.Errorf("the journal is %s, %v", journal, err)
	}
}
