package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/workflow"
)

// The groups of commands in the help.
const (
	groupCluster  = "cluster"
	groupUse      = "use"
	groupMaterial = "material"
)

// changeFlags are the flags of every command that changes something.
type changeFlags struct {
	clusterFlags
	output   *string
	timeline string
}

// parents are the commands that those of several words stand below.
var parents = map[string]string{"image": "The images on the hosts", "ha": "Try out what high availability promises", "upgrade": "Bring a cluster to another version"}

// addWorkflows adds a command for each workflow of the table, below the words of its name.
func addWorkflows(root *cobra.Command, make func(workflow.Workflow) *cobra.Command) {
	for _, w := range workflow.All {
		words := strings.Fields(w.Name)
		above := root
		for _, word := range words[:len(words)-1] {
			above = below(root, word)
		}
		command := make(w)
		if above == root {
			command.GroupID = groupOf(root, words[0])
		}
		above.AddCommand(command)
	}
}

// below is the command of a word that further ones stand below.
func below(root *cobra.Command, word string) *cobra.Command {
	for _, command := range root.Commands() {
		if command.Name() == word {
			return command
		}
	}
	command := &cobra.Command{Use: word, Short: parents[word], GroupID: groupOf(root, word)}
	root.AddCommand(command)
	return command
}

func groupOf(root *cobra.Command, word string) string {
	group := groupCluster
	if word == "image" {
		group = groupUse
	}
	if !root.ContainsGroup(group) {
		return "" // below plan all are of one kind
	}
	return group
}

// base is the command of a workflow, as its row of the table says, without what it does.
func (p *program) base(w workflow.Workflow, flags *clusterFlags, request *workflow.Request) *cobra.Command {
	command := &cobra.Command{Use: w.Use, Short: w.Short, Long: w.Long, Example: w.Example, ValidArgsFunction: p.completeArgs(w)}
	command.Args = argsOf(w)
	flags.add(command)
	if w.Bundle {
		flags.addBundle(command)
	}
	if names := w.Ignorable(); len(names) > 0 {
		command.Flags().StringSliceVar(&request.IgnoreChecks, "ignore-checks", nil, "names of checks to ignore, as a refusal shows them, with commas between: their errors become warnings")
		_ = command.RegisterFlagCompletionFunc("ignore-checks", cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp))
	}
	for _, option := range w.Options {
		addOption(command.Flags(), option, request)
	}
	if w.Args == workflow.Archives {
		command.Flags().StringVar(&request.ImageName, "name", "", "what to call the one image of the archive, where it has no name there or another")
	}
	return command
}

// argsOf refuses more or fewer arguments than a workflow takes.
func argsOf(w workflow.Workflow) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case w.Args == workflow.NoArgs && len(args) > 0:
			return usagef("%s: it takes no names, and was given %q: what it does follows from the cluster file", w.Name, args[0])
		case w.Args == workflow.Hosts && len(args) == 0:
			return usagef("%s: name at least one host", w.Name)
		case w.Args == workflow.Archives && len(args) == 0:
			return usagef("%s: name at least one file with images", w.Name)
		}
		return nil
	}
}

// newWorkflowCommand is the command that carries a workflow out.
func (p *program) newWorkflowCommand(w workflow.Workflow) *cobra.Command {
	var (
		flags   changeFlags
		request workflow.Request
	)
	command := p.base(w, &flags.clusterFlags, &request)
	command.RunE = func(command *cobra.Command, args []string) error {
		run, err := newRun(w, request, args)
		if err != nil {
			return err
		}
		if request.ForecastOnly {
			return p.showRun(command, run, flags.clusterFlags, *flags.output, forecastOf)
		}
		return p.change(command, run, flags)
	}
	flags.output = formatFlag(command, "format: text, or json for one event per stage and step", formatText, formatJSON)
	if request.Yes = w.Unasked; w.Unasked {
		return command
	}
	command.Flags().BoolVar(&request.Yes, "yes", false, "do it without asking")
	command.Flags().StringVar(&flags.timeline, "timeline", "", "draw what took how long, a bar per step and host, into this SVG file")
	_ = command.MarkFlagFilename("timeline", "svg")
	return command
}

// newRun puts a workflow to use, with a command's arguments.
func newRun(w workflow.Workflow, request workflow.Request, args []string) (*workflow.Run, error) {
	if w.Args == workflow.Archives {
		request.Archives = args
	} else {
		request.Hosts = args
	}
	return workflow.New(w, request)
}

// change carries a workflow out, and shows it as the flags say.
func (p *program) change(command *cobra.Command, run *workflow.Run, flags changeFlags) error {
	out, times := command.OutOrStdout(), newTimeline()
	s, err := p.open(flags.clusterFlags, timed{p.newFront(*flags.output, run.Yes, out), times})
	if err != nil {
		return err
	}
	err = s.Run(command.Context(), run)
	s.Close() // before the last word: whoever reads JSON finds the result in the last line
	if flags.timeline != "" {
		err = errors.Join(err, times.save(flags.timeline, s.HostNames()))
	}
	tellJSON(newShown(out), *flags.output, err)
	return err
}

// forecastOf is what a workflow's drains will do; the exit code is 4 where one would not end.
func forecastOf(ctx context.Context, s *workflow.Session, run *workflow.Run) (result, error) {
	f, err := s.Forecast(ctx, run)
	if err != nil {
		return result{}, err
	}
	found := result{value: f, text: func(w io.Writer) error { return writeForecast(w, f) }}
	if len(f.Blocked()) > 0 {
		found.exit = exitRefused
	}
	return found, nil
}

// newFront chooses how a workflow is shown: as JSON when asked, by a live display on a
// terminal, else by a line per event. With yes nobody is asked.
func (p *program) newFront(format string, yes bool, out io.Writer) workflow.Frontend {
	shown := newShown(out)
	if format == formatJSON {
		return &jsonFront{silentFront: p.silent(), yes: yes, encoder: json.NewEncoder(shown)}
	}
	text := &textFront{silentFront: p.silent(), yes: yes, out: shown, steps: longSteps{}}
	if screen := terminal(out); screen != nil {
		return newLiveFront(text, screen)
	}
	return &plainFront{textFront: text}
}

// timed notes the time of all that a front end is told.
type timed struct {
	workflow.Frontend
	times *timeline
}

func (t timed) Event(event plan.Event) {
	t.times.Event(event)
	t.Frontend.Event(event)
}

// completeArgs completes the names of the cluster file's hosts, where that is named already.
func (p *program) completeArgs(w workflow.Workflow) cobra.CompletionFunc {
	return func(command *cobra.Command, said []string, _ string) ([]string, cobra.ShellCompDirective) {
		switch w.Args {
		case workflow.NoArgs:
			return nil, cobra.ShellCompDirectiveNoFileComp
		case workflow.Archives:
			return nil, cobra.ShellCompDirectiveDefault
		}
		file, err := command.Flags().GetString("file")
		if err != nil || file == "-" {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		s, err := p.open(clusterFlags{file: file}, p.silent())
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer s.Close()
		names := slices.DeleteFunc(s.HostNames(), func(name string) bool { return slices.Contains(said, name) })
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}
