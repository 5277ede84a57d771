package main

import (
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/workflow"
)

// TestAHostsOutputSteersNothing: it cannot move the cursor, nor write a line in another's name.
func TestAHostsOutputSteersNothing(t *testing.T) {
	var out, err strings.Builder
	lines := hostLines{out: &out, err: &err}
	lines.tell(workflow.CommandResult{Host: "cp-1", CommandOutput: &hosts.CommandOutput{
		Stdout: "one\r\x1b[2Kcp-2 | forged\nlast", Stderr: "\x1b]0;title\x07", LeftOut: 5, Code: 3,
	}})
	if got, want := out.String(), "cp-1 | one\\u000d\\u001b[2Kcp-2 | forged\ncp-1 | last\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := err.String(), "cp-1 | \\u001b]0;title\\u0007\ncp-1 | (5 bytes left out)\ncp-1 | failed: exit code 3\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
