package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
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
	digest := func() string {
		t.Helper()
		binary, err := readOnce(path, memory)
		if err != nil || binary.Size != 3 {
			t.Fatalf("%+v %v", binary, err)
		}
		return binary.SHA256
	}
	write(path, "one")
	first := digest()
	noted, err := os.ReadFile(memory)
	if err != nil || !strings.Contains(string(noted), first) {
		t.Fatalf("nothing is noted: %s %v", noted, err)
	}
	write(memory, strings.Replace(string(noted), first, "noted", 1))
	if got := digest(); got != "noted" {
		t.Errorf("it was read again: %s", got)
	}

	was, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	write(path, "two")
	if err := os.Chtimes(path, was.ModTime(), was.ModTime()); err != nil {
		t.Fatal(err)
	}
	second := digest()
	if second == first || second == "noted" {
		t.Error("another binary is taken for the first")
	}
	write(memory, "{")
	if got := digest(); got != second {
		t.Errorf("%s, want %s", got, second)
	}
	if left, err := filepath.Glob(filepath.Join(folder, "cache", ".*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	if _, err := readOnce(path, filepath.Join(path, "nowhere")); err != nil {
		t.Errorf("where nothing can be noted: %v", err)
	}
}
