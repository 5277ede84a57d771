package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/slipway-k8s/slipway/workflow"
)

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
	if command.Flags().Lookup(workflow.HostsOnly) != nil {
		delete(command.Flags().Lookup("bundle").Annotations, cobra.BashCompOneRequiredFlag)
		command.MarkFlagsOneRequired("bundle", workflow.HostsOnly)
		command.MarkFlagsMutuallyExclusive("bundle", workflow.HostsOnly)
	}
	if w.Args == workflow.Archives {
		command.Flags().StringVar(&request.ImageName, "name", "", "what to call the one image of the archive, where it has no name there or another")
	}
	return command
}

// argsOf refuses more or fewer arguments than a workflow takes.
func argsOf(w workflow.Workflow) cobra.PositionalArgs {
	return func(command *cobra.Command, args []string) error {
		switch {
		case w.Args == workflow.NoArgs && len(args) > 0:
			return usagef("%s: it takes no arguments, and was given %q: %s", w.Name, args[0], insteadOf(command, w, args[0]))
		case w.Args == workflow.Hosts && len(args) == 0:
			return usagef("%s: name at least one host", w.Name)
		case w.Args == workflow.Archives && len(args) == 0:
			return usagef("%s: name at least one file with images", w.Name)
		}
		return nil
	}
}

// insteadOf says what counts where a workflow was given an argument that it does not take.
func insteadOf(command *cobra.Command, w workflow.Workflow, argument string) string {
	instead := "what it does follows from the cluster file"
	if w.Name == workflow.UpgradeApply.Name {
		instead = "the version is that of the bundle"
	}
	command.Flags().Visit(func(flag *pflag.Flag) {
		list, is := flag.Value.(pflag.SliceValue)
		if !is {
			return
		}
		if all := list.GetSlice(); len(all) > 1 && all[len(all)-1] == "" { // --without cp-1, cp-2
			instead = fmt.Sprintf("a list has commas without spaces: --%s %s%s", flag.Name, strings.Join(all, ","), argument)
		}
	})
	return instead
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

// completeArgs completes the names of the cluster file's hosts, where that is named already.
func (p *program) completeArgs(w workflow.Workflow) cobra.CompletionFunc {
	return func(command *cobra.Command, said []string, _ string) ([]string, cobra.ShellCompDirective) {
		switch w.Args {
		case workflow.NoArgs:
			return nil, cobra.ShellCompDirectiveNoFileComp
		case workflow.Archives:
			return nil, cobra.ShellCompDirectiveDefault
		}
		var names []string
		p.completing(command, func(s *workflow.Session) {
			names = slices.DeleteFunc(s.HostNames(), func(name string) bool { return slices.Contains(said, name) })
		})
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// completing calls with the cluster file that a command line names, where it names one that can be read.
func (p *program) completing(command *cobra.Command, call func(*workflow.Session)) {
	file, err := command.Flags().GetString("file")
	if err != nil || file == "-" {
		return
	}
	s, err := p.open(clusterFlags{file: file}, p.silent())
	if err != nil {
		return
	}
	defer s.Close()
	call(s)
}
