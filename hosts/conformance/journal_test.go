package conformance

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
)

// read opens a unit's journal.
func (t *trial) read(unit string, lines int, follow bool) io.ReadCloser {
	t.Helper()
	journal, err := t.host.Journal(t.ctx, unit, lines, follow)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = journal.Close() })
	return journal
}

func (t *trial) readsAJournal() {
	t.Log("kubelet.service", "one", "two", "three")
	t.Log("containerd.service", "another's")
	for lines, want := range map[int]string{0: "", 2: "two\nthree\n", hosts.MostJournalLines: "one\ntwo\nthree\n"} {
		got, err := io.ReadAll(t.read("kubelet.service", lines, false))
		if err != nil || string(got) != want {
			t.Errorf("of %d lines: %q, %v", lines, got, err)
		}
	}
	if got, err := io.ReadAll(t.read("absent.service", 10, false)); err != nil || len(got) > 0 {
		t.Errorf("of a unit that there is not: %q, %v", got, err)
	}
}

func (t *trial) followsAJournal() {
	const ownJournal = "/var/lib/slipway/journal.jsonl"
	before, _, _ := t.Read(ownJournal)
	t.Log("kubelet.service", "one", "two")
	journal := t.read("kubelet.service", 1, true)
	lines := bufio.NewReader(journal)
	wantLine := func(want string) {
		t.Helper()
		if got, err := lines.ReadString('\n'); err != nil || got != want+"\n" {
			t.Fatalf("%q, %v; want %q", got, err, want)
		}
	}
	wantLine("two")
	t.Log("kubelet.service", "three", "four")
	wantLine("three")
	wantLine("four")
	ended := make(chan error, 1)
	go func() {
		_, err := lines.ReadString('\n')
		ended <- err
	}()
	if err := journal.Close(); err != nil {
		t.Error(err)
	}
	select {
	case err := <-ended:
		if err == nil {
			t.Error("a closed journal has a line")
		}
	case <-t.ctx.Done():
		t.Fatal("a read of a closed journal does not end")
	}
	_ = journal.Close() // again
	if after, _, _ := t.Read(ownJournal); string(after) != string(before) {
		t.Errorf("the host has noted %q", after)
	}
}

func (t *trial) holdsAJournalBack() {
	text := strings.Repeat("x", 1000)
	var all []string
	for i := range 4000 { // 4 MB: more than is kept
		all = append(all, fmt.Sprintf("%05d %s", i, text))
	}
	t.Log("kubelet.service", all...)
	journal := t.read("kubelet.service", len(all), true)
	t.observe(hosts.Query{})
	lines := bufio.NewScanner(journal)
	for i := range all {
		if !lines.Scan() || lines.Text() != all[i] {
			t.Fatalf("line %d is %.20q, %v", i, lines.Text(), lines.Err())
		}
	}
}

func (t *trial) refusesJournals() {
	for _, unit := range []string{"", "--help", "kubelet", "*.service", "a b.service", "kubelet.service\n", "../kubelet.service"} {
		if journal, err := t.host.Journal(t.ctx, unit, 1, false); err == nil {
			_ = journal.Close()
			t.Errorf("%q has a journal", unit)
		}
	}
	for _, lines := range []int{-1, hosts.MostJournalLines + 1} {
		if journal, err := t.host.Journal(t.ctx, "kubelet.service", lines, false); err == nil {
			_ = journal.Close()
			t.Errorf("%d lines are read", lines)
		}
	}
}
