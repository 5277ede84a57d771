package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/cluster"
)

func newConfigCommand(p *program) *cobra.Command {
	command := &cobra.Command{
		Use:   "config",
		Short: "Print, validate and describe cluster files",
	}
	command.AddCommand(newConfigPrintCommand(p), newConfigValidateCommand(p), newConfigSchemaCommand())
	return command
}

func newConfigPrintCommand(p *program) *cobra.Command {
	var file string
	var output *string
	command := &cobra.Command{
		Use:   "print [-f FILE]",
		Short: "Print a cluster file to start from, or one completed with its defaults",
		Long: `Print a cluster file to start from, with every default spelled out and explained. With
-f, print that file as Slipway understands it: completed with all defaults.`,
		Example: `  slipway config print > cluster.yaml
  slipway config print -f cluster.yaml -o json`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if file == "" && *output == formatYAML {
				_, err := command.OutOrStdout().Write(cluster.Example())
				return err
			}
			return p.printConfig(command.OutOrStdout(), file, *output)
		},
	}
	command.Flags().StringVarP(&file, "file", "f", "", "the cluster file; - for standard input")
	output = formatFlag(command, "format: yaml or json (one JSON document for each of the file's)", formatYAML, formatJSON)
	return command
}

func (p *program) printConfig(w io.Writer, file, output string) error {
	c, err := p.loadConfig(file)
	if err != nil {
		return err
	}
	if output == formatYAML {
		text, err := cluster.Marshal(c)
		if err != nil {
			return err
		}
		_, err = w.Write(text)
		return err
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	for _, document := range c.Documents() {
		if err := encoder.Encode(document); err != nil {
			return fmt.Errorf("write the cluster file as JSON: %w", err)
		}
	}
	return nil
}

// loadConfig reads a cluster file as it is written: unlike for the commands that act,
// the names of files in it stay as they are. Without one it is the example.
func (p *program) loadConfig(file string) (*cluster.Cluster, error) {
	data := cluster.Example()
	if file != "" {
		var err error
		if data, err = p.read(file); err != nil {
			return nil, err
		}
	}
	c, err := cluster.Load(data)
	if err != nil {
		return nil, usagef("%s: %w", file, err)
	}
	return c, nil
}

func newConfigValidateCommand(p *program) *cobra.Command {
	var file string
	var output *string
	command := &cobra.Command{
		Use:   "validate -f FILE",
		Short: "Check a cluster file without touching a host",
		Long: `Check a cluster file without touching a host, and list everything that is wrong with it:
where, what, and what would be right. Exits with 2 if anything is.`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return p.validateConfig(command.OutOrStdout(), file, *output)
		},
	}
	command.Flags().StringVarP(&file, "file", "f", "", "the cluster file; - for standard input")
	output = outputFlag(command)
	_ = command.MarkFlagRequired("file")
	return command
}

// verdict is what validate says, for programs.
type verdict struct {
	Valid    bool              `json:"valid"`
	Problems []cluster.Problem `json:"problems"`
	// Syntax is set where the file is not YAML at all.
	Syntax *cluster.SyntaxError `json:"syntax,omitempty"`
}

func (p *program) validateConfig(w io.Writer, file, output string) error {
	data, err := p.read(file)
	if err != nil {
		return err
	}
	found := verdict{Problems: []cluster.Problem{}}
	_, err = cluster.Load(data)
	var invalid *cluster.Invalid
	switch {
	case err == nil:
		found.Valid = true
	case errors.As(err, &invalid):
		found.Problems = invalid.Problems
	case !errors.As(err, &found.Syntax):
		return err
	}
	if err := show(w, output, found, func(w io.Writer) error { return found.text(w, file) }); err != nil {
		return err
	}
	if !found.Valid {
		return &exitError{exitUsage}
	}
	return nil
}

func (v verdict) text(w io.Writer, file string) error {
	if v.Valid {
		_, err := fmt.Fprintf(w, "%s is valid\n", file)
		return err
	}
	if v.Syntax != nil {
		_, err := fmt.Fprintf(w, "%s: %v\n", file, v.Syntax)
		return err
	}
	for _, problem := range v.Problems {
		place := file
		if problem.Line > 0 {
			place = fmt.Sprintf("%s:%d", file, problem.Line)
		}
		what := problem.Message
		if problem.Path != "" {
			what = problem.Path + ": " + what
		}
		if _, err := fmt.Fprintf(w, "%s: %s\n", place, what); err != nil {
			return err
		}
		if problem.Fix == "" {
			continue
		}
		if _, err := fmt.Fprintf(w, "  → %s\n", problem.Fix); err != nil {
			return err
		}
	}
	return nil
}

func newConfigSchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON schema of cluster files, for editors",
		Example: `  slipway config schema > slipway.schema.json
  # then, as the first line of a cluster file, for editors with a YAML language server:
  # yaml-language-server: $schema=slipway.schema.json`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			_, err := command.OutOrStdout().Write(cluster.Schema())
			return err
		},
	}
}
