package cluster

import (
	"bytes"
	"errors"
	"slices"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// fileText is a file's text with what it says.
type fileText struct {
	text     []byte
	lines    []int      // where each line begins
	document *yaml.Node // the Cluster's, with the comments around it
	root     *yaml.Node
	tree     *node   // what the Cluster says
	further  []*node // what the further documents say
}

var errTooLarge = errors.New("the file is too large or too deep once its aliases are followed")

// errShape is text of a form that no splice is made for.
var errShape = errors.New("it is written in a form that is not changed in place")

func readText(text []byte) (*fileText, error) {
	documents, err := parseStream(text)
	if err != nil {
		return nil, locate(text, err)
	}
	if len(documents) == 0 {
		return nil, errors.New("it has no document")
	}
	f := &fileText{text: text, lines: lineStarts(text), document: documents[0], root: documents[0].Content[0]}
	if f.root.Kind != yaml.MappingNode {
		return nil, errors.New("its first document is no mapping")
	}
	for i, document := range documents {
		tree, err := resolved(document.Content[0])
		if err != nil {
			return nil, err
		}
		if i == 0 {
			f.tree = tree
		} else {
			f.further = append(f.further, tree)
		}
	}
	return f, nil
}

// resolved is what a parser's node says.
func resolved(from *yaml.Node) (*node, error) {
	r := resolver{report: func(Problem) {}}
	made := r.resolve(from, "", 0)
	if r.tooLarge {
		return nil, errTooLarge
	}
	return made, nil
}

// says tells whether a text says what is wanted of the Cluster, and of the rest what another says.
func (f *fileText) says(want *node, rest []*node) bool {
	return same(f.tree, want) && slices.EqualFunc(f.further, rest, same)
}

// lineStarts tells where lines begin, by YAML's line breaks.
func lineStarts(text []byte) []int {
	at := 0
	if bytes.HasPrefix(text, []byte("\uFEFF")) {
		at = len("\uFEFF")
	}
	starts := []int{at}
	for at < len(text) {
		r, size := utf8.DecodeRune(text[at:])
		at += size
		switch r {
		case '\r':
			if at < len(text) && text[at] == '\n' {
				at++
			}
		case '\n', '\u0085', '\u2028', '\u2029':
		default:
			continue
		}
		starts = append(starts, at)
	}
	return starts
}

// lineBreak is how a text ends its lines.
func lineBreak(text []byte) string {
	if at := bytes.IndexByte(text, '\n'); at > 0 && text[at-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}

// lineOf is the number of the line that has an offset, from 0.
func (f *fileText) lineOf(at int) int {
	found, exact := slices.BinarySearch(f.lines, at)
	if exact {
		return found
	}
	return max(found-1, 0)
}

// line is where a line begins and ends, without its break.
func (f *fileText) line(number int) (from, to int) {
	from, to = f.lines[number], len(f.text)
	if number+1 < len(f.lines) {
		to = f.lines[number+1]
	}
	return from, from + len(bytes.TrimRight(f.text[from:to], "\r\n\u0085\u2028\u2029"))
}

// lineEnd is the end of an offset's line, without its break.
func (f *fileText) lineEnd(at int) int {
	_, to := f.line(f.lineOf(at))
	return max(at, to)
}

// nextLine is where the line after an offset's begins.
func (f *fileText) nextLine(at int) int {
	if next := f.lineOf(at) + 1; next < len(f.lines) {
		return f.lines[next]
	}
	return len(f.text)
}

// at is where a node's text begins, with its anchor and tag.
func (f *fileText) at(n *yaml.Node) (int, error) {
	if n.Line < 1 || n.Line > len(f.lines) || n.Column < 1 {
		return 0, errShape
	}
	at := f.lines[n.Line-1]
	for range n.Column - 1 {
		if at >= len(f.text) {
			return 0, errShape
		}
		_, size := utf8.DecodeRune(f.text[at:])
		at += size
	}
	return at, nil
}

// indent is the width of a line's indentation, and whether there is nothing before the offset but it.
func (f *fileText) indent(at int) (int, bool) {
	from, _ := f.line(f.lineOf(at))
	return at - from, len(bytes.Trim(f.text[from:at], " ")) == 0
}

// content is where a node's text begins, without anchor and tag.
func (f *fileText) content(n *yaml.Node) (int, error) {
	at, err := f.at(n)
	if err != nil || n.Anchor == "" && n.Style&yaml.TaggedStyle == 0 {
		return at, err
	}
	for at < len(f.text) && (f.text[at] == '&' || f.text[at] == '!') {
		end := at + 1
		for end < len(f.text) && !bytes.ContainsRune([]byte(" \t\r\n,]}"), rune(f.text[end])) {
			end++
		}
		if n.Kind == yaml.ScalarNode && n.Value == "" && n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0 {
			at = end
			if after := f.skipBlank(end); after < len(f.text) && (f.text[after] == '&' || f.text[after] == '!') {
				at = after
			}
			continue
		}
		at = f.skipBlank(end)
	}
	return at, nil
}

// skipBlank goes over blanks, line breaks and comments.
func (f *fileText) skipBlank(at int) int {
	for at < len(f.text) {
		switch c := f.text[at]; {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			at++
		case c == '#' && (at == 0 || bytes.IndexByte([]byte(" \t\r\n"), f.text[at-1]) >= 0):
			at = f.lineEnd(at)
		default:
			return at
		}
	}
	return at
}

// end is where a node's text ends.
func (f *fileText) end(n *yaml.Node) (int, error) {
	at, err := f.content(n)
	if err != nil {
		return 0, err
	}
	switch {
	case n.Kind == yaml.AliasNode:
		return f.expect(at, "*"+n.Value)
	case n.Kind == yaml.ScalarNode:
		return f.scalarEnd(n, at)
	case n.Style&yaml.FlowStyle != 0:
		return f.flowEnd(n, at)
	case len(n.Content) == 0:
		return 0, errShape
	}
	return f.end(n.Content[len(n.Content)-1])
}

func (f *fileText) expect(at int, text string) (int, error) {
	if !bytes.HasPrefix(f.text[at:], []byte(text)) {
		return 0, errShape
	}
	return at + len(text), nil
}

func (f *fileText) flowEnd(n *yaml.Node, at int) (int, error) {
	opened := at < len(f.text) && (f.text[at] == '{' || f.text[at] == '[')
	end := at + 1
	for _, inner := range n.Content {
		next, err := f.end(inner)
		if err != nil {
			return 0, err
		}
		end = max(end, next)
	}
	if !opened {
		return end, nil // the only field of a mapping without braces, in a list
	}
	for {
		end = f.skipBlank(end)
		if end >= len(f.text) {
			return 0, errShape
		}
		switch f.text[end] {
		case ',', ':':
			end++
		case '}', ']':
			return end + 1, nil
		default:
			return 0, errShape
		}
	}
}

func (f *fileText) scalarEnd(n *yaml.Node, at int) (int, error) {
	switch {
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return f.blockScalarEnd(at)
	case n.Style&yaml.DoubleQuotedStyle != 0:
		return f.quoteEnd(at, '"')
	case n.Style&yaml.SingleQuotedStyle != 0:
		return f.quoteEnd(at, '\'')
	}
	for i := 0; i < len(n.Value); {
		if n.Value[i] != ' ' && n.Value[i] != '\n' {
			if at >= len(f.text) || f.text[at] != n.Value[i] {
				return 0, errShape
			}
			i, at = i+1, at+1
			continue
		}
		for i < len(n.Value) && (n.Value[i] == ' ' || n.Value[i] == '\n') {
			i++
		}
		before := at
		for at < len(f.text) && bytes.IndexByte([]byte(" \t\r\n"), f.text[at]) >= 0 {
			at++
		}
		if at == before {
			return 0, errShape
		}
	}
	return at, nil
}

func (f *fileText) quoteEnd(at int, quote byte) (int, error) {
	if at >= len(f.text) || f.text[at] != quote {
		return 0, errShape
	}
	for at++; at < len(f.text); at++ {
		switch {
		case quote == '"' && f.text[at] == '\\':
			at++
		case f.text[at] != quote:
		case quote == '\'' && at+1 < len(f.text) && f.text[at+1] == quote:
			at++
		default:
			return at + 1, nil
		}
	}
	return 0, errShape
}

// blockScalarEnd is the end of the last line of a text below | or > that is not blank.
func (f *fileText) blockScalarEnd(at int) (int, error) {
	if at >= len(f.text) || f.text[at] != '|' && f.text[at] != '>' {
		return 0, errShape
	}
	end := f.lineEnd(at)
	if bytes.ContainsAny(f.text[at:end], "123456789#") {
		return 0, errShape
	}
	first := -1
	for number := f.lineOf(at) + 1; number < len(f.lines); number++ {
		from, to := f.line(number)
		line := f.text[from:to]
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		indent := len(line) - len(bytes.TrimLeft(line, " "))
		if first < 0 {
			first = indent
		}
		if indent < first || indent == 0 {
			break
		}
		end = to
	}
	return end, nil
}
