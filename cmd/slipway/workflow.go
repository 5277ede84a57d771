package main

import (
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/workflow"
)

// clusterFlags are the flags of every command that needs a cluster file.
type clusterFlags struct {
	file   string
	bundle string
}

func (f *clusterFlags) add(command *cobra.Command) {
	command.Flags().StringVarP(&f.file, "file", "f", "", "the cluster file (- for standard input)")
	_ = command.MarkFlagFilename("file", "yaml", "yml")
	_ = command.MarkFlagRequired("file")
}

func (f *clusterFlags) addBundle(command *cobra.Command) {
	command.Flags().StringVar(&f.bundle, "bundle", "", "the bundle with all that the hosts will run")
	_ = command.MarkFlagFilename("bundle", "tar")
}

// changeFlags are the flags of every command that changes something.
type changeFlags struct {
	clusterFlags
	output   string
	timeline string
}

func (f *changeFlags) check() error {
	if f.output == formatYAML {
		return usagef("--output yaml: a run is shown as text or json")
	}
	return checkFormat(f.output)
}

// newWorkflowCommand is the command of a workflow, as the workflow's row of the table says.
func newWorkflowCommand(p *program, w workflow.Workflow) *cobra.Command {
	var (
		flags   changeFlags
		request workflow.Request
	)
	command := helpOf(w)
	command.Args = argsOf(w)
	command.ValidArgsFunction = p.completeArgs(w)
	command.RunE = func(command *cobra.Command, args []string) error {
		return p.change(command, w, request, args, flags)
	}
	flags.add(command)
	if w.Bundle {
		flags.addBundle(command)
		_ = command.MarkFlagRequired("bundle")
	}
	command.Flags().StringVarP(&flags.output, "output", "o", formatText, "format: text, or json for one event per step")
	addOptions(command, w, &request)
	if w.Args == workflow.Archives {
		request.Yes = true // adding an image takes nothing away
		return command
	}
	command.Flags().BoolVar(&request.Yes, "yes", false, "do it without asking")
	command.Flags().StringVar(&flags.timeline, "timeline", "", "draw what took how long, a bar per step and host, into this SVG file")
	_ = command.MarkFlagFilename("timeline", "svg")
	return command
}

func helpOf(w workflow.Workflow) *cobra.Command {
	return &cobra.Command{Use: w.Use, Short: w.Short, Long: w.Long, Example: w.Example, Args: cobra.NoArgs}
}

func argsOf(w workflow.Workflow) cobra.PositionalArgs {
	switch w.Args {
	case workflow.SomeHosts:
		return nil
	case workflow.Hosts, workflow.Archives:
		return cobra.MinimumNArgs(1)
	}
	return cobra.NoArgs
}

func addOptions(command *cobra.Command, w workflow.Workflow, request *workflow.Request) {
	for _, option := range w.Options {
		command.Flags().BoolVar(option.Of(request), option.Name, false, option.Usage)
	}
	if w.Args == workflow.Archives {
		command.Flags().StringVar(&request.ImageName, "name", "", "what to call the one image of the archive, where it has no name there or another")
	}
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

// change carries a workflow out.
func (p *program) change(command *cobra.Command, w workflow.Workflow, request workflow.Request, args []string, flags changeFlags) error {
	run, err := newRun(w, request, args)
	if err != nil {
		return err
	}
	if err := flags.check(); err != nil {
		return err
	}
	out := command.OutOrStdout()
	front := p.newFront(flags.output, run.Yes, out)
	times := newTimeline()
	s, err := p.open(flags.clusterFlags, timed{front, times})
	if err != nil {
		return err
	}
	defer s.Close()
	err = s.Run(command.Context(), run)
	if flags.timeline != "" {
		err = errors.Join(err, times.save(flags.timeline, s.HostNames()))
	}
	tellJSON(newShown(out), flags.output, err)
	return err
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
