package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/workflow"
)

// newPlanCommand previews init, and by the commands below it every workflow of the table.
func newPlanCommand(p *program) *cobra.Command {
	command := p.newPreview(workflow.Init)
	command.Use, command.Args, command.ValidArgsFunction = "plan -f FILE --bundle FILE", cobra.NoArgs, nil
	command.Short = "Show every file, unit, image, setting and API object that would change"
	command.Long = "Show what init would change or, by the commands below, what another workflow would; nothing is\nchanged. What is typed after 'slipway plan' is what would be typed to carry it out."
	command.Example = "  slipway plan -f ha.yaml --bundle dist/bundle.tar\n  slipway plan reset -f ha.yaml worker-2"
	addWorkflows(command, p.newPreview)
	return command
}

// newPreview is the command that shows a workflow's plan.
func (p *program) newPreview(w workflow.Workflow) *cobra.Command {
	var exitCode bool
	var contents, diff string
	command := p.newShowCommand(w, func(ctx context.Context, s *workflow.Session, run *workflow.Run) (result, error) {
		if contents != "" && diff != "" {
			return result{}, usagef("plan: say --contents or --diff, not both")
		}
		ready, err := s.Prepare(ctx, run)
		switch {
		case err != nil:
			return result{}, err
		case contents != "":
			return result{text: func(w io.Writer) error { return writeContents(w, ready, contents) }}, nil
		case diff != "":
			changes, err := differences(ctx, s, ready, diff)
			return result{value: changes, text: func(w io.Writer) error { return writeDifferences(w, changes) }}, err
		}
		found := result{value: ready.Plan, text: func(w io.Writer) error { return writePlan(w, ready) }}
		if exitCode && !ready.Plan.Empty() {
			found.exit = exitChanges
		}
		return found, nil
	})
	command.Flags().StringVar(&contents, "contents", "", "show what the steps whose id begins so would write, and nothing else; secrets stay hidden")
	command.Flags().StringVar(&diff, "diff", "", "show what the steps whose id begins so would change, line by line, and nothing else; secrets stay hidden")
	command.Flags().BoolVar(&exitCode, "exit-code", false, "exit with code 3 where there are changes")
	return command
}

// writePlan writes a plan, below what its drains will do.
func writePlan(w io.Writer, ready workflow.Prepared) error {
	if ready.Forecast != nil {
		if err := writeShortForecast(w, *ready.Forecast); err != nil {
			return err
		}
	}
	_, err := fmt.Fprint(w, plan.Text(ready.Plan))
	return err
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

// differences are those of the steps whose id begins with a prefix.
func differences(ctx context.Context, s *workflow.Session, ready workflow.Prepared, prefix string) ([]workflow.Change, error) {
	var changes []workflow.Change
	for _, step := range ready.Plan.Steps {
		if !strings.HasPrefix(step.ID, prefix) {
			continue
		}
		change, err := s.Difference(ctx, ready, step.ID)
		if err != nil {
			return nil, err
		}
		changes = append(changes, change)
	}
	if len(changes) == 0 {
		return nil, fmt.Errorf("no step of the plan has an id that begins with %s", prefix)
	}
	return changes, nil
}

// writeDifferences shows each change below its step.
func writeDifferences(w io.Writer, changes []workflow.Change) error {
	for i, change := range changes {
		if i > 0 {
			fmt.Fprintln(w)
		}
		why := ""
		if change.Why != "" {
			why = ": " + change.Why
		}
		fmt.Fprintf(w, "%s\n%s%s\n", change.Step, change.Deed, hosts.CleanLine(why))
		switch {
		case change.Secret:
			fmt.Fprintln(w, "  secret, and not shown")
		case change.Note != "":
			fmt.Fprintf(w, "  %s\n", hosts.CleanLine(change.Note))
		case change.After != nil && len(change.Lines) == 0:
			fmt.Fprintln(w, "  the content stays as it is")
		}
		for _, line := range change.Lines {
			if _, err := fmt.Fprintf(w, "  %s\n", line); err != nil {
				return err
			}
		}
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
