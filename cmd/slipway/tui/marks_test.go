package tui

import (
	"slices"
	"testing"
)

// TestMarksStayWithWhatWasMarked: what comes between moves no mark to something else, and what is unmarked again is as if it
// had never been.
func TestMarksStayWithWhatWasMarked(t *testing.T) {
	taken := func(m *marks, names []string) []string {
		var all []string
		for i, name := range names {
			if m.takes(i, name) {
				all = append(all, name)
			}
		}
		return all
	}
	m := &marks{}
	names := []string{"10.0.0.5", "10.0.0.9"}
	m.key(keyOf("down"), names)
	m.key(keyOf(" "), names)
	names = []string{"10.0.0.1", "10.0.0.5", "10.0.0.9"}
	if got := taken(m, names); !slices.Equal(got, []string{"10.0.0.9"}) {
		t.Errorf("marked was 10.0.0.9, taken are %v", got)
	}
	m.key(keyOf("down"), names)
	m.key(keyOf(" "), names)
	if got := taken(m, names); !slices.Equal(got, []string{"10.0.0.9"}) {
		t.Errorf("with none marked the chosen one is taken, and not %v", got)
	}
	m.key(keyOf("*"), names)
	if got := taken(m, names); !slices.Equal(got, names) {
		t.Errorf("of all, taken are %v", got)
	}
}
