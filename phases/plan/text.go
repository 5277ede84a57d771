package plan

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/slipway-k8s/slipway/hosts"
)

// Marks of the changes, at the beginning of a line.
var marks = map[Change]string{Create: "+", Update: "~", Remove: "-", "": " "}

// whyColumn is where the reasons stand, unless a line is longer.
const whyColumn = 72

// Text writes a plan for people: by host and phase, a line for each step, with counts.
func Text(p Plan) string {
	var b strings.Builder
	if !begin(&b, p) {
		return b.String()
	}
	summary := Summarise(p)
	for _, place := range summary.Places {
		writePlace(&b, place)
	}
	fmt.Fprintf(&b, "%s on %s\n", summary.Counts, places(summary))
	return b.String()
}

// Summary writes a plan in short: a line for each place, and the whole.
func Summary(p Plan) string {
	var b strings.Builder
	if !begin(&b, p) {
		return b.String()
	}
	summary := Summarise(p)
	width := 0
	for _, place := range summary.Places {
		width = max(width, utf8.RuneCountInString(place.name()))
	}
	for _, place := range summary.Places {
		fmt.Fprintf(&b, "%-*s  %s\n", width, place.name(), place.Counts)
	}
	fmt.Fprintf(&b, "%s on %s\n", summary.Counts, places(summary))
	return b.String()
}

// begin writes what stands above any plan, and tells whether more is to follow.
func begin(b *strings.Builder, p Plan) (more bool) {
	if p.Versions != "" {
		fmt.Fprintf(b, "%s\n\n", p.Versions)
	}
	writeBundle(b, p)
	writeWarnings(b, p)
	if len(p.Left) > 0 {
		fmt.Fprintf(b, "left for later: %s\n\n", strings.Join(p.Left, ", "))
	}
	switch {
	case p.Empty() && len(p.Left) > 0:
		b.WriteString(nothingNow)
	case p.Empty():
		b.WriteString(nothing)
	}
	return !p.Empty()
}

const (
	nothing    = "Nothing to do: everything is as it should be.\n"
	nothingNow = "Nothing to do before that.\n"
)

func writeBundle(b *strings.Builder, p Plan) {
	if p.Bundle != nil {
		fmt.Fprintf(b, "bundle %s: %s\n\n", p.Bundle.Digest, p.Bundle.Signature)
	}
}

func writeWarnings(b *strings.Builder, p Plan) {
	for _, warning := range p.Warnings {
		fmt.Fprintf(b, "warning: %s\n", warning)
	}
	if len(p.Warnings) > 0 {
		b.WriteString("\n")
	}
}

func (p Place) name() string {
	if p.Host == "" {
		return "the cluster"
	}
	return p.Host
}

func writePlace(b *strings.Builder, place Place) {
	fmt.Fprintf(b, "%s: %s\n", place.name(), place.Counts)
	for _, phase := range place.Phases {
		fmt.Fprintf(b, "  %s\n", phase.Name)
		for _, line := range phase.Lines {
			writeLine(b, line)
		}
	}
	for _, rescue := range place.Rescues {
		fmt.Fprintf(b, "  if %s:\n", failing(rescue.Of))
		for _, line := range rescue.Lines {
			writeLine(b, line)
		}
	}
	b.WriteString("\n")
}

// failing names the steps that have to fail for others to run.
func failing(steps []string) string {
	switch n := len(steps); n {
	case 1:
		return steps[0] + " fails"
	case 2:
		return steps[0] + " or " + steps[1] + " fails"
	default:
		return fmt.Sprintf("one of %d steps fails, %s to %s", n, steps[0], steps[n-1])
	}
}

func writeLine(b *strings.Builder, line Line) {
	text := fmt.Sprintf("    %s %s", marks[line.Change], line.Text)
	if line.Why == "" {
		fmt.Fprintln(b, text)
		return
	}
	gap := max(2, whyColumn-utf8.RuneCountInString(text))
	fmt.Fprintf(b, "%s%s# %s\n", text, strings.Repeat(" ", gap), line.Why)
}

// String writes the counts as +12 ~3 -0, and how many steps they are.
func (c Counts) String() string {
	return fmt.Sprintf("+%d ~%d -%d (%s)", c.Create, c.Update, c.Remove, c.steps())
}

func (c Counts) steps() string {
	steps := hosts.Count(c.Steps, "step")
	if c.Rescues > 0 {
		steps += fmt.Sprintf(", %d more only if one fails", c.Rescues)
	}
	return steps
}

// places says what a plan touches: 3 hosts and the cluster.
func places(summary Overview) string {
	var parts []string
	if n := len(summary.Places); n > 0 && summary.Places[n-1].Host == "" { // the cluster comes last
		summary.Places, parts = summary.Places[:n-1], []string{"the cluster"}
	}
	if n := len(summary.Places); n > 0 {
		parts = append([]string{hosts.Count(n, "host")}, parts...)
	}
	return strings.Join(parts, " and ")
}
