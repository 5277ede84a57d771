package tui

import (
	"github.com/slipway-k8s/slipway/workflow"
)

// differenceLines are the lines of a difference, each told by the sign before it, and by its colour.
func (s *shared) differenceLines(all []workflow.DiffLine) []string {
	var lines []string
	for _, one := range all {
		line := one.String()
		shown := keepSpaces(line)
		switch one.Kind {
		case workflow.LineAdded:
			shown = s.theme.good.Render(shown)
		case workflow.LineRemoved:
			shown = s.theme.bad.Render(shown)
		case workflow.LineSkipped:
			shown = s.theme.faint.Render(s.theme.ellipsis)
		case workflow.LineKept:
		}
		lines = append(lines, shown)
	}
	return lines
}
