package tui

import (
	"errors"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/workflow"
)

// forecastLines are what draining will do, as slipway drain says it.
func (s *jobView) forecastLines(columns int) []string {
	if s.job.forecast == nil {
		return wrap(s.say(text.ForecastNone), columns)
	}
	return wrapAll(cleanLines(s.options.Forecast(*s.job.forecast)), columns, "", "    ")
}

// endLines are how it ended, and what to do.
func (s *jobView) endLines(columns int) []string {
	j := s.job
	if j.ended.IsZero() {
		return nil
	}
	var lines []string
	switch {
	case j.err == nil && j.plan == nil && !j.works():
		lines = append(lines, s.theme.mark(markWell)+" "+s.say(text.EndNothing))
	case j.err == nil:
		lines = append(lines, s.theme.mark(markWell)+" "+s.say(text.EndWell))
	case errors.Is(j.err, workflow.ErrDeclined):
		lines = append(lines, s.theme.mark(markSkipped)+" "+s.say(text.EndDeclined))
	default:
		lines = append(lines, s.theme.mark(markBad)+" "+s.say(text.EndFailed), "")
		lines = append(lines, wrapAll(cleanLines(s.options.Explain(j.err, j.stopping)), columns, "", "    ")...)
		lines = append(lines, "")
		again := text.EndAgain
		if j.stopping {
			again = text.EndStopped
		}
		lines = append(lines, wrap(s.say(again), columns)...)
	}
	lines = append(lines, "")
	for _, line := range j.log.lines {
		if line.note {
			lines = append(lines, wrapAll([]string{line.text}, columns, "", "    ")...)
		}
	}
	return lines
}
