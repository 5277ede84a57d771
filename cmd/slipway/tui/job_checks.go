package tui

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/workflow"
)

// checksView is preflight as a table: a row for each check, a column for each host. One cell is chosen, and what it has
// found stands below the table.
type checksView struct {
	list   list
	column int // the chosen one, and the first that is shown
	left   int
}

// isRefused tells whether a workflow was refused by its checks, with nothing changed.
func isRefused(err error) bool {
	_, late := errors.AsType[*workflow.ChangedError](err)
	_, refused := errors.AsType[*checks.Refused](err)
	return refused && !late
}

// checkTable is the results by check and host.
type checkTable struct {
	checks []string
	hosts  []string // the cluster has no name
	cells  map[[2]string]*checks.Result
}

// tableOf has the checks in the order of how much needs attention: what stops first.
func tableOf(results []checks.Result) checkTable {
	t := checkTable{cells: map[[2]string]*checks.Result{}}
	worst := map[string]int{}
	for i := range results {
		r := &results[i]
		if !slices.Contains(t.checks, r.Check) {
			t.checks = append(t.checks, r.Check)
		}
		if !slices.Contains(t.hosts, r.Host) {
			t.hosts = append(t.hosts, r.Host)
		}
		t.cells[[2]string{r.Check, r.Host}] = r
		worst[r.Check] = max(worst[r.Check], weight(r.Outcome))
	}
	slices.SortStableFunc(t.checks, func(a, b string) int { return cmp.Compare(worst[b], worst[a]) })
	if at := slices.Index(t.hosts, ""); at > 0 {
		t.hosts = slices.Insert(slices.Delete(t.hosts, at, at+1), 0, "")
	}
	return t
}

func weight(o checks.Outcome) int {
	switch o {
	case checks.Stops:
		return 3
	case checks.Warned:
		return 2
	case checks.NotAsked:
		return 1
	case checks.OK:
	}
	return 0
}

func outcomeMark(r *checks.Result) mark {
	if r == nil {
		return markNone
	}
	switch r.Outcome {
	case checks.Stops:
		return markBad
	case checks.Warned:
		return markWarning
	case checks.NotAsked:
		return markSkipped
	case checks.OK:
	}
	return markWell
}

// key moves among the cells; the caller holds the job's lock.
func (v *checksView) key(s *jobScreen, msg tea.KeyMsg) tea.Cmd {
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
		if r := v.chosen(t); r != nil && len(r.Findings)+len(r.NotAsked) > 0 {
			return push(newFindingScreen(s.shared, *r))
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

func (v *checksView) lines(s *jobScreen, columns, height int) []string {
	t := s.job.table
	if t == nil {
		return wrap(s.say(text.ChecksNone), columns)
	}
	below := v.below(s, t, columns)
	if most := height / 2; len(below) > most {
		below = below[:most]
	}
	lines := []string{s.sumUp(t), v.heads(s, t, columns)}
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

func (v *checksView) heads(s *jobScreen, t *checkTable, columns int) string {
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

func (s *jobScreen) sumUp(t *checkTable) string {
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
func (v *checksView) below(s *jobScreen, t *checkTable, columns int) []string {
	r := v.chosen(t)
	if r == nil {
		return nil
	}
	return append([]string{""}, s.resultLines(*r, columns)...)
}

func (s *shared) resultLines(r checks.Result, columns int) []string {
	var lines []string
	for _, f := range r.Findings {
		lines = append(lines, s.findingLines(f, columns)...)
	}
	if r.NotAsked != "" {
		lines = append(lines, wrapAll([]string{s.say(text.ChecksUnasked) + ": " + clean(r.NotAsked)}, columns, s.theme.mark(markSkipped)+" ", "  ")...)
	}
	return lines
}

// findingScreen is all that a check has found on a host.
type findingScreen struct {
	*shared
	result checks.Result
	scroll scroll
}

func newFindingScreen(s *shared, r checks.Result) *findingScreen {
	return &findingScreen{shared: s, result: r}
}

func (s *findingScreen) begin() tea.Cmd { return nil }
func (s *findingScreen) title() string {
	return strings.TrimSpace(s.result.Host + " " + s.result.Check)
}
func (*findingScreen) command() string { return "" }
func (*findingScreen) keys() []key     { return []key{{"↑↓", text.KeyMove}, {"Esc", text.KeyBack}} }

func (s *findingScreen) update(msg tea.Msg) tea.Cmd {
	if pressed, is := msg.(tea.KeyMsg); is {
		s.scroll.key(pressed, len(s.resultLines(s.result, leastWidth)))
	}
	return nil
}

func (s *findingScreen) body(columns, height int) []string {
	all := s.resultLines(s.result, columns)
	from, to := s.scroll.window(len(all), height)
	return all[from:to]
}
