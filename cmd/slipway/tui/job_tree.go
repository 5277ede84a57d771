package tui

import (
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// planTree is a plan as host → phase → step, of which one sees what is opened.
type planTree struct {
	list   list
	opened map[string]bool // by the row's key
	rows   []treeRow       // those that are seen
	built  *plan.Plan      // the plan that the rows are of
	steps  int             // how many it had
	turned bool            // something was opened or closed since
	search string
	finds  bool // the search is being typed
	misses bool // nothing has what was searched for
}

// treeRow is one line of the tree.
type treeRow struct {
	key, label string
	depth      int
	steps      []*stepState // below it; of a step that one
	step       *stepState   // nil: it is a host or a phase
}

// build makes the rows; the caller holds the job's lock.
func (t *planTree) build(j *job) {
	if t.built == j.plan && t.steps == len(j.steps) && !t.turned {
		return // rows are what can be opened: how steps are is read from them when they are drawn
	}
	t.built, t.steps, t.turned, t.rows = j.plan, len(j.steps), false, nil
	if t.opened == nil {
		t.opened = map[string]bool{}
	}
	for _, place := range j.places() {
		steps := j.hosts[place]
		host := treeRow{key: "host:" + place, label: place, steps: steps}
		t.rows = append(t.rows, host)
		if !t.opened[host.key] {
			continue
		}
		var phases []plan.Phase
		by := map[plan.Phase][]*stepState{}
		for _, s := range steps {
			if by[s.step.Phase] == nil {
				phases = append(phases, s.step.Phase)
			}
			by[s.step.Phase] = append(by[s.step.Phase], s)
		}
		for _, phase := range phases {
			row := treeRow{key: host.key + "/" + string(phase), label: string(phase), depth: 1, steps: by[phase]}
			t.rows = append(t.rows, row)
			if !t.opened[row.key] {
				continue
			}
			for _, s := range by[phase] {
				t.rows = append(t.rows, treeRow{key: "step:" + s.step.ID, label: s.step.ID, depth: 2, steps: []*stepState{s}, step: s})
			}
		}
	}
}

// chosen is the row at the cursor; nil where there is none.
func (t *planTree) chosen() *treeRow {
	if t.list.at >= len(t.rows) {
		return nil
	}
	return &t.rows[t.list.at]
}

// flip opens or closes the chosen row; it tells whether that is a step, which has nothing below it.
func (t *planTree) flip() (step *stepState) {
	row := t.chosen()
	if row == nil || row.step != nil {
		if row != nil {
			step = row.step
		}
		return step
	}
	t.opened[row.key], t.turned = !t.opened[row.key], true
	return nil
}

// fold closes the chosen row or, where it is closed already, goes to the one above it.
func (t *planTree) fold() {
	row := t.chosen()
	if row == nil {
		return
	}
	if t.opened[row.key] {
		t.opened[row.key], t.turned = false, true
		return
	}
	for i := t.list.at; i >= 0; i-- {
		if t.rows[i].depth < row.depth {
			t.list.at = i
			return
		}
	}
}

// find goes to the next step, behind the chosen row, whose ID or reason has the text; it opens what is above it.
func (t *planTree) find(j *job) bool {
	wanted := strings.ToLower(t.search)
	var after string
	if row := t.chosen(); row != nil && row.step != nil {
		after = row.step.step.ID
	}
	var first, next *stepState
	passed := after == ""
	for _, place := range j.places() {
		for _, s := range j.hosts[place] {
			if s.step.ID == after {
				passed = true
				continue
			}
			if !strings.Contains(strings.ToLower(s.step.ID+" "+s.step.Why), wanted) {
				continue
			}
			if first == nil {
				first = s
			}
			if passed && next == nil {
				next = s
			}
		}
	}
	if next == nil {
		next = first
	}
	if next == nil {
		return false
	}
	t.show(j, next)
	return true
}

// show opens what is above a step, and goes to it.
func (t *planTree) show(j *job, s *stepState) {
	host := "host:" + s.step.Host
	t.opened[host], t.opened[host+"/"+string(s.step.Phase)], t.turned = true, true, true
	t.build(j)
	for i, row := range t.rows {
		if row.step == s {
			t.list.at = i
		}
	}
}

// markOf tells how steps are, in one mark.
func markOf(steps []*stepState) mark {
	count := map[mark]int{}
	for _, s := range steps {
		count[stepMark(s.status)]++
	}
	switch {
	case count[markBad] > 0:
		return markBad
	case count[markRuns] > 0, count[markWell] > 0 && count[markWaits] > 0:
		return markRuns
	case count[markWaits] > 0:
		return markWaits
	case count[markWell] > 0:
		return markWell
	}
	return markSkipped
}

func stepMark(status plan.EventType) mark {
	switch status {
	case plan.EventStepStarted, plan.EventStepProgress:
		return markRuns
	case plan.EventStepFinished:
		return markWell
	case plan.EventStepFailed:
		return markBad
	case plan.EventStepSkipped, plan.EventStepCanceled, plan.EventStepNotNeeded:
		return markSkipped
	}
	return markWaits
}

// line is a row as it is shown.
func (r treeRow) line(s *shared, opened, chosen bool) string {
	label := clean(r.label)
	if r.depth == 0 && r.label == "" {
		label = s.say(text.Cluster)
	}
	sign := "  "
	if r.step == nil {
		sign = s.theme.closed + " "
		if opened {
			sign = s.theme.opened + " "
		}
	}
	line := strings.Repeat("  ", r.depth) + sign
	tail := "  " + s.say(text.StepCount, len(r.steps))
	if r.step != nil {
		tail = ""
		if r.step.step.Change != "" {
			tail = "  " + string(r.step.step.Change)
		}
	}
	cursor := "  "
	if chosen {
		cursor, label = s.theme.cursor+" ", s.theme.selected.Render(label)
	}
	return cursor + s.theme.mark(markOf(r.steps)) + " " + line + label + s.theme.faint.Render(tail)
}

// treeKey is a key of the plan's tree; the caller holds the job's lock.
func (t *planTree) key(s *jobView, msg tea.KeyMsg) tea.Cmd {
	t.build(s.job)
	switch msg.String() {
	case "enter", "right", "l":
		if step := t.flip(); step != nil {
			return s.push(newStepScreen(s, step.step.ID))
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

func (t *planTree) lines(s *jobView, columns, height int) []string {
	if s.job.plan == nil {
		return wrap(s.say(text.PlanNone), columns)
	}
	t.build(s.job)
	lines := s.planHead(columns)
	if t.finds {
		lines = append(lines, s.say(text.SearchFor)+keepSpaces(t.search)+s.theme.selected.Render(" "))
	}
	if t.misses {
		lines = append(lines, s.say(text.NotFound, clean(t.search)))
	}
	if most := max(0, height-3); len(lines) > most {
		lines = lines[:most]
	}
	from, to := t.list.window(len(t.rows), height-len(lines))
	for i, row := range t.rows[from:to] {
		lines = append(lines, row.line(s.shared, t.opened[row.key], from+i == t.list.at))
	}
	return lines
}

// planHead is what stands above a plan: from which version to which, and its warnings.
func (s *jobView) planHead(columns int) []string {
	var lines []string
	p := s.job.plan
	if p.Versions != "" {
		lines = append(lines, wrap(clean(p.Versions), columns)...)
	}
	const most = 6 // lines: the rest is in the log
	for _, warning := range p.Warnings {
		lines = append(lines, wrapAll([]string{clean(warning)}, columns, s.theme.mark(markWarning)+" ", "  ")...)
	}
	if len(lines) > most {
		lines = append(lines[:most], s.theme.faint.Render(s.theme.ellipsis))
	}
	return lines
}

// open goes to a place, and opens it.
func (t *planTree) open(s *jobView, place string) {
	t.build(s.job)
	for i, row := range t.rows {
		if row.key == "host:"+place {
			t.list.at = i
			t.opened[row.key], t.turned = true, true
		}
	}
}
