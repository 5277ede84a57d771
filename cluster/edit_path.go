package cluster

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// step leads from a value to one in it: to a field by its name, or to an item.
type step struct {
	name string
	item bool
	at   int
}

// parsePath reads a path as child and index write it.
func parsePath(path string) ([]step, error) {
	var steps []step
	rest := path
	for first := true; rest != ""; first = false {
		if rest[0] == '[' {
			inner, after, err := bracket(rest)
			if err != nil || first {
				return nil, fmt.Errorf("%q is no path of a field", path)
			}
			steps, rest = append(steps, inner), after
			continue
		}
		if !first {
			if rest[0] != '.' {
				return nil, fmt.Errorf("%q is no path of a field", path)
			}
			rest = rest[1:]
		}
		end := strings.IndexAny(rest, ".[")
		if end < 0 {
			end = len(rest)
		}
		if end == 0 {
			return nil, fmt.Errorf("%q is no path of a field", path)
		}
		steps, rest = append(steps, step{name: rest[:end]}), rest[end:]
	}
	if len(steps) == 0 {
		return nil, fmt.Errorf("%q is no path of a field", path)
	}
	return steps, nil
}

// bracket reads [3] or ["name"] at the beginning of a text.
func bracket(text string) (step, string, error) {
	if quoted, err := strconv.QuotedPrefix(text[1:]); err == nil {
		name, err := strconv.Unquote(quoted)
		after, closed := strings.CutPrefix(text[1+len(quoted):], "]")
		if err != nil || !closed {
			return step{}, "", strconv.ErrSyntax
		}
		return step{name: name}, after, nil
	}
	number, after, closed := strings.Cut(text[1:], "]")
	at, err := strconv.Atoi(number)
	if err != nil || !closed || at < 0 {
		return step{}, "", strconv.ErrSyntax
	}
	return step{item: true, at: at}, after, nil
}

// typeAt is the type of what a path leads to. The one-element form of a list has its item's.
func typeAt(kind reflect.Type, steps []step) (reflect.Type, error) {
	for _, next := range steps {
		if kind.Kind() == reflect.Pointer {
			kind = kind.Elem()
		}
		_, leaf := reflect.New(kind).Interface().(json.Unmarshaler)
		switch {
		case next.item && kind.Kind() == reflect.Slice, !next.item && kind.Kind() == reflect.Map:
			kind = kind.Elem()
		case !next.item && kind.Kind() == reflect.Struct && !leaf:
			fields := fieldsOf(reflect.New(kind).Elem())
			long, short := singles[kind][next.name]
			switch field, known := fields[next.name]; {
			case known:
				kind = field.Type()
			case short:
				kind = fields[long].Type().Elem()
			default:
				return nil, fmt.Errorf("there is no field %s; known here: %s", next.name, strings.Join(names(fields, singles[kind]), ", "))
			}
		case next.item:
			return nil, fmt.Errorf("[%d]: it is no list", next.at)
		default:
			return nil, fmt.Errorf("%s: it has no fields", next.name)
		}
	}
	return kind, nil
}

// with is a value with what a path leads to replaced, or removed where that is nil. The value itself
// stays as it is. It is nil where nothing is left.
func (n *node) with(kind reflect.Type, steps []step, value *node) (*node, error) {
	if len(steps) == 0 {
		return value, nil
	}
	if kind != nil && kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	if steps[0].item {
		return n.withItem(kind, steps, value)
	}
	switch {
	case n == nil || n.tag == "!!null":
		n = &node{tag: "!!map"}
	case n.tag != "!!map":
		return nil, fmt.Errorf("%s: it is in %s, where a mapping is wanted", steps[0].name, n.describe())
	}
	return n.withField(kind, steps, value)
}

func (n *node) withField(kind reflect.Type, steps []step, value *node) (*node, error) {
	name := steps[0].name
	for short, long := range singles[kind] {
		if name == long && n.field(short) != nil {
			return n.withSingle(kind, short, long, steps[1:], value)
		}
		if name == short && n.field(long) != nil {
			name, steps = long, append([]step{{}, {item: true}}, steps[1:]...)
		}
	}
	under, err := typeAt(kind, []step{{name: name}})
	if err != nil {
		return nil, err
	}
	inner, err := n.field(name).with(under, steps[1:], value)
	if err != nil {
		return nil, err
	}
	return n.replaced(name, name, inner).orNothing(), nil
}

