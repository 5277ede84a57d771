package tui

import tea "github.com/charmbracelet/bubbletea"

// marks are which things of a list are marked, to be taken together. Each is known by its name: while one marks, others may come
// between.
type marks struct {
	list   list
	marked map[string]bool
}

// key moves among the things of these names, and marks one or all of them.
func (m *marks) key(msg tea.KeyMsg, names []string) {
	switch msg.String() {
	case " ":
		if m.list.at < len(names) {
			name := names[m.list.at]
			m.mark(name, !m.marked[name])
		}
	case "*":
		for _, name := range names {
			m.mark(name, true)
		}
	default:
		m.list.key(msg, len(names))
	}
}

func (m *marks) mark(name string, on bool) {
	if m.marked == nil {
		m.marked = map[string]bool{}
	}
	if m.marked[name] = on; !on {
		delete(m.marked, name)
	}
}

// takes tells whether the thing at a line is among those that are taken: the marked ones or, where none is, the chosen
// one.
func (m *marks) takes(i int, name string) bool {
	return m.marked[name] || len(m.marked) == 0 && i == m.list.at
}

// sign is what stands before a line.
func (m *marks) sign(t theme, i int, name string) string {
	box := t.checked[0]
	if m.marked[name] {
		box = t.checked[1]
	}
	if i == m.list.at {
		return t.cursor + " " + box + " "
	}
	return "  " + box + " "
}
