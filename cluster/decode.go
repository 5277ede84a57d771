package cluster

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// decoder reads a tree into a Go value by its JSON names, strictly, and goes on after
// each problem, so that a user sees them all.
type decoder struct {
	problems []Problem
	lines    map[string]int
	// written maps a path in the Go value to the path that the file has instead of it:
	// hosts[2].addresses[0] to hosts[2].address.
	written map[string]string
	// unreadable are the paths whose values could not be read: nothing more is reported of them.
	unreadable []string
	// tooLarge is set where the file was too large to be read to its end.
	tooLarge bool
}

// textForm is of types that the file may have as one text in place of their fields.
type textForm interface{ fromText(string) error }

func newDecoder() *decoder {
	return &decoder{lines: map[string]int{}, written: map[string]string{}}
}

func (d *decoder) report(problem Problem) { d.problems = append(d.problems, problem) }

// wrong reports a value that can not be read.
func (d *decoder) wrong(n *node, path, fix, format string, args ...any) {
	d.unreadable = append(d.unreadable, path)
	d.report(Problem{Path: path, Line: n.line, Message: fmt.Sprintf(format, args...), Fix: fix})
}

// singles are the one-element forms: the field that a file may have in place of a list.
var singles = map[reflect.Type]map[string]string{
	reflect.TypeFor[Host]():       {"address": "addresses"},
	reflect.TypeFor[Networking](): {"podSubnet": "podSubnets", "serviceSubnet": "serviceSubnets"},
}

func (d *decoder) decode(n *node, into reflect.Value, path string) {
	if _, known := d.lines[path]; !known {
		d.lines[path] = n.line
	}
	if n.tag == "!!null" {
		return // as if it were not there, as Kubernetes does it
	}
	if into.Kind() == reflect.Pointer {
		into.Set(reflect.New(into.Type().Elem()))
		into = into.Elem()
	}
	if unmarshaler, ok := into.Addr().Interface().(json.Unmarshaler); ok {
		d.decodeJSON(n, unmarshaler, path)
		return
	}
	switch into.Kind() {
	case reflect.Struct:
		d.decodeStruct(n, into, path)
	case reflect.Slice:
		d.decodeList(n, into, path)
	case reflect.Map:
		d.decodeMap(n, into, path)
	case reflect.Interface:
		into.Set(reflect.ValueOf(n.plain()))
	default:
		d.decodeScalar(n, into, path)
	}
}

func (d *decoder) decodeJSON(n *node, into json.Unmarshaler, path string) {
	text, err := json.Marshal(n.plain())
	if err == nil {
		err = into.UnmarshalJSON(text)
	}
	if err != nil {
		fix := ""
		if strings.Contains(fmt.Sprintf("%T", into), "Duration") {
			fix = "write a duration such as 30s, 10m or 8760h"
		}
		d.wrong(n, path, fix, "%s", strings.TrimPrefix(err.Error(), "json: "))
	}
}

func (d *decoder) decodeStruct(n *node, into reflect.Value, path string) {
	if short, has := into.Addr().Interface().(textForm); has && n.tag == "!!str" {
		if err := short.fromText(n.text); err != nil {
			d.wrong(n, path, "write it as [user@]host[:port]", "%q cannot be read: %v", n.text, err)
		}
		return
	}
	if n.tag != "!!map" {
		d.wrong(n, path, "write its fields below it", "is %s where a mapping is wanted", n.describe())
		return
	}
	known := fieldsOf(into)
	short := singles[into.Type()]
	for _, field := range n.fields {
		at := child(path, field.name)
		d.lines[at] = field.line
		if long, ok := short[field.name]; ok {
			d.decodeSingle(field, n, known[long], child(path, long), at)
			continue
		}
		target, ok := known[field.name]
		if !ok {
			d.unknown(field, into.Type(), path, names(known, short))
			continue
		}
		d.decode(field.value, target, at)
	}
}

