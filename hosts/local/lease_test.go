//go:build linux

package local_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/local"
)

// lockLease locks the lease's file as another process would, around a note.
func (m *machine) lockLease(how int, note hosts.LeaseHolder) (unlock func()) {
	m.t.Helper()
	m.writeJSON("/run/slipway/lease", note)
	file, err := os.Open(m.at("/run/slipway/lease"))
	if err != nil {
		m.t.Fatal(err)
	}
	if err := syscall.Flock(int(file.Fd()), how); err != nil {
		m.t.Fatal(err)
	}
	return sync.OnceFunc(func() { file.Close() })
}

func noteOf(holder string, heard time.Time) hosts.LeaseHolder {
	text := heard.UTC().Format(time.RFC3339)
	return hosts.LeaseHolder{Holder: holder, Since: text, Heard: text}
}

// TestDeadHoldersNoteIsNotBelieved has somebody without the lease at work beside a note
// that a killed holder left a moment ago.
func TestDeadHoldersNoteIsNotBelieved(t *testing.T) {
	t.Parallel() // it waits for as long as TakeLease does
	m := newMachine(t)
	defer m.lockLease(syscall.LOCK_SH, noteOf("dead", time.Now()))()
	_, err := m.host().Do(t.Context(), hosts.TakeLease{Holder: "new"}, nil)
	var holder hosts.LeaseHolder
	if !errors.As(err, &holder) || holder.Holder == "dead" {
		t.Errorf("it ends with %v", err)
	}
}

// TestOldNoteIsWaitedOver has a lock, beside an old note, that goes once the note was read.
func TestOldNoteIsWaitedOver(t *testing.T) {
	m := newMachine(t)
	unlock := m.lockLease(syscall.LOCK_EX, noteOf("dead", time.Now().Add(-10*time.Second)))
	defer unlock()
	host, err := local.New(local.Options{
		Root: m.root, Systemd: m.systemd, Containerd: m.containerd,
		Now: func() time.Time { unlock(); return time.Now() },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = host.Close() })
	m.once(host, hosts.TakeLease{Holder: "new"}, hosts.Changed)
}

func TestHolderThatWasStoppedIsNamed(t *testing.T) {
	t.Parallel() // as above
	m := newMachine(t)
	defer m.lockLease(syscall.LOCK_EX, noteOf("me@laptop", time.Now().Add(-time.Hour)))()
	_, err := m.host().Do(t.Context(), hosts.TakeLease{Holder: "new"}, nil)
	var holder hosts.LeaseHolder
	if !errors.As(err, &holder) || holder.Holder != "me@laptop" {
		t.Errorf("it ends with %v", err)
	}
}

func TestJournalNamesThePlan(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	make := func(path, plan string) {
		t.Helper()
		m.once(host, hosts.MakeDirectory{Path: path, Mode: 0o755}, hosts.Changed)
		lines := strings.Split(strings.TrimSpace(m.read("/var/lib/slipway/journal.jsonl")), "\n")
		for _, line := range lines[len(lines)-2:] {
			if got := decodeLine(t, line)["plan"]; got != plan {
				t.Errorf("the plan of %s is %q, want %q", line, got, plan)
			}
		}
	}
	make("/etc/a", "")
	m.do(host, hosts.TakeLease{Holder: "me", Plan: "sha256:1"})
	make("/etc/b", "sha256:1")
	m.once(host, hosts.TakeLease{Holder: "me", Plan: "sha256:2"}, hosts.Unchanged)
	make("/etc/c", "sha256:2")
	m.do(host, hosts.ReleaseLease{})
	make("/etc/d", "")
}

func TestJournalIsBounded(t *testing.T) {
	m := newMachine(t)
	host := m.host()
	for _, filler := range []string{"older", "newer"} {
		m.write("/var/lib/slipway/journal.jsonl", strings.Repeat(filler+"\n", (8<<20)/6))
		m.once(host, hosts.MakeDirectory{Path: filepath.Join("/etc", filler), Mode: 0o755}, hosts.Changed)
		if lines := strings.Count(m.read("/var/lib/slipway/journal.jsonl"), "\n"); lines != 2 {
			t.Errorf("the journal begins with %d lines, want the two of one action", lines)
		}
		if kept := m.read("/var/lib/slipway/journal.jsonl.1"); !strings.HasPrefix(kept, filler) {
			t.Errorf("the older journal is %.10q", kept)
		}
	}
	entries, err := os.ReadDir(m.at("/var/lib/slipway"))
	if err != nil {
		t.Fatal(err)
	}
	journals := 0
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), "journal") {
			journals++
		}
	}
	if journals != 2 {
		t.Errorf("there are %d journals", journals)
	}
}
