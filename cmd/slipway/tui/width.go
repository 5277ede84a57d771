package tui

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// Widths are in a terminal's columns: a Chinese character has two of them, a colour none.

func width(line string) int { return ansi.StringWidth(line) }

// fit makes a line exactly so wide: it is cut, with a sign that it was, or filled with spaces.
func (t theme) fit(line string, columns int) string {
	if columns <= 0 {
		return ""
	}
	line = t.clip(line, columns)
	return line + strings.Repeat(" ", max(0, columns-width(line)))
}

// clip cuts a line that is too wide.
func (t theme) clip(line string, columns int) string {
	if width(line) <= columns {
		return line
	}
	return ansi.Truncate(line, columns, t.ellipsis)
}

// wrap breaks a text into lines that are at most so wide, at spaces where there are any.
func wrap(line string, columns int) []string {
	if columns < 1 {
		return nil
	}
	return strings.Split(ansi.Wrap(line, columns, ""), "\n")
}

// wrapAll wraps several lines, with what stands before the first and before the rest of each.
func wrapAll(lines []string, columns int, first, rest string) []string {
	var all []string
	for _, line := range lines {
		for i, part := range wrap(line, columns-max(width(first), width(rest))) {
			before := rest
			if i == 0 {
				before = first
			}
			all = append(all, before+part)
		}
	}
	return all
}

// marked are lines with a mark before the first, and the others below it.
func (s *shared) marked(m mark, lines []string, columns int) []string {
	var all []string
	for i, line := range lines {
		first := "  "
		if i == 0 {
			first = s.theme.mark(m) + " "
		}
		all = append(all, wrapAll([]string{line}, columns, first, "    ")...)
	}
	return all
}

// columns lays cells out side by side, each as wide as its column.
func (t theme) columns(cells []string, widths []int) string {
	var b strings.Builder
	for i, cell := range cells {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(t.fit(cell, widths[i]))
	}
	return strings.TrimRight(b.String(), " ")
}

// widthsOf are the widths of the columns of a table that has so much room: what they need or, where that is too
// much, the widest give way down to least.
func widthsOf(rows [][]string, room, least int) []int {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], width(cell))
		}
	}
	for {
		sum, widest := len(widths)-1, 0
		for i, w := range widths {
			sum += w
			if w > widths[widest] {
				widest = i
			}
		}
		if len(widths) == 0 || sum <= room || widths[widest] <= least {
			return widths
		}
		widths[widest]--
	}
}

func more(n int) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf(" +%d", n)
}
