package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/workflow"
)

// TestEveryWorkflowIsACommandAndCanBePreviewed, with the same options.
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
				if command.Flags().Lookup(option.Name) == nil {
					t.Errorf("%s lacks --%s", command.CommandPath(), option.Name)
				}
			}
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
