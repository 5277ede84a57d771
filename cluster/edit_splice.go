package cluster

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// splice puts text in place of the part of another from one offset to the other.
type splice struct {
	from, to int
	with     string
}

// maxSplices bounds how many places one change touches.
const maxSplices = 500

// spliced is a text with what is wanted of the Cluster, changed only where it says something else.
func spliced(text []byte, want *node) ([]byte, error) {
	before, err := readText(text)
	if err != nil {
		return nil, err
	}
	end := lineBreak(text)
	for range maxSplices {
		now, err := readText(text)
		if err != nil {
			return nil, err
		}
		if now.says(want, before.further) {
			return text, nil
		}
		change, err := now.next(now.root, want, place{})
		switch {
		case err != nil:
			return nil, err
		case change == nil || change.from > change.to:
			return nil, errShape
		}
		with := strings.ReplaceAll(strings.ReplaceAll(change.with, "\r\n", "\n"), "\n", end)
		text = slices.Concat(text[:change.from], []byte(with), text[change.to:])
	}
	return nil, errors.New("it is different in too many places")
}

// place is where a value stands.
type place struct {
	flow   bool // between brackets
	key    bool // it is a field's, else a list's or the whole document
	after  int  // behind the key's colon, or the dash
	indent int  // of the key, or the dash
}

// next is the first change that brings the text closer to what is wanted of a node; nil where
// nothing is to be changed.
func (f *fileText) next(raw *yaml.Node, want *node, in place) (*splice, error) {
	have, err := resolved(raw)
	if err != nil || same(have, want) {
		return nil, err
	}
	switch {
	case want.nothing():
		return f.replace(raw, &node{tag: "!!null"}, in)
	case raw.Kind == yaml.MappingNode && want.tag == "!!map" && len(want.fields) > 0 && (len(raw.Content) > 0 || in.flow):
		return f.nextField(raw, have, want, in)
	case raw.Kind == yaml.SequenceNode && want.tag == "!!seq" && len(want.items) > 0 && (len(raw.Content) > 0 || in.flow):
		return f.nextItem(raw, have, want, in)
	}
	return f.replace(raw, want, in)
}

// nextField is the first change within a mapping.
func (f *fileText) nextField(raw *yaml.Node, have, want *node, in place) (*splice, error) {
	in.flow = in.flow || raw.Style&yaml.FlowStyle != 0
	own := map[string]bool{}
	for _, key := range ownKeys(raw) {
		own[key.name] = true
	}
	for _, key := range ownKeys(raw) {
		wanted := want.field(key.name)
		if same(have.field(key.name), wanted) {
			continue
		}
		if other := otherForm(key.name); wanted == nil && other != "" && !own[other] && want.field(other) != nil {
			return f.rename(key.node, other)
		}
		if wanted == nil && !f.merges(raw, key.name) {
			return f.removeField(raw, key.at, in)
		}
		at, err := f.fieldPlace(key.node, in.flow)
		if err != nil {
			return nil, err
		}
		return f.next(raw.Content[key.at+1], wanted, at)
	}
	for _, field := range want.fields {
		if !own[field.name] && !same(have.field(field.name), field.value) {
			return f.addField(raw, field.name, field.value, in)
		}
	}
	for _, field := range have.fields { // what a merge brings in, and is not wanted here
		if !own[field.name] && !same(field.value, want.field(field.name)) {
			return f.addField(raw, field.name, &node{tag: "!!null"}, in)
		}
	}
	return nil, errShape
}

// ownKey is a field that a mapping itself has.
type ownKey struct {
	name string
	node *yaml.Node
	at   int // in the mapping's content
}

func ownKeys(raw *yaml.Node) []ownKey {
	var keys []ownKey
	seen := map[string]bool{}
	for i := 0; i+1 < len(raw.Content); i += 2 {
		key, meant := raw.Content[i], raw.Content[i]
		if meant.Kind == yaml.AliasNode {
			meant = meant.Alias
		}
		if meant.Kind == yaml.ScalarNode && meant.ShortTag() != "!!merge" && !seen[meant.Value] {
			seen[meant.Value] = true
			keys = append(keys, ownKey{meant.Value, key, i})
		}
	}
	return keys
}

// merges tells whether << brings a field into a mapping.
func (f *fileText) merges(raw *yaml.Node, name string) bool {
	for i := 0; i+1 < len(raw.Content); i += 2 {
		if raw.Content[i].ShortTag() != "!!merge" {
			continue
		}
		only := &yaml.Node{Kind: yaml.MappingNode, Content: raw.Content[i : i+2]}
		if brought, err := resolved(only); err == nil && !brought.field(name).nothing() {
			return true
		}
	}
	return false
}

// otherForm is the other name of a list that has a one-element form, and of that form.
func otherForm(name string) string {
	for _, forms := range singles {
		for short, long := range forms {
			switch name {
			case short:
				return long
			case long:
				return short
			}
		}
	}
	return ""
}

func (f *fileText) rename(key *yaml.Node, to string) (*splice, error) {
	from, err := f.content(key)
	if err != nil {
		return nil, err
	}
	end, err := f.end(key)
	return &splice{from, end, to}, err
}

// fieldPlace is the place of a field's value.
func (f *fileText) fieldPlace(key *yaml.Node, flow bool) (place, error) {
	at, err := f.at(key)
	if err != nil {
		return place{}, err
	}
	end, err := f.end(key)
	if err != nil {
		return place{}, err
	}
	for end < len(f.text) && f.text[end] == ' ' {
		end++
	}
	if end >= len(f.text) || f.text[end] != ':' {
		return place{}, errShape
	}
	indent, _ := f.indent(at)
	return place{flow: flow, key: true, after: end + 1, indent: indent}, nil
}

