package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/slipway-k8s/slipway/workflow"
)

// The formats of -o.
const (
	formatText = "text"
	formatJSON = "json"
	formatYAML = "yaml"
)

// outputFlag adds -o/--output and gives where its value will be.
func outputFlag(command *cobra.Command) *string {
	return formatFlag(command, "format: text, json or yaml", formatText, formatJSON, formatYAML)
}

// formatFlag is outputFlag for a command that has these formats, the first unless another is said.
func formatFlag(command *cobra.Command, usage string, formats ...string) *string {
	chosen := format{formats[0], formats}
	command.Flags().VarP(&chosen, "output", "o", usage)
	return &chosen.name
}

// format is the value of -o. One that a command does not have is refused before anything is done.
type format struct {
	name  string
	known []string
}

func (f *format) String() string { return f.name }

func (f *format) Type() string { return "string" }

func (f *format) Set(name string) error {
	if !slices.Contains(f.known, name) {
		last := len(f.known) - 1
		return fmt.Errorf("must be %s or %s", strings.Join(f.known[:last], ", "), f.known[last])
	}
	f.name = name
	return nil
}

// show writes a value in the asked format; text is called for text.
func show(w io.Writer, format string, value any, text func(io.Writer) error) error {
	switch format {
	case formatText:
		return text(w)
	case formatJSON:
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(value)
	case formatYAML:
		data, err := yaml.Marshal(value)
		if err != nil {
			return fmt.Errorf("write as YAML: %w", err)
		}
		_, err = w.Write(data)
		return err
	}
	return fmt.Errorf("nothing is written as %s", format)
}

// result is what a command has found out: a value, and the same as text. What has no value is
// text in every format.
type result struct {
	value any
	text  func(io.Writer) error
	exit  int // the exit code, once it is shown
}

// show writes a result in the asked format. Its error is an exitError where the exit code is not 0.
func (r result) show(w io.Writer, format string) error {
	if r.value == nil {
		format = formatText
	}
	if err := show(w, format, r.value, r.text); err != nil {
		return err
	}
	if r.exit != exitDone {
		return &exitError{r.exit}
	}
	return nil
}

// tellJSON ends a stream of JSON with what went wrong, for those who read only that.
func tellJSON(w io.Writer, format string, err error) {
	if err == nil || format != formatJSON {
		return
	}
	event := map[string]any{"type": "error", "error": err.Error()}
	if stopped, is := errors.AsType[*workflow.StoppedError](err); is {
		event["last"] = stopped.Last
	}
	if refused, ok := refusedAtOnce(err); ok {
		event = map[string]any{"type": "refused", "problems": refused.Findings}
	}
	_ = json.NewEncoder(w).Encode(event) // the error itself is told all the same
}

// writeTable writes rows under a header, in columns that tabs part.
func writeTable(w io.Writer, header string, rows [][]string) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, header)
	for _, row := range rows {
		fmt.Fprintln(table, strings.Join(row, "\t"))
	}
	return table.Flush()
}

// writeSection is writeTable below something else; without rows there is no table.
func writeSection(w io.Writer, header string, rows [][]string) error {
	if len(rows) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	return writeTable(w, header, rows)
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
