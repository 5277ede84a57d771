package tui

import (
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/phases/checks"
)

// checksView is preflight as a table: a row for each check, a column for each host. One cell is chosen, and what it has
// found stands below the table.
type checksView struct {
	list   list
	column int // the chosen one, and the first that is shown
	left   int
}

// key moves among the cells; the caller holds the job's lock.
func (v *checksView) key(s *jobView, msg tea.KeyMsg) tea.Cmd {
	if s.job.table == nil {
		return nil
	}
	t := s.job.table
	switch msg.String() {
	case "left", "h":
		v.column--
	case "right", "l":
		v.column++
	case "enter":
		if r := v.chosen(t); r != nil {
			return s.push(newFindingScreen(s.shared, *r))
		}
	default:
		v.list.key(msg, len(t.checks))
	}
	v.column = max(0, min(v.column, len(t.hosts)-1))
	return nil
}

func (v *checksView) chosen(t *checkTable) *checks.Result {
	if v.list.at >= len(t.checks) || v.column >= len(t.hosts) {
		return nil
	}
	return t.cells[[2]string{t.checks[v.list.at], t.hosts[v.column]}]
}

// toWorst chooses the cell that needs attention most.
func (v *checksView) toWorst(t *checkTable) {
	most := -1
	for i, check := range t.checks {
		for j, host := range t.hosts {
			if r := t.cells[[2]string{check, host}]; r != nil && weight(r.Outcome) > most {
				most, v.list.at, v.column = weight(r.Outcome), i, j
			}
		}
	}
}

func (v *checksView) lines(s *jobView, columns, height int) []string {
	t := s.job.table
	if t == nil {
		return wrap(s.say(text.ChecksNone), columns)
	}
	below := v.below(s, t, columns)
	if most := height / 2; len(below) > most {
		below = below[:most]
	}
	lines := []string{v.sumUp(s, t), v.heads(s, t, columns)}
	from, to := v.list.window(len(t.checks), max(3, height-len(lines)-len(below)))
	first, last := v.shownColumns(t, columns)
	for i := from; i < to; i++ {
		cursor := "  "
		if i == v.list.at {
			cursor = s.theme.cursor + " "
		}
		line := cursor + s.theme.fit(t.checks[i], checkName)
		for j := first; j < last; j++ {
			cell := s.theme.mark(outcomeMark(t.cells[[2]string{t.checks[i], t.hosts[j]}]))
			if i == v.list.at && j == v.column {
				cell = "[" + cell + "]"
			} else {
				cell = " " + cell + " "
			}
			line += s.theme.fit(cell, checkColumn)
		}
		lines = append(lines, line)
	}
	return append(lines, below...)
}

// The widths of the table's columns: the checks' names, and each host's.
const (
	checkName   = 22
	checkColumn = 10
)

// shownColumns are those that there is room for, the chosen one among them.
func (v *checksView) shownColumns(t *checkTable, columns int) (first, last int) {
	room := max(1, (columns-checkName-2)/checkColumn)
	if v.column < v.left {
		v.left = v.column
	}
	if v.column >= v.left+room {
		v.left = v.column - room + 1
	}
	return v.left, min(len(t.hosts), v.left+room)
}

func (v *checksView) heads(s *jobView, t *checkTable, columns int) string {
	first, last := v.shownColumns(t, columns)
	line := strings.Repeat(" ", checkName+2)
	for j := first; j < last; j++ {
		name := clean(t.hosts[j])
		if name == "" {
			name = s.say(text.Cluster)
		}
		line += s.theme.fit(s.theme.clip(name, checkColumn-1), checkColumn)
	}
	if last < len(t.hosts) {
		line += more(len(t.hosts) - last)
	}
	return s.theme.faint.Render(line)
}

func (v *checksView) sumUp(s *jobView, t *checkTable) string {
	bad, warned := 0, 0
	for _, r := range t.cells {
		switch r.Outcome {
		case checks.Stops:
			bad++
		case checks.Warned:
			warned++
		case checks.OK, checks.NotAsked:
		}
	}
	if bad+warned == 0 {
		return s.theme.mark(markWell) + " " + s.say(text.ChecksWell, len(t.cells))
	}
	sign := markWarning
	if bad > 0 {
		sign = markBad
	}
	return s.theme.mark(sign) + " " + s.say(text.ChecksSome, len(t.cells), bad, warned)
}

// below is what the chosen cell has found.
func (v *checksView) below(s *jobView, t *checkTable, columns int) []string {
	r := v.chosen(t)
	if r == nil {
		return nil
	}
	return append([]string{""}, s.resultLines(*r, columns)...)
}
