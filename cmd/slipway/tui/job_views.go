package tui

import (
	"errors"
	"fmt"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/workflow"
)

// treeKey is a key of the plan's tree; the caller holds the job's lock.
func (s *jobScreen) treeKey(msg tea.KeyMsg) tea.Cmd {
	t := &s.tree
	t.build(s.job)
	switch msg.String() {
	case "enter", "right", "l":
		if step := t.flip(); step != nil {
			return push(newStepScreen(s, step.step.ID))
		}
		t.build(s.job)
	case "left", "h":
		t.fold()
		t.build(s.job)
	case "/":
		t.finds, t.search = true, ""
	case "N":
		if t.search != "" {
			t.find(s.job)
		}
	default:
		t.list.key(msg, len(t.rows))
	}
	return nil
}

func (s *jobScreen) treeLines(columns, height int) []string {
	if s.job.plan == nil {
		return wrap(s.say(text.PlanNone), columns)
	}
	t := &s.tree
	t.build(s.job)
	lines := s.planHead(columns)
	if t.finds {
		lines = append(lines, s.say(text.SearchFor)+clean2(t.search)+s.theme.selected.Render(" "))
	}
	if t.misses {
		lines = append(lines, s.say(text.NotFound, clean(t.search)))
	}
	from, to := t.list.window(len(t.rows), height-len(lines))
	for i, row := range t.rows[from:to] {
		lines = append(lines, row.line(s.shared, t.opened[row.key], from+i == t.list.at))
	}
	return lines
}

// planHead is what stands above a plan: from which version to which, and its warnings.
func (s *jobScreen) planHead(columns int) []string {
	var lines []string
	p := s.job.plan
	if p.Versions != "" {
		lines = append(lines, wrap(clean(p.Versions), columns)...)
	}
	const most = 4
	for i, warning := range p.Warnings {
		if i == most {
			lines = append(lines, s.theme.mark(markWarning)+more(len(p.Warnings)-most))
			break
		}
		lines = append(lines, s.theme.mark(markWarning)+" "+clean(warning))
	}
	return lines
}

// laneKey is a key among the hosts of a run; the caller holds the job's lock.
func (s *jobScreen) laneKey(msg tea.KeyMsg) tea.Cmd {
	places := s.job.places()
	if msg.String() == "enter" && s.lanes.at < len(places) {
		s.view = viewPlan
		s.tree.build(s.job)
		for i, row := range s.tree.rows {
			if row.key == "host:"+places[s.lanes.at] {
				s.tree.list.at = i
				s.tree.opened[row.key] = true
			}
		}
		return nil
	}
	s.lanes.key(msg, len(places))
	return nil
}

// laneLines are the run: how far all is, and a line for each host.
func (s *jobScreen) laneLines(columns, height int) []string {
	if s.job.plan == nil || s.job.question != nil && s.job.done == 0 {
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
	from, to := s.lanes.window(len(places), height-len(lines)-2)
	for i := from; i < to; i++ {
		lines = append(lines, s.laneLine(s.job.lane(places[i], s.lang, now), name, i == s.lanes.at, columns))
	}
	if from < to {
		if at := s.job.lane(places[s.lanes.at], s.lang, now); at.fix != "" {
			lines = append(lines, wrapAll([]string{at.fix}, columns, s.theme.arrow+" ", "  ")...)
		}
	}
	return append(lines, s.stagesOfAll(columns)...)
}

// clockNow is the time that the run's clock shows: it stands still when the run has ended.
func (s *jobScreen) clockNow() time.Time {
	if s.job.ended.IsZero() {
		return s.clockAt()
	}
	return s.job.ended
}

// overall is how far the whole run is, with a bar.
func (s *jobScreen) overall(now time.Time, columns int) string {
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

func (s *jobScreen) bar(done, all, columns int) string {
	if columns < 4 || all == 0 {
		return ""
	}
	full := columns * done / all
	return s.theme.good.Render(strings.Repeat(s.theme.bar[1], full)) + s.theme.faint.Render(strings.Repeat(s.theme.bar[0], columns-full))
}

func (s *jobScreen) laneLine(l lane, name int, chosen bool, columns int) string {
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
func (s *jobScreen) stagesOfAll(columns int) []string {
	var lines []string
	for _, stage := range s.job.stages {
		if !stage.over && stage.host == "" && s.job.ended.IsZero() {
			lines = append(lines, s.theme.clip(s.theme.mark(markRuns)+" "+stage.name+" "+stage.what, columns))
		}
	}
	return lines
}

// lookLines are what the workflow is at before its plan: which host does not answer yet.
func (s *jobScreen) lookLines(columns, height int) []string {
	lines := []string{s.say(text.Looking), ""}
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
	return lines[:min(len(lines), height)]
}

// forecastLines are what draining will do, as slipway drain says it.
func (s *jobScreen) forecastLines(columns int) []string {
	if s.job.forecast == nil {
		return wrap(s.say(text.ForecastNone), columns)
	}
	return wrapAll(cleanLines(s.options.Forecast(*s.job.forecast)), columns, "", "    ")
}

// endLines are how it ended, and what to do.
func (s *jobScreen) endLines(columns int) []string {
	j := s.job
	if j.ended.IsZero() {
		return nil
	}
	var lines []string
	switch {
	case j.err == nil && j.plan == nil:
		lines = append(lines, s.theme.mark(markWell)+" "+s.say(text.EndNothing))
	case j.err == nil:
		lines = append(lines, s.theme.mark(markWell)+" "+s.say(text.EndWell))
	case errors.Is(j.err, workflow.ErrDeclined):
		lines = append(lines, s.theme.mark(markSkipped)+" "+s.say(text.EndDeclined))
	default:
		lines = append(lines, s.theme.mark(markBad)+" "+s.say(text.EndFailed), "")
		lines = append(lines, wrapAll(cleanLines(s.options.Explain(j.err, j.stopping)), columns, "", "    ")...)
		lines = append(lines, "")
		lines = append(lines, wrap(s.say(text.EndAgain), columns)...)
	}
	lines = append(lines, "")
	for _, line := range j.log.lines[max(0, len(j.log.lines)-20):] {
		if line.host == "" {
			lines = append(lines, wrapAll([]string{line.text}, columns, "", "    ")...)
		}
	}
	return lines
}
