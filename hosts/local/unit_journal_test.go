//go:build linux

package local_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/local"
)

// said opens a unit's journal where journalctl is this script.
func said(t *testing.T, script string) (*local.Host, io.ReadCloser) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "journalctl")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	host := newMachine(t).open(local.Options{Journalctl: program})
	journal, err := host.Journal(t.Context(), "kubelet.service", 7, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = journal.Close() })
	return host, journal
}

// TestJournalctlIsAskedForOneUnit, as data of one word each.
func TestJournalctlIsAskedForOneUnit(t *testing.T) {
	_, journal := said(t, `for word; do echo "$word"; done; env`)
	got, err := io.ReadAll(journal)
	if err != nil {
		t.Fatal(err)
	}
	want := "--unit=kubelet.service\n--lines=7\n--output=short-iso\n--no-hostname\n--no-pager\n--quiet\n--follow\n"
	words, environment := string(got[:min(len(got), len(want))]), string(got[min(len(got), len(want)):])
	if words != want || strings.Contains(environment, "SSH_") || !strings.Contains(environment, "LANG=C.UTF-8\n") {
		t.Errorf("it is asked\n%s", got)
	}
}

// TestNoProgramIsLeftOfAJournal when it is closed, or its host.
func TestNoProgramIsLeftOfAJournal(t *testing.T) {
	for name, closes := range map[string]func(*local.Host, io.ReadCloser) error{
		"the journal is closed": func(_ *local.Host, journal io.ReadCloser) error { return journal.Close() },
		"the host is closed":    func(host *local.Host, _ io.ReadCloser) error { return host.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			pipe := filepath.Join(t.TempDir(), "pipe")
			if err := unix.Mkfifo(pipe, 0o600); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { // reads until nobody holds the pipe any more
				_, err := os.ReadFile(pipe)
				ended <- err
			}()
			host, journal := said(t, fmt.Sprintf("exec 3>'%s'; echo begun; sleep 1000 & sleep 1000", pipe))
			if _, err := bufio.NewReader(journal).ReadString('\n'); err != nil {
				t.Fatal(err)
			}
			if err := closes(host, journal); err != nil {
				t.Error(err)
			}
			select {
			case err := <-ended:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(time.Minute):
				t.Error("a process is left")
			}
			if _, err := journal.Read(make([]byte, 1)); err == nil {
				t.Error("a closed journal is read")
			}
		})
	}
}

// TestAJournalctlThatFailsIsAnError with its words, after the lines that it had written.
func TestAJournalctlThatFailsIsAnError(t *testing.T) {
	_, journal := said(t, "echo one; echo 'no journal files were found' >&2; exit 3")
	got, err := io.ReadAll(journal)
	known, is := errors.AsType[*hosts.Error](err)
	if string(got) != "one\n" || !is || !strings.Contains(known.Error(), "exit status 3: no journal files were found") {
		t.Errorf("%q, %v", got, err)
	}
}

func TestAHostWithoutJournalctlSaysSo(t *testing.T) {
	host := newMachine(t).open(local.Options{Journalctl: "/no/such/journalctl"})
	if _, err := host.Journal(t.Context(), "kubelet.service", 1, false); err == nil || !strings.Contains(err.Error(), "read the journal of kubelet.service: ") {
		t.Errorf("it ends with %v", err)
	}
}

// TestTheProgramEndsWithTheAgent, also where that is killed and closes nothing. Its first part is this test once
// more, as the agent.
func TestTheProgramEndsWithTheAgent(t *testing.T) {
	const variable = "SLIPWAY_TEST_PIPE"
	if pipe := os.Getenv(variable); pipe != "" {
		_, journal := said(t, fmt.Sprintf("exec 3>'%s'; echo begun; exec sleep 1000", pipe))
		_, _ = bufio.NewReader(journal).ReadString('\n')
		_ = unix.Kill(os.Getpid(), unix.SIGKILL)
		select {}
	}
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	killed := exec.Command(os.Args[0], "-test.run=^TestTheProgramEndsWithTheAgent$")
	killed.Env = append(os.Environ(), variable+"="+pipe, "TMPDIR="+t.TempDir()) // which it does not clean
	if err := killed.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { // reads until nobody holds the pipe any more
		_, err := os.ReadFile(pipe)
		ended <- err
	}()
	if err := killed.Wait(); err == nil {
		t.Error("the agent was not killed")
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("the program is left")
	}
}