// decodeSingle reads the one-element form of a list.
func (d *decoder) decodeSingle(field nodeField, parent *node, list reflect.Value, long, at string) {
	if parent.field(lastName(long)) != nil {
		d.wrong(field.value, at, "keep "+lastName(long), "must not be given together with %s", lastName(long))
		return
	}
	d.written[index(long, 0)], d.written[long] = at, at
	if field.value.tag == "!!seq" {
		d.wrong(field.value, at, "call it "+lastName(long), "is a list where one value is wanted")
		return
	}
	element := reflect.New(list.Type().Elem()).Elem()
	d.decode(field.value, element, at)
	if !element.IsZero() {
		list.Set(reflect.Append(list, element))
	}
}

func (d *decoder) decodeList(n *node, into reflect.Value, path string) {
	if n.tag != "!!seq" {
		d.wrong(n, path, "write it as a list: [a, b], or one line with a dash for each", "is %s where a list is wanted", n.describe())
		return
	}
	list := reflect.MakeSlice(into.Type(), len(n.items), len(n.items))
	for i, item := range n.items {
		d.decode(item, list.Index(i), index(path, i))
	}
	into.Set(list)
}

func (d *decoder) decodeMap(n *node, into reflect.Value, path string) {
	if n.tag != "!!map" {
		d.wrong(n, path, "write its entries below it", "is %s where a mapping is wanted", n.describe())
		return
	}
	made := reflect.MakeMapWithSize(into.Type(), len(n.fields))
	for _, field := range n.fields {
		element := reflect.New(into.Type().Elem()).Elem()
		d.decode(field.value, element, child(path, field.name))
		made.SetMapIndex(reflect.ValueOf(field.name).Convert(into.Type().Key()), element)
	}
	into.Set(made)
}

func (d *decoder) decodeScalar(n *node, into reflect.Value, path string) {
	ok, want := false, ""
	switch kind := into.Kind(); {
	case kind == reflect.String:
		if n.tag == "!!int" || n.tag == "!!float" || n.tag == "!!bool" {
			d.wrong(n, path, fmt.Sprintf("write it in quotes: %q", n.text), "%s is %s to YAML where text is wanted", n.text, n.describe())
			return
		}
		ok, want = n.tag == "!!str", "text"
		if ok {
			into.SetString(n.text)
		}
	case kind == reflect.Bool:
		ok, want = n.tag == "!!bool", "true or false"
		if ok {
			into.SetBool(n.plain() == true)
		}
	case into.CanInt():
		number, err := strconv.ParseInt(n.text, 0, 64)
		ok, want = n.tag == "!!int" && err == nil && !into.OverflowInt(number), "a whole number"
		if ok {
			into.SetInt(number)
		}
	case into.CanUint():
		number, err := strconv.ParseUint(n.text, 0, 64)
		ok, want = n.tag == "!!int" && err == nil && !into.OverflowUint(number), "a whole number from 0"
		if ok {
			into.SetUint(number)
		}
	case into.CanFloat():
		number, finite := n.float()
		ok, want = (n.tag == "!!int" || n.tag == "!!float") && finite, "a number"
		if ok {
			into.SetFloat(number)
		}
	}
	if !ok {
		have := n.describe()
		if n.text != "" {
			have = strconv.Quote(n.text)
		}
		d.wrong(n, path, "", "is %s where %s is wanted", have, want)
	}
}

// unknown reports a field that the type does not have, with the one that was meant.
func (d *decoder) unknown(field nodeField, in reflect.Type, path string, known []string) {
	fix := hint(in, field.name)
	if fix == "" {
		if close := nearest(field.name, known); close != "" {
			fix = fmt.Sprintf("did you mean %s?", close)
			// The field that was meant is not reported as missing too.
			d.unreadable = append(d.unreadable, child(path, close))
			if long, ok := singles[in][close]; ok {
				d.unreadable = append(d.unreadable, child(path, long))
			}
		} else {
			fix = "known here: " + strings.Join(known, ", ")
		}
	}
	d.report(Problem{Path: child(path, field.name), Line: field.line, Message: "unknown field", Fix: fix})
}

func lastName(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }
