package tui

import (
	"fmt"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// runView is a run: how far all is, and what each host is at.
type runView struct{ list list }

// key moves among the places; it gives the place that is to be opened.
func (v *runView) key(s *jobView, msg tea.KeyMsg) (place string, opens bool) {
	places := s.job.places()
	if msg.String() == "enter" && v.list.at < len(places) {
		return places[v.list.at], true
	}
	v.list.key(msg, len(places))
	return "", false
}

// laneLines are the run: how far all is, and a line for each host.
func (v *runView) lines(s *jobView, columns, height int) []string {
	if len(s.job.steps) == 0 || s.job.question != nil && s.job.ends == 0 {
		return s.lookLines(columns, height)
	}
	now := s.clockNow()
	lines := []string{s.overall(now, columns), ""}
	places := s.job.places()
	name := width(s.say(text.Cluster))
	for _, place := range places {
		name = max(name, width(clean(place)))
	}
	name = min(name, 24)
	from, to := v.list.window(len(places), height-len(lines)-2)
	for i := from; i < to; i++ {
		lines = append(lines, s.laneLine(s.job.lane(places[i], s.lang, now), name, i == v.list.at, columns))
	}
	if from < to {
		if at := s.job.lane(places[v.list.at], s.lang, now); at.fix != "" {
			lines = append(lines, wrapAll([]string{at.fix}, columns, s.theme.arrow+" ", "  ")...)
		}
	}
	return append(lines, s.stagesOfAll(columns)...)
}

// overall is how far the whole run is, with a bar.
func (s *jobView) overall(now time.Time, columns int) string {
	all := len(s.job.steps)
	took := now.Sub(s.job.began).Round(time.Second)
	said := s.say(text.Progress, s.job.done, all, took)
	if left, known := s.job.timeLeft(now); known {
		said = s.say(text.ProgressLeft, s.job.done, all, took, left.Round(time.Second))
	}
	if s.job.failed > 0 {
		said += ", " + s.theme.bad.Render(s.say(text.FailedCount, s.job.failed))
	}
	room := min(30, columns-width(said)-2)
	return s.bar(s.job.done, all, room) + " " + said
}

func (s *jobView) laneLine(l lane, name int, chosen bool, columns int) string {
	sign := markWaits
	switch {
	case l.failed > 0:
		sign = markBad
	case l.runs > 0:
		sign = markRuns
	case l.done == l.all:
		sign = markWell
	}
	label := clean(l.place)
	if l.place == "" {
		label = s.say(text.Cluster)
	}
	cursor := "  "
	if chosen {
		cursor = s.theme.cursor + " "
	}
	line := cursor + s.theme.mark(sign) + " " + s.theme.fit(label, name) + fmt.Sprintf(" %4d/%-4d ", l.done, l.all)
	return line + s.theme.clip(l.says, columns-width(line))
}

// stagesOfAll are the stages that are no host's while steps are done: verifying, cleaning up.
func (s *jobView) stagesOfAll(columns int) []string {
	var lines []string
	for _, stage := range s.job.stages {
		if !stage.over && stage.host == "" && stage.name != plan.StageRescue && s.job.ended.IsZero() {
			lines = append(lines, s.theme.clip(s.theme.mark(markRuns)+" "+stage.name+" "+stage.what, columns))
		}
	}
	return lines
}

// lookLines are what the workflow is at before its plan: which host does not answer yet.
func (s *jobView) lookLines(columns, height int) []string {
	lines := []string{s.say(text.Looking), ""}
	if s.job.works() {
		lines = nil
	}
	now := s.clockNow()
	for _, stage := range s.job.looking() {
		host := clean(stage.host)
		if host == "" {
			host = s.say(text.Cluster)
		}
		sign, says := markRuns, s.say(text.StageWaits, host, stage.what, now.Sub(stage.since).Round(time.Second))
		if stage.err != "" {
			sign, says = markBad, host+": "+stage.err
		}
		lines = append(lines, s.theme.clip(s.theme.mark(sign)+" "+says, columns))
	}
	for _, stage := range s.job.stages {
		if stage.host == "" && !stage.over {
			lines = append(lines, s.theme.mark(markRuns)+" "+stage.name)
		}
	}
	lines = lines[:min(len(lines), height)]
	said := s.job.log.lines
	if room := height - len(lines) - 1; room > 0 && len(said) > 0 { // what promises and trials have come to
		lines = append(lines, "")
		for _, line := range said[max(0, len(said)-room):] {
			lines = append(lines, s.theme.clip(line.text, columns))
		}
	}
	return lines
}
