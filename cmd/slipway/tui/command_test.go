package tui

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
)

// commands are words that a shell would take apart, or carry out, if they were typed as they are.
var commands = [][]string{
	{"slipway", "status", "-f", "my cluster.yaml", "--watch"},
	{"slipway", "bundle", "verify", "it's  here; $(touch x) `touch y`.tar"},
	{"slipway", "journal", "", `back\slash`, "'", "*", "~", "a'b c'd"},
	{"slipway", "hosts", "check", "-f", strings.Repeat("long name ", 5), strings.Repeat("x", 40), strings.Repeat("one more ", 6), "last"},
}

// TestCommandsAreQuoted: what the screens show to be typed says the same when a shell reads it.
func TestCommandsAreQuoted(t *testing.T) {
	read := func(script string) []string {
		out, err := exec.Command("sh", "-c", `slipway() { for word in slipway "$@"; do printf '%s\n' "$word"; done; }`+"\n"+script).Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	}
	for _, words := range commands {
		command := shellWords(words...)
		if got := read(command); !slices.Equal(got, words) {
			t.Errorf("%s\nis read as %q, want %q", command, got, words)
		}
		lines := newCommandScreen(onPaper(t, Terminal{}, text.English), command).body(80, 20)
		if got := read(strings.Join(lines, "\n")); !slices.Equal(got, words) {
			t.Errorf("on the screen of the command:\n%s\nis read as %q, want %q", strings.Join(lines, "\n"), got, words)
		}
		for _, line := range lines {
			if width(line) > 80 {
				t.Errorf("%d columns: %s", width(line), line)
			}
		}
	}
	s := onPaper(t, Terminal{}, text.English)
	in := installerOnPaper(t, s, fileOnPaper)
	s.options.File = "my cluster.yaml"
	for name, one := range map[string]screen{"hosts": newHostsScreen(in), "endpoint": newEndpointScreen(in), "keys": newTrustScreen(in), "dashboard": newDashboard(s, "my cluster.yaml")} {
		if got := one.command(); !strings.Contains(got, " 'my cluster.yaml'") {
			t.Errorf("%s: %s", name, got)
		}
	}
	step := newStepScreen(&jobOnPaper(s, planned, ran).jobView, "cp-3/prepare/swap")
	if got := step.command(); !strings.HasPrefix(got, "slipway plan init -f ") {
		t.Errorf("a step's command is %s", got)
	}
}
