package workflow

import (
	"strings"

	"github.com/aymanbagabas/go-udiff"
)

// LineKind is what becomes of a line.
type LineKind string

// What may become of a line.
const (
	LineKept    LineKind = "kept"
	LineAdded   LineKind = "added"
	LineRemoved LineKind = "removed"
	LineSkipped LineKind = "skipped" // lines that stay and are not shown: the text is empty
)

// DiffLine is a line of the difference between two texts.
type DiffLine struct {
	Kind LineKind `json:"kind"`
	Text string   `json:"text,omitempty"` // without its line break
	// Old and New are the line's numbers in the two texts, from 1; 0 where it is not in one.
	Old int `json:"old,omitempty"`
	New int `json:"new,omitempty"`
}

// String is the line as diff -u writes it.
func (l DiffLine) String() string {
	switch l.Kind {
	case LineAdded:
		return "+" + l.Text
	case LineRemoved:
		return "-" + l.Text
	case LineSkipped:
		return "…"
	case LineKept:
	}
	return " " + l.Text
}

// DiffLines is the difference between two texts, line by line, with a few lines around each change. It
// is empty where they are the same.
func DiffLines(was, becomes []byte) []DiffLine {
	diff, err := udiff.ToUnifiedDiff("", "", string(was), udiff.Lines(string(was), string(becomes)), contextLines)
	if err != nil { // its own edits always fit
		return nil
	}
	var lines []DiffLine
	last := 1
	for _, hunk := range diff.Hunks {
		if hunk.FromLine > last {
			lines = append(lines, DiffLine{Kind: LineSkipped})
		}
		before, after := hunk.FromLine, hunk.ToLine
		for _, one := range hunk.Lines {
			line := DiffLine{Kind: LineKept, Text: strings.TrimRight(one.Content, "\r\n"), Old: before, New: after}
			switch one.Kind {
			case udiff.Insert:
				line.Kind, line.Old = LineAdded, 0
			case udiff.Delete:
				line.Kind, line.New = LineRemoved, 0
			case udiff.Equal:
			}
			if line.Old > 0 {
				before++
			}
			if line.New > 0 {
				after++
			}
			lines = append(lines, line)
		}
		last = before
	}
	if len(lines) > 0 && last <= strings.Count(strings.TrimSuffix(string(was), "\n"), "\n")+1 && len(was) > 0 {
		lines = append(lines, DiffLine{Kind: LineSkipped})
	}
	return lines
}
