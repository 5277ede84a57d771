package tui

import (
	"fmt"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/hosts"
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
		lines = append(lines, s.theme.clip(s.theme.mark(markWarning)+" "+clean(said), columns))
		if p.Message != "" {
			lines = append(lines, wrapAll([]string{clean(p.Message)}, columns, "    ", "    ")...)
		}
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
		lines = append(lines, s.theme.clip(s.theme.mark(markWarning)+" "+clean(said), columns))
		lines = append(lines, wrapAll([]string{clean(w.Message)}, columns, "    ", "    ")...)
	}
	return lines
}
