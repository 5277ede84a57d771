package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
)

// TestFoundHostsHaveTheirNames, in the order of their addresses. No network is asked.
func TestFoundHostsHaveTheirNames(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	if err := os.Mkdir(filepath.Join(home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, ".ssh", "config"), []byte("Host cp-1\nHostName 192.0.2.11\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	listens := map[string]bool{"192.0.2.11:22": true, "192.0.2.9:22": true}
	p := newProgram()
	p.knock = func(_ context.Context, _, address string) (net.Conn, error) {
		if !listens[address] {
			return nil, errors.New("refused")
		}
		conn, _ := net.Pipe()
		return conn, nil
	}
	for format, want := range map[string]string{
		"text": "ADDRESS     KNOWN AS\n192.0.2.9   -\n192.0.2.11  cp-1\n",
		"yaml": "- address: 192.0.2.9\n- address: 192.0.2.11\n  name: cp-1\n",
	} {
		if got := findHosts(t, p, "192.0.2.0/28", "-o", format); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got, want := findHosts(t, p, "192.0.2.128/28"), "nobody listens on port 22 in 192.0.2.128/28\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := findHosts(t, p, "192.0.2.128/28", "-o", "json"), "[]\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func findHosts(t *testing.T, p *program, args ...string) string {
	t.Helper()
	var said bytes.Buffer
	command := p.newHostsFindCommand()
	command.SetArgs(args)
	command.SetOut(&said)
	command.SetErr(io.Discard)
	if err := command.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	return said.String()
}
