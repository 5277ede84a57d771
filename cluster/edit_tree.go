package cluster

import (
	"bytes"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// rewritten is a text with what is wanted of the Cluster, whose document is written anew out of the
// parser's tree: comments and order stay, blank lines and indentation may not.
func rewritten(text []byte, want *node) ([]byte, error) {
	before, err := readText(text)
	if err != nil {
		return nil, err
	}
	from, to, err := before.extent()
	if err != nil {
		return nil, err
	}
	// The parser takes the return before a line's end for a part of the comment.
	f, err := readText(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")))
	if err != nil {
		return nil, err
	}
	for range maxSplices { // what an alias means changes with its anchor
		have, err := resolved(f.root)
		if err != nil {
			return nil, err
		}
		if same(have, want) {
			break
		}
		if err := f.reshape(f.root, want); err != nil {
			return nil, err
		}
		if err := spellOut(f.root); err != nil {
			return nil, err
		}
	}
	out, err := encode(f.document, f.step())
	if err != nil {
		return nil, err
	}
	out = strings.ReplaceAll(strings.ReplaceAll(out, "\r\n", "\n"), "\n", lineBreak(text))
	made := slices.Concat(text[:from], []byte(out), text[to:])
	after, err := readText(made)
	if err != nil {
		return nil, err
	}
	if !after.says(want, f.further) {
		return nil, errShape
	}
	return made, nil
}

// extent is where the Cluster's document begins and ends, between the lines that part documents.
func (f *fileText) extent() (from, to int, err error) {
	from, to = f.lines[0], len(f.text)
	begins := f.root.Line - 1
	for number := range f.lines {
		start, end := f.line(number)
		line := f.text[start:end]
		switch {
		case bytes.HasPrefix(line, []byte("%")) && number <= begins || bytes.HasPrefix(line, []byte("...")):
			return 0, 0, errShape
		case !bytes.HasPrefix(line, []byte("---")) || len(line) > 3 && line[3] != ' ':
		case len(line) > 3 && number == begins:
			return 0, 0, errShape
		case number <= begins:
			from = f.nextLine(start)
		default:
			return from, start, nil
		}
	}
	return from, to, nil
}

// reshape changes a tree to what is wanted of it, as far as it can without its aliases.
func (f *fileText) reshape(raw *yaml.Node, want *node) error {
	have, err := resolved(raw)
	if err != nil || same(have, want) {
		return err
	}
	switch {
	case raw.Kind == yaml.MappingNode && !want.nothing() && want.tag == "!!map":
		return f.reshapeFields(raw, have, want)
	case raw.Kind == yaml.SequenceNode && !want.nothing() && want.tag == "!!seq":
		return f.reshapeItems(raw, have, want)
	}
	if want == nil {
		want = &node{tag: "!!null"}
	}
	made := want.yaml(false)
	raw.Kind, raw.Tag, raw.Value, raw.Style, raw.Content, raw.Alias = made.Kind, made.Tag, made.Value, made.Style, made.Content, nil
	return nil
}

func (f *fileText) reshapeFields(raw *yaml.Node, have, want *node) error {
	own := map[string]bool{}
	var gone []int
	for _, key := range ownKeys(raw) {
		own[key.name] = true
		wanted := want.field(key.name)
		if wanted == nil && !have.field(key.name).nothing() && !f.merges(raw, key.name) {
			gone = append(gone, key.at)
			continue
		}
		if err := f.reshape(raw.Content[key.at+1], wanted); err != nil {
			return err
		}
	}
	for _, at := range slices.Backward(gone) {
		raw.Content = slices.Delete(raw.Content, at, at+2)
	}
	for _, field := range want.fields {
		if !own[field.name] && !same(have.field(field.name), field.value) {
			raw.Content = append(raw.Content, text(field.name), field.value.yaml(false))
		}
	}
	for _, field := range have.fields {
		if !own[field.name] && want.field(field.name) == nil && !field.value.nothing() {
			raw.Content = append(raw.Content, text(field.name), (&node{tag: "!!null"}).yaml(false))
		}
	}
	return nil
}

func (f *fileText) reshapeItems(raw *yaml.Node, have, want *node) error {
	first, old, wanted := 0, len(have.items), len(want.items)
	for first < min(old, wanted) && same(have.items[first], want.items[first]) {
		first++
	}
	for old > first && wanted > first && same(have.items[old-1], want.items[wanted-1]) {
		old, wanted = old-1, wanted-1
	}
	for ; first < min(old, wanted); first++ {
		if err := f.reshape(raw.Content[first], want.items[first]); err != nil {
			return err
		}
	}
	var more []*yaml.Node
	for _, item := range want.items[first:wanted] {
		more = append(more, item.yaml(false))
	}
	raw.Content = slices.Replace(raw.Content, first, old, more...)
	return nil
}

// spellOut replaces aliases of what is no longer in the tree.
func spellOut(root *yaml.Node) error {
	there := map[*yaml.Node]bool{}
	each(root, func(n *yaml.Node) { there[n] = true })
	var failed error
	each(root, func(n *yaml.Node) {
		if n.Kind != yaml.AliasNode || there[n.Alias] || failed != nil {
			return
		}
		value, err := resolved(n.Alias)
		if failed = err; err == nil {
			made := value.yaml(true)
			n.Kind, n.Tag, n.Value, n.Style, n.Content, n.Alias = made.Kind, made.Tag, made.Value, made.Style, made.Content, nil
		}
	})
	return failed
}