// withSingle changes a list that the file has in its one-element form.
func (n *node) withSingle(kind reflect.Type, short, long string, steps []step, value *node) (*node, error) {
	under, err := typeAt(kind, []step{{name: long}})
	if err != nil {
		return nil, err
	}
	list, err := (&node{tag: "!!seq", items: []*node{n.field(short)}}).with(under, steps, value)
	switch {
	case err != nil:
		return nil, err
	case list == nil || list.tag == "!!seq" && len(list.items) == 0:
		return n.replaced(short, short, nil).orNothing(), nil
	case list.tag == "!!seq" && len(list.items) == 1:
		return n.replaced(short, short, list.items[0]), nil
	}
	return n.replaced(short, long, list), nil
}

func (n *node) withItem(kind reflect.Type, steps []step, value *node) (*node, error) {
	switch {
	case n == nil || n.tag == "!!null":
		n = &node{tag: "!!seq"}
	case n.tag != "!!seq":
		return nil, fmt.Errorf("[%d]: it is in %s, where a list is wanted", steps[0].at, n.describe())
	}
	made, at := &node{tag: "!!seq", items: slices.Clone(n.items)}, steps[0].at
	if at > len(made.items) {
		return nil, fmt.Errorf("[%d]: the list has %d items", at, len(made.items))
	}
	var old *node
	if at < len(made.items) {
		old = made.items[at]
	}
	var under reflect.Type
	if kind != nil {
		under = kind.Elem()
	}
	inner, err := old.with(under, steps[1:], value)
	switch {
	case err != nil:
		return nil, err
	case inner == nil && len(steps) > 1:
		inner = &node{tag: "!!map"}
		fallthrough
	case inner != nil:
		made.items = slices.Replace(made.items, at, min(at+1, len(made.items)), inner)
	case at < len(made.items):
		made.items = slices.Delete(made.items, at, at+1)
	}
	return made, nil
}

// replaced is a mapping with a field that has another value, or another name as well, in the same
// place; a new one is the last. Without a value the field is not there.
func (n *node) replaced(name, as string, value *node) *node {
	made := &node{line: n.line, tag: "!!map"}
	done := value == nil
	for _, field := range n.fields {
		switch {
		case field.name != name:
			made.add(field)
		case value != nil:
			made.add(nodeField{name: as, line: field.line, value: value})
			done = true
		}
	}
	if !done {
		made.add(nodeField{name: as, value: value})
	}
	return made
}

// orNothing is nil for a mapping with nothing in it.
func (n *node) orNothing() *node {
	if len(n.fields) == 0 {
		return nil
	}
	return n
}

// withoutNulls is a value without fields that say nothing.
func (n *node) withoutNulls() *node {
	made := *n
	made.fields, made.byName, made.items = nil, nil, nil
	for _, field := range n.fields {
		if field.value.tag != "!!null" {
			made.add(nodeField{field.name, field.line, field.value.withoutNulls()})
		}
	}
	for _, item := range n.items {
		made.items = append(made.items, item.withoutNulls())
	}
	return &made
}

// same tells whether two values mean the same: a field that is null is as one that is not there.
func same(a, b *node) bool {
	if a.nothing() || b.nothing() {
		return a.nothing() && b.nothing()
	}
	if a.tag != b.tag || len(a.items) != len(b.items) {
		return false
	}
	for i := range a.items {
		if !same(a.items[i], b.items[i]) {
			return false
		}
	}
	if a.tag != "!!map" {
		return a.text == b.text || a.tag != "!!seq" && a.plain() == b.plain()
	}
	for _, field := range a.fields {
		if !same(field.value, b.field(field.name)) {
			return false
		}
	}
	for _, field := range b.fields {
		if a.field(field.name) == nil && !field.value.nothing() {
			return false
		}
	}
	return true
}

func (n *node) nothing() bool { return n == nil || n.tag == "!!null" }
