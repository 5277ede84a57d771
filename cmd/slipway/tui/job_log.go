package tui

import (
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
)

// logView is the log, of which one sees the lines with a text in them.
type logView struct {
	scroll  scroll
	follows bool // the end is shown, whatever comes
	filter  string
	typing  bool
}

// filtered are the lines that the filter leaves.
func (v *logView) filtered(j *job) []logLine {
	if v.filter == "" {
		return j.log.lines
	}
	wanted := strings.ToLower(v.filter)
	var some []logLine
	for _, line := range j.log.lines {
		if strings.Contains(strings.ToLower(line.host+" "+line.text), wanted) {
			some = append(some, line)
		}
	}
	return some
}

func (v *logView) key(msg tea.KeyMsg, j *job) {
	switch msg.String() {
	case "/":
		v.typing, v.filter = true, ""
	case "f":
		v.follows = !v.follows
	default:
		if v.scroll.key(msg, len(v.filtered(j))) {
			v.follows = false
		}
	}
}

func (v *logView) typed(msg tea.KeyMsg) {
	switch msg.Type {
	case tea.KeyEsc:
		v.typing, v.filter = false, ""
	case tea.KeyEnter:
		v.typing = false
	default:
		v.filter = edited(v.filter, msg)
	}
}

func (v *logView) lines(s *jobView, columns, height int) []string {
	some := v.filtered(s.job)
	head := v.head(s, len(some))
	room := height - len(head)
	if v.follows {
		v.scroll.top = len(some)
	}
	from, to := v.scroll.window(len(some), room)
	for _, line := range some[from:to] {
		said := line.at.Format("15:04:05 ") + line.text
		if line.bad {
			said = s.theme.bad.Render(s.theme.clip(said, columns))
		}
		head = append(head, s.theme.clip(said, columns))
	}
	return head
}

// head is what stands above the log's lines.
func (v *logView) head(s *jobView, shown int) []string {
	var head []string
	switch {
	case v.typing:
		head = append(head, s.say(text.FilterFor)+keepSpaces(v.filter)+s.theme.selected.Render(" "))
	case v.filter != "":
		head = append(head, s.say(text.FilterFor)+clean(v.filter))
	}
	if s.job.log.dropped > 0 {
		head = append(head, s.theme.faint.Render(s.say(text.LogDropped, s.job.log.dropped)))
	}
	if shown == 0 {
		head = append(head, s.say(text.LogEmpty))
	}
	return head
}
