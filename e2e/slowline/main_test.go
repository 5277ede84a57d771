package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSlowline carries what a command is given and says, late, and counts it.
func TestSlowline(t *testing.T) {
	program := filepath.Join(t.TempDir(), "slowline")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v: %s", err, out)
	}
	counts := t.TempDir()
	command := exec.Command(program, "-delay", "100ms", "-rate", "8000000", "-loss", "0", "-count", counts, "--", "cat")
	sent := bytes.Repeat([]byte("x"), 200_000) // 0.2 s there, and the same back
	command.Stdin = bytes.NewReader(sent)
	began := time.Now()
	got, err := command.Output()
	if took := time.Since(began); err != nil || !bytes.Equal(got, sent) || took < 400*time.Millisecond {
		t.Errorf("%d bytes came back after %s: %v", len(got), took, err)
	}
	files, _ := filepath.Glob(filepath.Join(counts, "*"))
	if len(files) != 1 {
		t.Fatalf("it counted in %q", files)
	}
	if counted, _ := os.ReadFile(files[0]); strings.TrimSpace(string(counted)) != "200000 200000" {
		t.Errorf("it counted %q", counted)
	}
	if err := exec.Command(program, "--", "/nowhere/at/all").Run(); err == nil {
		t.Error("a command that is not there is none")
	}
}
