package cluster

import (
	"strconv"

	"go.yaml.in/yaml/v3"
)

// node is a YAML value with its anchors, aliases and merge keys resolved.
type node struct {
	line   int
	tag    string // !!str, !!int, !!float, !!bool, !!null, !!map, !!seq
	text   string
	fields []nodeField // in the file's order
	byName map[string]*node
	items  []*node
}

type nodeField struct {
	name  string
	line  int
	value *node
}

// Bounds of a file's tree: aliases can make a small file a huge one.
const (
	maxNodes = 100_000
	maxDepth = 64
)

// resolver turns the parser's nodes into ours and reports what YAML allows and a
// Cluster file does not.
type resolver struct {
	nodes    int
	tooLarge bool
	report   func(Problem)
}

func (r *resolver) resolve(from *yaml.Node, path string, depth int) *node {
	r.nodes++
	if r.nodes > maxNodes || depth > maxDepth {
		r.tooLarge = true
		return &node{line: from.Line, tag: "!!null"}
	}
	switch from.Kind {
	case yaml.AliasNode:
		return r.resolve(from.Alias, path, depth+1)
	case yaml.MappingNode:
		made := &node{line: from.Line, tag: "!!map"}
		r.mapping(made, from, path, depth, false)
		return made
	case yaml.SequenceNode:
		made := &node{line: from.Line, tag: "!!seq"}
		for i, item := range from.Content {
			made.items = append(made.items, r.resolve(item, index(path, i), depth+1))
		}
		return made
	}
	return r.scalar(from, path)
}

func (r *resolver) scalar(from *yaml.Node, path string) *node {
	made := &node{line: from.Line, tag: from.ShortTag(), text: from.Value}
	switch made.tag {
	case "!!str", "!!int", "!!float", "!!bool", "!!null":
	case "!!timestamp", "!!merge":
		made.tag = "!!str" // a date is text here
	default:
		r.report(Problem{Path: path, Line: from.Line, Message: "the tag " + made.tag + " is not for this file", Fix: "leave it out"})
		made.tag = "!!str"
	}
	return made
}

// mapping adds a mapping's fields to made. With merged set, it is one that << brings in:
// what is already there goes before it.
func (r *resolver) mapping(made *node, from *yaml.Node, path string, depth int, merged bool) {
	var merges []*yaml.Node
	for i := 0; i+1 < len(from.Content); i += 2 {
		key, value := from.Content[i], from.Content[i+1]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		switch {
		case key.ShortTag() == "!!merge":
			merges = append(merges, value)
		case key.Kind != yaml.ScalarNode:
			r.report(Problem{Path: path, Line: key.Line, Message: "a field's name is a list or a mapping", Fix: "write a plain word"})
		case made.field(key.Value) == nil:
			made.add(nodeField{key.Value, key.Line, r.resolve(value, child(path, key.Value), depth+1)})
		case !merged:
			r.report(Problem{Path: child(path, key.Value), Line: key.Line, Message: "is given twice", Fix: "keep one"})
		}
	}
	for _, merge := range merges {
		r.merge(made, merge, path, depth+1)
	}
}

func (r *resolver) merge(made *node, from *yaml.Node, path string, depth int) {
	r.nodes++
	if r.nodes > maxNodes || depth > maxDepth {
		r.tooLarge = true
		return
	}
	switch from.Kind {
	case yaml.AliasNode:
		r.merge(made, from.Alias, path, depth+1)
	case yaml.MappingNode:
		r.mapping(made, from, path, depth, true)
	case yaml.SequenceNode:
		for _, item := range from.Content {
			r.merge(made, item, path, depth+1)
		}
	default:
		r.report(Problem{Path: path, Line: from.Line, Message: "<< merges something that is no mapping"})
	}
}

func (n *node) add(field nodeField) {
	if n.byName == nil {
		n.byName = map[string]*node{}
	}
	n.byName[field.name] = field.value
	n.fields = append(n.fields, field)
}

// field finds a field; nil where there is none.
func (n *node) field(name string) *node {
	if n == nil {
		return nil
	}
	return n.byName[name]
}

// plain gives the value in the types that encoding/json decodes into, whole numbers as int64.
func (n *node) plain() any {
	switch n.tag {
	case "!!map":
		made := make(map[string]any, len(n.fields))
		for _, field := range n.fields {
			made[field.name] = field.value.plain()
		}
		return made
	case "!!seq":
		made := make([]any, 0, len(n.items))
		for _, item := range n.items {
			made = append(made, item.plain())
		}
		return made
	case "!!null":
		return nil
	case "!!bool":
		return n.text == "true" || n.text == "True" || n.text == "TRUE"
	case "!!int":
		if number, err := strconv.ParseInt(n.text, 0, 64); err == nil {
			return number
		}
	case "!!float":
		if number, ok := n.float(); ok {
			return number
		}
	}
	return n.text
}

// float reads a finite number: JSON has no other.
func (n *node) float() (float64, bool) {
	number, err := strconv.ParseFloat(n.text, 64)
	return number, err == nil && number-number == 0
}

// describe names the value's kind for a message.
func (n *node) describe() string {
	switch n.tag {
	case "!!map":
		return "a mapping"
	case "!!seq":
		return "a list"
	case "!!bool":
		return "true or false"
	case "!!int", "!!float":
		return "a number"
	case "!!null":
		return "nothing"
	}
	return "text"
}

func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// child is the path of a field; names that are not plain words are quoted in brackets.
func child(path, name string) string {
	if path != "" && name != "" && !plainName(name) {
		return path + "[" + strconv.Quote(name) + "]"
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

func plainName(name string) bool {
	for _, r := range name {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' {
			return false
		}
	}
	return true
}
