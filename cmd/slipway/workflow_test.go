package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/slipway-k8s/slipway/workflow"
)

// TestEveryWorkflowIsACommandAndCanBePreviewed, with the same options; a preview shows the forecast anyway.
func TestEveryWorkflowIsACommandAndCanBePreviewed(t *testing.T) {
	root := newRootCommand(newProgram())
	find := func(args ...string) *cobra.Command {
		command, rest, err := root.Find(args)
		if err != nil || len(rest) > 0 || !command.Runnable() {
			t.Fatalf("slipway %s: %v %v", strings.Join(args, " "), rest, err)
		}
		return command
	}
	for _, w := range workflow.All {
		words := strings.Fields(w.Name)
		for _, command := range []*cobra.Command{find(words...), find(append([]string{"plan"}, words...)...)} {
			if command.Short != w.Short {
				t.Errorf("%s is for another: %s", command.CommandPath(), command.Short)
			}
			for _, option := range w.Options {
				has, preview := command.Flags().Lookup(option.Name) != nil, strings.HasPrefix(command.CommandPath(), "slipway plan")
				if want := option.Name != "forecast" || !preview; has != want {
					t.Errorf("%s has --%s: %v", command.CommandPath(), option.Name, has)
				}
			}
		}
	}
}

// TestOptionsOfEveryKindAreFlags, and one that is not said is told from a zero.
func TestOptionsOfEveryKindAreFlags(t *testing.T) {
	var (
		yes, more bool
		number    = 3
		text      string
		list      []string
		period    = time.Minute
		grace     *int
		limit     *time.Duration
	)
	read := func(args ...string) error {
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		for name, at := range map[string]any{
			"yes": &yes, "more": &more, "number": &number, "text": &text, "list": &list, "period": &period, "grace": &grace, "limit": &limit,
		} {
			addOption(flags, workflow.Option{Name: name, Of: func(*workflow.Request) any { return at }}, nil)
		}
		return flags.Parse(args)
	}
	if err := read(); err != nil || yes || number != 3 || text != "" || list != nil || period != time.Minute || grace != nil || limit != nil {
		t.Errorf("nothing was said: %v %v %v %q %q %v %v %v", err, yes, number, text, list, period, grace, limit)
	}
	if err := read("--yes", "--number", "4", "--text", "a", "--list", "b,c", "--period", "2s", "--grace", "0", "--limit", "0s"); err != nil {
		t.Fatal(err)
	}
	if !yes || more || number != 4 || text != "a" || !slices.Equal(list, []string{"b", "c"}) || period != 2*time.Second {
		t.Error(yes, more, number, text, list, period)
	}
	if grace == nil || *grace != 0 || limit == nil || *limit != 0 {
		t.Errorf("what was said is taken for nothing: %v %v", grace, limit)
	}
	for _, wrong := range []string{"--grace=soon", "--limit=5", "--number=x"} {
		if err := read(wrong); err == nil {
			t.Errorf("%s was taken", wrong)
		}
	}
}

func TestHostsAndWorkflowsAreCompleted(t *testing.T) {
	file := clusterFile(t, strings.Replace(withKubelet, "hosts: [", "hosts: [{name: worker-1, address: 192.0.2.21, roles: [worker], ssh: {identityFile: id}}, ", 1))
	for line, want := range map[string][]string{
		"reset -f FILE ":               {"worker-1", "cp-1"},
		"plan reset -f FILE worker-1 ": {"cp-1"},
		"plan image ":                  {"load"},
		"reset -f nowhere ":            nil,
	} {
		root := newRootCommand(newProgram())
		var out bytes.Buffer
		root.SetOut(&out)
		root.SetErr(&out)
		root.SetArgs(append([]string{"__complete"}, strings.Split(strings.Replace(line, "FILE", file, 1), " ")...))
		if err := root.Execute(); err != nil {
			t.Fatal(err)
		}
		var got []string
		for text := range strings.Lines(out.String()) {
			if word, _, _ := strings.Cut(strings.TrimSpace(text), "\t"); word != "" && !strings.ContainsAny(word[:1], ":-C") {
				got = append(got, word)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q\n%s", line, got, want, out.String())
		}
	}
}
