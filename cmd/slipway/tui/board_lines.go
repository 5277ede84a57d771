package tui

import (
	"fmt"
	"time"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/workflow"
)

func (s *shared) podLines(pods []hosts.UnwellPod, columns int) []string {
	if len(pods) == 0 {
		return []string{s.theme.mark(markWell) + " " + s.say(text.DashNoPods)}
	}
	var lines []string
	for _, p := range pods {
		said := fmt.Sprintf("%s/%s %s", p.Namespace, p.Name, p.Reason)
		if p.Restarts > 0 {
			said += fmt.Sprintf(" (%d×)", p.Restarts)
		}
		if p.Node != "" {
			said += " @ " + p.Node
		}
		lines = append(lines, wrapAll([]string{clean(said)}, columns, s.theme.mark(markWarning)+" ", "  ")...)
		if p.Message != "" {
			lines = append(lines, wrapAll([]string{clean(p.Message)}, columns, "    ", "    ")...)
		}
	}
	return lines
}

// runLines are the runs that were made from this machine, the newest first.
func (s *shared) runLines(runs []workflow.RunSummary, columns int) []string {
	if len(runs) == 0 {
		return []string{s.say(text.DashNoRuns)}
	}
	var lines []string
	for _, r := range runs {
		sign, how := markWell, ""
		switch {
		case r.Error != "":
			sign, how = markBad, clean(r.Error)
		case r.Ended.IsZero():
			sign, how = markRuns, s.say(text.DashNotEnded)
		default:
			how = r.Ended.Sub(r.Begun).Round(time.Second).String()
		}
		line := r.Begun.Local().Format("2006-01-02 15:04:05") + "  " + s.theme.fit(clean(r.Workflow), 16) + " " + clean(r.Holder)
		lines = append(lines, wrapAll([]string{line}, columns, s.theme.mark(sign)+" ", "  ")...)
		lines = append(lines, wrapAll([]string{how}, columns, "    ", "    ")...)
	}
	return lines
}

func (s *shared) eventLines(warnings []hosts.Warning, columns int) []string {
	if len(warnings) == 0 {
		return []string{s.theme.mark(markWell) + " " + s.say(text.DashNoEvents)}
	}
	var lines []string
	for _, w := range warnings {
		said := fmt.Sprintf("%s %s %s", w.Time.Local().Format("15:04:05"), w.Object, w.Reason)
		if w.Count > 1 {
			said += fmt.Sprintf(" (%d×)", w.Count)
		}
		lines = append(lines, wrapAll([]string{clean(said)}, columns, s.theme.mark(markWarning)+" ", "  ")...)
		lines = append(lines, wrapAll([]string{clean(w.Message)}, columns, "    ", "    ")...)
	}
	return lines
}

// unlessUnseen are such lines, where an API has told what stands in them.
func (s *shared) unlessUnseen(p *workflow.Picture, lines []string) []string {
	if standingOf(p) != standsUp && !seenAPI(p) {
		return []string{s.theme.mark(markWaits) + " " + s.say(text.DashUnseen)}
	}
	return lines
}
