package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
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
	if w.Unasked {
		return command
	}
	command.Flags().BoolVar(&request.Yes, "yes", false, "do it without asking")
	command.Flags().StringVar(&flags.timeline, "timeline", "", "draw what took how long, a bar per step and host, into this SVG file")
	_ = command.MarkFlagFilename("timeline", "svg")
	return command
}

// change carries a workflow out, and shows it as the flags say.
func (p *program) change(command *cobra.Command, run *workflow.Run, flags changeFlags) error {
	out, times := command.OutOrStdout(), newTimeline()
	if run.Interrupted != "" {
		p.waits.ends = "interrupted; " + run.Interrupted + "\n"
	}
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
