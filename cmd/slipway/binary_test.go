package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestABinaryIsReadOnceAndAgainWhenItChanges: also where the new one has the old one's size
// and time, and where what was noted is no such note.
func TestABinaryIsReadOnceAndAgainWhenItChanges(t *testing.T) {
	folder := t.TempDir()
	path, memory := filepath.Join(folder, "slipway"), filepath.Join(folder, "cache", "own-binary.json")
	write := func(file, content string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now().Add(2 * settled)
	digest := func() string {
		t.Helper()
		binary, err := readOnce(path, memory, now)
		if err != nil || binary.Size != 3 {
			t.Fatalf("%+v %v", binary, err)
		}
		return binary.SHA256
	}
	write(path, "one")
	if _, err := readOnce(path, memory, time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(memory); err == nil {
		t.Error("a file is noted whose next change may have the same time")
	}
	first := digest()
	noted, err := os.ReadFile(memory)
	if err != nil || !strings.Contains(string(noted), first) {
		t.Fatalf("nothing is noted: %s %v", noted, err)
	}
	told := strings.Repeat("0", len(first))
	write(memory, strings.Replace(string(noted), first, told, 1))
	if got := digest(); got != told {
		t.Errorf("it was read again: %s", got)
	}
	for _, broken := range []string{"{", strings.Replace(string(noted), first, "no digest", 1), ""} {
		write(memory, broken)
		if got := digest(); got != first {
			t.Errorf("by the note %q: %s, want %s", broken, got, first)
		}
	}

	was, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	for before, _, _ := fileState(path); ; { // a kernel's clock may have ticks
		write(path, "two")
		if err := os.Chtimes(path, was.ModTime(), was.ModTime()); err != nil {
			t.Fatal(err)
		}
		if after, _, _ := fileState(path); after != before {
			break
		}
	}
	if second := digest(); second == first {
		t.Error("another binary is taken for the first")
	}
	if left, err := filepath.Glob(filepath.Join(folder, "cache", ".*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	if _, err := readOnce(path, filepath.Join(path, "nowhere"), now); err != nil {
		t.Errorf("where nothing can be noted: %v", err)
	}
}
