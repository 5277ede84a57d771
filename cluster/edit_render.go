package cluster

import (
	"bytes"
	"strings"

	"go.yaml.in/yaml/v3"
)

// inLine tells whether a value is written in the line of its key: a text, a list of texts, or
// nothing at all.
func (n *node) inLine() bool {
	if n.tag == "!!seq" {
		for _, item := range n.items {
			if item.tag == "!!map" || item.tag == "!!seq" {
				return false
			}
		}
		return true
	}
	return n.tag != "!!map" || len(n.fields) == 0
}

// yaml is a value as the encoder takes it. With flow, all of it goes in one line; else only what
// is short.
func (n *node) yaml(flow bool) *yaml.Node {
	made := &yaml.Node{Tag: n.tag}
	if flow || n.inLine() {
		made.Style = yaml.FlowStyle
	}
	switch n.tag {
	case "!!map":
		made.Kind = yaml.MappingNode
		for _, field := range n.fields {
			made.Content = append(made.Content, text(field.name), field.value.yaml(flow))
		}
	case "!!seq":
		made.Kind = yaml.SequenceNode
		for _, item := range n.items {
			made.Content = append(made.Content, item.yaml(flow))
		}
	case "!!null":
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: n.tag, Value: "null"}
	case "!!str":
		return text(n.text)
	default:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: n.tag, Value: n.text}
	}
	return made
}

func text(value string) *yaml.Node {
	made := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
	if strings.ContainsAny(value, "\r\n\t\u0085\u2028\u2029") {
		made.Style = yaml.DoubleQuotedStyle // it stays in one line
	}
	return made
}

func encode(n *yaml.Node, indent int) (string, error) {
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(indent)
	if err := encoder.Encode(n); err != nil {
		return "", err
	}
	err := encoder.Close()
	return out.String(), err
}

// inOneLine writes a value so that it can stand in a line: between brackets too, with flow.
func inOneLine(value *yaml.Node, flow bool) (string, error) {
	around := &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{text("k"), value}}
	before, after := "k: ", "\n"
	if flow {
		around.Style, before, after = yaml.FlowStyle, "{k: ", "}\n"
	}
	out, err := encode(around, 2)
	if err != nil {
		return "", err
	}
	out, begun := strings.CutPrefix(out, before)
	out, ended := strings.CutSuffix(out, after)
	if !begun || !ended || strings.Contains(out, "\n") {
		return "", errShape
	}
	return out, nil
}

// between writes a value so that it can stand between brackets.
func (f *fileText) between(n *node) (string, error) {
	value := n.yaml(true)
	f.quote(value)
	return inOneLine(value, true)
}

// isJSON tells whether the file is written as JSON is.
func (f *fileText) isJSON() bool {
	return f.root.Style&yaml.FlowStyle != 0 && len(f.root.Content) > 0 && f.root.Content[0].Style&yaml.DoubleQuotedStyle != 0
}

// quote puts texts in quotes where the file is JSON.
func (f *fileText) quote(value *yaml.Node) {
	if !f.isJSON() {
		return
	}
	each(value, func(n *yaml.Node) {
		if n.Kind == yaml.ScalarNode && n.Tag == "!!str" {
			n.Style = yaml.DoubleQuotedStyle
		}
	})
}

// asKey writes a field's name.
func asKey(name string, flow bool) (string, error) {
	around := &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{text(name), {Kind: yaml.ScalarNode, Tag: "!!int", Value: "1"}}}
	before, after := "", ": 1\n"
	if flow {
		around.Style, before, after = yaml.FlowStyle, "{", ": 1}\n"
	}
	out, err := encode(around, 2)
	if err != nil {
		return "", err
	}
	out, begun := strings.CutPrefix(out, before)
	out, ended := strings.CutSuffix(out, after)
	if !begun || !ended || strings.Contains(out, "\n") || strings.HasPrefix(out, "? ") {
		return "", errShape
	}
	return out, nil
}

// block writes a value's lines, each indented.
func (f *fileText) block(n *node, indent int) ([]string, error) {
	out, err := encode(n.yaml(false), f.step())
	if err != nil {
		return nil, err
	}
	var lines []string
	for line := range strings.SplitSeq(strings.TrimSuffix(out, "\n"), "\n") {
		lines = append(lines, strings.Repeat(" ", indent)+line)
	}
	return lines, nil
}

// entry writes a field's lines as they stand in a block that is indented so far.
func (f *fileText) entry(name string, value *node, indent int) ([]string, error) {
	key, err := asKey(name, false)
	if err != nil {
		return nil, err
	}
	key = strings.Repeat(" ", indent) + key + ":"
	if value.inLine() {
		out, err := inOneLine(value.yaml(false), false)
		return []string{key + " " + out}, err
	}
	inner, err := f.block(value, f.below(value, indent))
	return append([]string{key}, inner...), err
}

// item writes a list's item.
func (f *fileText) item(value *node, indent int) ([]string, error) {
	dash := strings.Repeat(" ", indent) + "- "
	if value.inLine() {
		out, err := inOneLine(value.yaml(false), false)
		return []string{dash + out}, err
	}
	lines, err := f.block(value, indent+len("- "))
	if err == nil {
		lines[0] = dash + lines[0][len(dash):]
	}
	return lines, err
}

// below is how far a value is indented below a key that is indented so far.
func (f *fileText) below(value *node, indent int) int {
	if value.tag == "!!seq" && f.flatLists() {
		return indent
	}
	return indent + f.step()
}

// step is how far the file indents what is below a key.
func (f *fileText) step() int {
	for i := 1; i < len(f.root.Content); i += 2 {
		if value := f.root.Content[i]; value.Kind == yaml.MappingNode && value.Style&yaml.FlowStyle == 0 && len(value.Content) > 0 {
			if step := value.Content[0].Column - f.root.Content[i-1].Column; step > 1 && step < 10 {
				return step
			}
		}
	}
	return 2
}

// flatLists tells whether the file writes lists below a key without indentation.
func (f *fileText) flatLists() bool {
	for i := 1; i < len(f.root.Content); i += 2 {
		if value := f.root.Content[i]; value.Kind == yaml.SequenceNode && value.Style&yaml.FlowStyle == 0 {
			return value.Anchor == "" && value.Column == f.root.Content[i-1].Column
		}
	}
	return false
}