// nextItem is the first change within a list: what is the same at its beginning and its end stays.
func (f *fileText) nextItem(raw *yaml.Node, have, want *node, in place) (*splice, error) {
	in.flow = in.flow || raw.Style&yaml.FlowStyle != 0
	first, old, wanted := 0, len(have.items), len(want.items)
	for first < min(old, wanted) && same(have.items[first], want.items[first]) {
		first++
	}
	for old > first && wanted > first && same(have.items[old-1], want.items[wanted-1]) {
		old, wanted = old-1, wanted-1
	}
	switch {
	case old == first:
		return f.addItem(raw, first, want.items[first], in)
	case wanted == first, contains(have.items[first+1:old], want.items[first]):
		return f.removeItem(raw, first, in)
	case contains(want.items[first+1:wanted], have.items[first]):
		return f.addItem(raw, first, want.items[first], in)
	}
	at, err := f.itemPlace(raw.Content[first], in.flow)
	if err != nil {
		return nil, err
	}
	return f.next(raw.Content[first], want.items[first], at)
}

func contains(items []*node, wanted *node) bool {
	return slices.ContainsFunc(items, func(item *node) bool { return same(item, wanted) })
}

// itemPlace is the place of an item: in a block, behind its dash.
func (f *fileText) itemPlace(item *yaml.Node, flow bool) (place, error) {
	at, err := f.at(item)
	if err != nil || flow {
		return place{flow: flow, after: at}, err
	}
	for at > 0 && f.text[at-1] == ' ' {
		at--
	}
	if at == 0 || f.text[at-1] != '-' {
		return place{}, errShape
	}
	from, _ := f.line(f.lineOf(at - 1))
	if len(bytes.Trim(f.text[from:at], " -")) > 0 {
		return place{}, errShape
	}
	return place{after: at, indent: at - 1 - from}, nil
}

// replace writes another value in place of a node's, behind its anchor.
func (f *fileText) replace(raw *yaml.Node, want *node, in place) (*splice, error) {
	if kept := f.detached(raw); kept != nil {
		return kept, nil
	}
	from, err := f.content(raw)
	if err != nil {
		return nil, err
	}
	end, err := f.end(raw)
	if err != nil {
		return nil, err
	}
	wasBlock := (raw.Kind == yaml.MappingNode || raw.Kind == yaml.SequenceNode) && raw.Style&yaml.FlowStyle == 0
	if in.flow || want.inLine() {
		value := want.yaml(in.flow)
		if raw.Kind == yaml.ScalarNode && value.Kind == yaml.ScalarNode && want.tag == "!!str" && raw.ShortTag() == "!!str" {
			value.Style |= raw.Style & (yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle)
		}
		if in.flow {
			f.quote(value)
		}
		text, err := inOneLine(value, in.flow)
		switch {
		case err != nil:
			return nil, err
		case wasBlock && f.lineOf(from) != f.lineOf(in.after):
			head, comment := f.restOf(in.after)
			return &splice{in.after, end, head + " " + text + comment}, nil
		}
		return f.inPlace(from, end, text, in), nil
	}
	if !in.key && in.after == 0 {
		return nil, errShape
	}
	if !in.key {
		lines, err := f.block(want, in.indent+len("- "))
		if err != nil {
			return nil, err
		}
		lines[0] = strings.TrimLeft(lines[0], " ")
		return f.inPlace(from, end, strings.Join(lines, "\n"), in), nil
	}
	lines, err := f.block(want, f.below(want, in.indent))
	if err != nil {
		return nil, err
	}
	below := "\n" + strings.Join(lines, "\n")
	if wasBlock {
		return &splice{f.lineEnd(in.after), end, below}, nil
	}
	_, comment := f.restOf(end)
	before := bytes.TrimRight(f.text[:from], " ")
	return &splice{len(before), f.lineEnd(end), comment + below}, nil
}

// restOf is what stands in a line from an offset: text, and a comment with the blanks before it.
func (f *fileText) restOf(at int) (text, comment string) {
	line := string(f.text[at:f.lineEnd(at)])
	sign := strings.Index(line, " #")
	if sign < 0 {
		return strings.TrimRight(line, " \t"), ""
	}
	text = strings.TrimRight(line[:sign], " \t")
	return text, line[len(text):]
}

// inPlace puts text in place of other text; a comment behind it stays in its column if it can.
func (f *fileText) inPlace(from, end int, text string, in place) *splice {
	grown := len(text) - (end - from)
	if from == end && from == in.after && text != "" {
		text, grown = " "+text, grown+1
	}
	if blanks, comment := f.restOf(end); blanks == "" && comment != "" && !strings.Contains(text, "\n") {
		wide := strings.Index(comment, "#")
		return &splice{from, end + wide, text + strings.Repeat(" ", max(1, wide-grown))}
	}
	return &splice{from, end, text}
}

// detached is a change before one that takes the anchors within a node away: an alias elsewhere
// that means one of them is spelled out. Nil where there is none.
func (f *fileText) detached(gone *yaml.Node) *splice {
	within := map[*yaml.Node]bool{}
	each(gone, func(n *yaml.Node) { within[n] = true })
	var found *splice
	each(f.root, func(n *yaml.Node) {
		if found != nil || n.Kind != yaml.AliasNode || within[n] || !within[n.Alias] {
			return
		}
		from, err := f.at(n)
		if err != nil {
			return
		}
		end, err := f.end(n)
		if err != nil {
			return
		}
		value, err := resolved(n.Alias)
		if err != nil {
			return
		}
		if text, err := f.between(value); err == nil {
			found = &splice{from, end, text}
		}
	})
	return found
}

// each goes over a node and all within it.
func each(n *yaml.Node, do func(*yaml.Node)) {
	do(n)
	for _, inner := range n.Content {
		each(inner, do)
	}
}
