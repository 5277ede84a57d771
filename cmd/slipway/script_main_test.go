package main

import (
	"bytes"
	"io"
	"os"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/term"

	"github.com/slipway-k8s/slipway/hosts/hosttest"
	"github.com/slipway-k8s/slipway/hosts/ssh"
)

// slipwayOfScripts is the command as scripts run it: slipway itself, with hosttest's stand-in for
// the agent in it.
func slipwayOfScripts() {
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		_, _ = syscall.Setsid() // the terminal that the tests were started on is not the script's
	}
	version = hosttest.Version
	ownAgent = func() (ssh.Binary, error) {
		content, digest := hosttest.AgentBinary("of scripts", 1<<10)
		open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }
		return ssh.Binary{SHA256: digest, Size: int64(len(content)), Open: open}, nil
	}
	main()
}

// TestEveryCommandHasAScript: what the help lists is told in a story.
func TestEveryCommandHasAScript(t *testing.T) {
	entries, err := os.ReadDir("testdata/script")
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, entry := range entries {
		told = append(told, entry.Name())
	}
	for _, command := range newRootCommand(newProgram()).Commands() {
		if name := command.Name() + ".txtar"; !command.Hidden && !slices.Contains(told, name) {
			t.Errorf("no script is called %s", name)
		}
	}
}
