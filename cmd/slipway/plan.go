package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"sigs.k8s.io/yaml"

	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/workflow"
)

func newPlanCommand(p *program) *cobra.Command {
	var (
		flags    clusterFlags
		request  workflow.Request
		exitCode bool
		contents string
	)
	command := &cobra.Command{
		Use:   "plan -f FILE [WORKFLOW [HOST...]]",
		Short: "Show every file, unit, image, setting and API object that would change",
		Long: `Show the plan of a workflow, and change nothing. What is typed after plan is what would be
typed to carry it out; init unless said:

` + workflowList(),
		Example: `  slipway plan -f ha.yaml --bundle dist/bundle.tar
  slipway plan reset -f ha.yaml worker-2`,
		ValidArgsFunction: p.completePlan,
	}
	format := outputFlag(command)
	command.RunE = func(command *cobra.Command, args []string) error {
		if err := checkFormat(*format); err != nil {
			return err
		}
		w, args, err := workflowOf(args)
		if err != nil {
			return err
		}
		run, err := newPreview(command, w, request, args)
		if err != nil {
			return err
		}
		s, err := p.open(flags, p.silent())
		if err != nil {
			return err
		}
		defer s.Close()
		ready, err := s.Prepare(command.Context(), run)
		if err != nil {
			tellJSON(command.OutOrStdout(), *format, err)
			return err
		}
		if contents != "" {
			return writeContents(command.OutOrStdout(), ready, contents)
		}
		err = show(command.OutOrStdout(), *format, ready.Plan, func(w io.Writer) error {
			_, err := fmt.Fprint(w, plan.Text(ready.Plan))
			return err
		})
		if err == nil && exitCode && !ready.Plan.Empty() {
			return &exitError{exitChanges}
		}
		return err
	}
	flags.add(command)
	flags.addBundle(command)
	for _, w := range workflow.All {
		addOptions(command, w, &request)
	}
	command.Flags().StringVar(&contents, "contents", "", "show what the steps whose id begins so would write, and nothing else; secrets stay hidden")
	command.Flags().BoolVar(&exitCode, "exit-code", false, "exit with code 3 where there are changes")
	return command
}

func workflowList() string {
	var b strings.Builder
	for _, w := range workflow.All {
		fmt.Fprintf(&b, "  %-11s %s\n", w.Name, w.Short)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// workflowOf is the workflow that arguments begin with, and the arguments that are its own.
func workflowOf(args []string) (workflow.Workflow, []string, error) {
	if len(args) == 0 {
		return workflow.Init, nil, nil
	}
	var names []string
	for _, w := range workflow.All {
		words := strings.Fields(w.Name)
		if len(args) >= len(words) && slices.Equal(args[:len(words)], words) {
			return w, args[len(words):], nil
		}
		names = append(names, w.Name)
	}
	return workflow.Workflow{}, nil, usagef("plan %s: there is no such workflow: there are %s", strings.Join(args, " "), strings.Join(names, ", "))
}

// newPreview puts a workflow to use by plan, and refuses what its own command would refuse.
func newPreview(command *cobra.Command, w workflow.Workflow, request workflow.Request, args []string) (*workflow.Run, error) {
	own := newWorkflowCommand(nil, w)
	if own.Args != nil {
		if err := own.Args(own, args); err != nil {
			return nil, &workflow.UsageError{Err: err}
		}
	}
	var err error
	command.Flags().Visit(func(flag *pflag.Flag) {
		ofPlan := slices.Contains([]string{"bundle", "contents", "exit-code"}, flag.Name)
		if !ofPlan && own.Flags().Lookup(flag.Name) == nil {
			err = usagef("plan %s: unknown flag: --%s", w.Name, flag.Name)
		}
	})
	if err == nil && w.Bundle && !command.Flags().Changed("bundle") {
		err = usagef(`required flag(s) "bundle" not set`)
	}
	if err != nil {
		return nil, err
	}
	return newRun(w, request, args)
}

// completePlan completes the workflow's name, and then as that completes its own.
func (p *program) completePlan(command *cobra.Command, said []string, begun string) ([]string, cobra.ShellCompDirective) {
	if w, args, err := workflowOf(said); err == nil && len(said) > 0 {
		return p.completeArgs(w)(command, args, begun)
	}
	var words []string
	for _, w := range workflow.All {
		if name := strings.Fields(w.Name); len(name) > len(said) && slices.Equal(name[:len(said)], said) {
			words = append(words, name[len(said)])
		}
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}

// writeContents shows the files and objects of the steps whose id begins with a prefix,
// as YAML documents.
func writeContents(w io.Writer, ready workflow.Prepared, prefix string) error {
	shown := 0
	for _, step := range ready.Plan.Steps {
		if !strings.HasPrefix(step.ID, prefix) {
			continue
		}
		for _, ref := range plan.Refs(step) {
			content, ok := ready.Contents[ref]
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
