package cluster

import (
	"fmt"
	"strings"
)

// Problem is one thing that is wrong in a Cluster file.
type Problem struct {
	Path    string `json:"path,omitempty"` // hosts[2].address
	Line    int    `json:"line,omitempty"` // in the file, from 1; 0 where it is not known
	Message string `json:"message"`        // what is wrong
	Fix     string `json:"fix,omitempty"`  // what would be right
}

func (p Problem) String() string {
	var b strings.Builder
	if p.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", p.Line)
	}
	if p.Path != "" {
		fmt.Fprintf(&b, "%s: ", p.Path)
	}
	b.WriteString(p.Message)
	if p.Fix != "" {
		fmt.Fprintf(&b, "; %s", p.Fix)
	}
	return b.String()
}

// Invalid is a Cluster file that can be read but not used: every problem that it has.
type Invalid struct {
	Problems []Problem `json:"problems"`
}

func (e *Invalid) Error() string {
	if len(e.Problems) == 1 {
		return e.Problems[0].String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d problems:", len(e.Problems))
	for _, problem := range e.Problems {
		fmt.Fprintf(&b, "\n  %s", problem)
	}
	return b.String()
}

// SyntaxError is a file that is not YAML.
type SyntaxError struct {
	Line    int    `json:"line"`
	Column  int    `json:"column"` // in characters, from 1
	Message string `json:"message"`
	Text    string `json:"text,omitempty"` // the line
}

func (e *SyntaxError) Error() string {
	text := fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Message)
	if e.Text == "" {
		return text
	}
	// A tab before the caret stands as wide as one in the line.
	var indent strings.Builder
	for i, r := range []rune(e.Text) {
		if i >= e.Column-1 {
			break
		}
		if r != '\t' {
			r = ' '
		}
		indent.WriteRune(r)
	}
	return fmt.Sprintf("%s\n  %s\n  %s^", text, e.Text, indent.String())
}
