package cluster

import (
	"bytes"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// addField writes a field behind the last one of a mapping.
func (f *fileText) addField(raw *yaml.Node, name string, value *node, in place) (*splice, error) {
	if in.flow {
		key, err := asKey(name, true)
		if err != nil {
			return nil, err
		}
		if f.isJSON() {
			key = strconv.Quote(name)
		}
		text, err := f.between(value)
		if err != nil {
			return nil, err
		}
		return f.addInFlow(raw, len(raw.Content), 2, key+": "+text)
	}
	at, err := f.at(raw.Content[0])
	if err != nil {
		return nil, err
	}
	indent, ok := f.indent(at)
	from, _ := f.line(f.lineOf(at))
	if !ok && len(bytes.Trim(f.text[from:at], " -")) > 0 {
		return nil, errShape
	}
	end, err := f.end(raw)
	if err != nil {
		return nil, err
	}
	lines, err := f.entry(name, value, indent)
	if err != nil {
		return nil, err
	}
	return f.linesAfter(end, indent, lines), nil
}

// linesAfter writes lines behind the one of an offset, and behind the comments below that which are
// indented further: they belong to what is above.
func (f *fileText) linesAfter(end, indent int, lines []string) *splice {
	at := f.lineEnd(f.withComments(end, indent))
	return &splice{at, at, "\n" + strings.Join(lines, "\n")}
}

// withComments is an offset in the last of the comments below a line that are indented further.
func (f *fileText) withComments(end, indent int) int {
	for number := f.lineOf(end) + 1; number < len(f.lines); number++ {
		from, to := f.line(number)
		line := f.text[from:to]
		text := bytes.TrimLeft(line, " ")
		if len(text) == 0 || text[0] != '#' || len(line)-len(text) <= indent {
			break
		}
		end = from
	}
	return end
}

// addItem writes an item into a list, before the one that has its place now.
func (f *fileText) addItem(raw *yaml.Node, at int, value *node, in place) (*splice, error) {
	if in.flow {
		text, err := f.between(value)
		if err != nil {
			return nil, err
		}
		return f.addInFlow(raw, at, 1, text)
	}
	beside := raw.Content[max(at-1, 0)]
	where, err := f.itemPlace(beside, false)
	if err != nil {
		return nil, err
	}
	lines, err := f.item(value, where.indent)
	if beside.Kind == yaml.MappingNode && beside.Style&yaml.FlowStyle != 0 && value.tag == "!!map" {
		var text string
		text, err = inOneLine(value.yaml(true), false)
		lines = []string{strings.Repeat(" ", where.indent) + "- " + text}
	}
	if err != nil {
		return nil, err
	}
	if at == 0 {
		from, _ := f.line(f.lineOf(where.after))
		if _, first := f.indent(where.after - 1); !first {
			return nil, errShape
		}
		return &splice{from, from, strings.Join(lines, "\n") + "\n"}, nil
	}
	end, err := f.end(beside)
	if err != nil {
		return nil, err
	}
	return f.linesAfter(end, where.indent, lines), nil
}

// addInFlow writes an entry of so many nodes between brackets, before the one that begins at a node of
// the content.
func (f *fileText) addInFlow(raw *yaml.Node, at, size int, text string) (*splice, error) {
	open, err := f.content(raw)
	if err != nil {
		return nil, err
	}
	if open >= len(f.text) || f.text[open] != '{' && f.text[open] != '[' {
		return nil, errShape
	}
	if len(raw.Content) == 0 {
		return &splice{open + 1, open + 1, text}, nil
	}
	if at == 0 {
		first, err := f.at(raw.Content[0])
		return &splice{first, first, text + ", "}, err
	}
	begin, err := f.at(raw.Content[at-size])
	if err != nil {
		return nil, err
	}
	end, err := f.end(raw.Content[at-1])
	if err != nil {
		return nil, err
	}
	between := ", "
	if indent, first := f.indent(begin); first {
		between = ",\n" + strings.Repeat(" ", indent)
	}
	return &splice{end, end, between + text}, nil
}

// removeField takes a field out of a mapping.
func (f *fileText) removeField(raw *yaml.Node, at int, in place) (*splice, error) {
	for _, gone := range raw.Content[at : at+2] {
		if kept := f.detached(gone); kept != nil {
			return kept, nil
		}
	}
	return f.remove(raw, at, 2, in.flow)
}

// removeItem takes an item out of a list.
func (f *fileText) removeItem(raw *yaml.Node, at int, in place) (*splice, error) {
	if kept := f.detached(raw.Content[at]); kept != nil {
		return kept, nil
	}
	return f.remove(raw, at, 1, in.flow)
}

// remove takes an entry of so many nodes away, with its own comments.
func (f *fileText) remove(raw *yaml.Node, at, size int, flow bool) (*splice, error) {
	begin, err := f.at(raw.Content[at])
	if err != nil {
		return nil, err
	}
	end, err := f.end(raw.Content[at+size-1])
	if err != nil {
		return nil, err
	}
	if len(raw.Content) <= size {
		return nil, errShape
	}
	if !flow && size == 1 {
		where, err := f.itemPlace(raw.Content[at], false)
		if err != nil {
			return nil, err
		}
		begin = where.after - 1
	}
	indent, first := f.indent(begin)
	if !flow && first {
		return f.removeLines(begin, end, indent), nil
	}
	if at+size == len(raw.Content) { // the last one, with the comma before it
		if !flow {
			return nil, errShape
		}
		before, err := f.end(raw.Content[at-1])
		if err != nil || bytes.ContainsRune(f.text[before:begin], '#') {
			return nil, errShape
		}
		return &splice{before, end, ""}, nil
	}
	next, err := f.at(raw.Content[at+size])
	if err != nil {
		return nil, err
	}
	if !flow && size == 1 || bytes.Contains(f.text[f.lineEnd(end):max(next, f.lineEnd(end))], []byte("#")) {
		return nil, errShape
	}
	return &splice{begin, next, ""}, nil
}

// removeLines takes the lines of an entry away, the comments directly above it that are indented
// as it is, and those below it that are indented further. What heads the file stays.
func (f *fileText) removeLines(begin, end, indent int) *splice {
	number := f.lineOf(begin)
	top := number
	for top > 0 && f.isComment(top-1, indent) {
		top--
	}
	if top == 0 {
		top = number
	}
	from, _ := f.line(top)
	to := f.nextLine(f.withComments(end, indent))
	blankAbove := top == 0 || f.isBlank(top-1)
	for blankAbove && to < len(f.text) && f.isBlank(f.lineOf(to)) {
		to = f.nextLine(to)
	}
	if to == len(f.text) && top > 0 && !bytes.HasSuffix(f.text, []byte("\n")) {
		_, from = f.line(top - 1) // the file goes on ending without a line break
	}
	return &splice{from, to, ""}
}

func (f *fileText) isComment(number, indent int) bool {
	from, to := f.line(number)
	line := f.text[from:to]
	text := bytes.TrimLeft(line, " ")
	return len(text) > 0 && text[0] == '#' && len(line)-len(text) == indent
}

func (f *fileText) isBlank(number int) bool {
	from, to := f.line(number)
	return len(bytes.TrimSpace(f.text[from:to])) == 0
}
