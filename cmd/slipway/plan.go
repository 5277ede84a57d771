package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/slipway-k8s/slipway/phases/plan"
)

func newPlanCommand() *cobra.Command {
	var (
		flags    clusterFlags
		workflow string
		exitCode bool
		contents string
	)
	command := &cobra.Command{
		Use:   "plan -f FILE --bundle FILE",
		Short: "Show every file, unit, image, setting and API object that would change",
		Args:  cobra.NoArgs,
	}
	format := outputFlag(command)
	command.RunE = func(command *cobra.Command, _ []string) error {
		if err := checkFormat(*format); err != nil {
			return err
		}
		p, err := plannerOf(workflow)
		if err != nil {
			return err
		}
		s, err := load(flags)
		if err != nil {
			return err
		}
		defer s.Close()
		ready, err := s.prepare(command.Context(), p)
		if err != nil {
			tellJSON(command.OutOrStdout(), *format, err)
			return err
		}
		if contents != "" {
			return writeContents(command.OutOrStdout(), ready, contents)
		}
		err = show(command.OutOrStdout(), *format, ready.plan, func(w io.Writer) error {
			_, err := fmt.Fprint(w, plan.Text(ready.plan))
			return err
		})
		if err == nil && exitCode && !ready.plan.Empty() {
			return &exitError{exitChanges}
		}
		return err
	}
	flags.addBundle(command)
	command.Flags().StringVar(&workflow, "workflow", "init", "what to plan: init or join")
	command.Flags().StringVar(&contents, "contents", "", "show what the steps whose id begins so would write, and nothing else; secrets stay hidden")
	command.Flags().BoolVar(&exitCode, "exit-code", false, "exit with code 3 where there are changes")
	return command
}

func plannerOf(workflow string) (planner, error) {
	switch workflow {
	case "init":
		return initPlanner(), nil
	case "join":
		return joinPlanner(false), nil
	}
	return planner{}, usagef("--workflow %s: must be init or join", workflow)
}

// writeContents shows the files and objects of the steps whose id begins with a prefix,
// as YAML documents.
func writeContents(w io.Writer, ready prepared, prefix string) error {
	shown := 0
	for _, step := range ready.plan.Steps {
		if !strings.HasPrefix(step.ID, prefix) {
			continue
		}
		for _, ref := range plan.Refs(step) {
			content, ok := ready.contents[ref]
			if !ok {
				continue // a blob of the bundle
			}
			shown++
			if _, err := fmt.Fprintf(w, "---\n# %s\n%s\n", step.ID, readable(step, ref, content)); err != nil {
				return err
			}
		}
	}
	if shown == 0 {
		return fmt.Errorf("no step of the plan that writes something has an id that begins with %s", prefix)
	}
	return nil
}

// readable is content as people read it: objects as YAML, files as they are, secrets not at all.
func readable(step plan.Step, ref string, content []byte) string {
	if strings.HasPrefix(ref, "secret:") {
		return "# " + ref
	}
	if step.Cluster != nil {
		if text, err := yaml.JSONToYAML(content); err == nil {
			return string(text)
		}
	}
	return string(content)
}
