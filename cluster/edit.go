package cluster

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Editor changes the text of a Cluster file and keeps all of it that it was not asked to change:
// comments, order, blank lines, quotes, indentation, anchors, line ends, and the further documents.
//
// After each change the text is read again and says exactly what was wanted. Where it would not, the
// change is made by writing the Cluster document anew, with its comments and in its order; where
// that does not say it either, there is an error. A change that fails leaves the text as it was.
type Editor struct{ text []byte }

// head begins a new file.
const head = "# The cluster that Slipway installs. Everything that can be said here: slipway config print\napiVersion: " + APIVersion + "\nkind: " + Kind + "\n"

// NewEditor begins to edit a file's text; without any, a new file. The error is a *SyntaxError where
// the text is not YAML. The first document has to be a Cluster, but need not be complete.
func NewEditor(data []byte) (*Editor, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("edit the cluster file: it is not UTF-8")
	}
	found, err := documents(data)
	if err != nil {
		return nil, err
	}
	e := &Editor{text: bytes.Clone(data)}
	if len(found) == 0 {
		e.text = begun(data)
	}
	read, err := readText(e.text)
	if err != nil {
		return nil, fmt.Errorf("edit the cluster file: %w", err)
	}
	if d := newDecoder(); len(found) > 0 && read.tree.textOf("kind") != "" && !d.isCluster(read.tree) {
		return nil, fmt.Errorf("edit the cluster file: %w", &Invalid{d.problems})
	}
	return e, nil
}

// begun is a new file's text, below what there is: comments, or nothing.
func begun(data []byte) []byte {
	if len(bytes.TrimSpace(data)) == 0 {
		return []byte(head)
	}
	_, fields, _ := strings.Cut(head, "\n")
	end := lineBreak(data)
	text := bytes.TrimRight(data, "\r\n")
	return append(bytes.Clone(text), strings.ReplaceAll("\n"+fields, "\n", end)...)
}

// Bytes is the text as it stands now.
func (e *Editor) Bytes() []byte { return bytes.Clone(e.text) }

// Set gives a field of the file a value. Its path is written as in a Problem: endpoint.host,
// networking.podSubnets, hosts[2].labels["example.com/zone"]. What stands around it is made where it
// is missing; an index that is the list's length adds an item. The value is of the field's type,
// or one that has the same JSON. Nil removes the field, and what is empty then around it.
//
// A list that the file has in its one-element form (address, podSubnet) keeps that where it can.
// It is an error that there is no such field, or that the value is of another type.
func (e *Editor) Set(path string, value any) error {
	if err := e.set(path, value); err != nil {
		return fmt.Errorf("set %s in the cluster file: %w", path, err)
	}
	return nil
}

func (e *Editor) set(path string, value any) error {
	steps, err := parsePath(path)
	if err != nil {
		return err
	}
	wanted, err := valueNode(value)
	if err != nil {
		return err
	}
	kind, err := typeAt(reflect.TypeFor[Cluster](), steps)
	if err != nil {
		return err
	}
	if err := fits(wanted, kind, path); err != nil {
		return err
	}
	read, err := readText(e.text)
	if err != nil {
		return err
	}
	tree, err := read.tree.with(reflect.TypeFor[Cluster](), steps, wanted)
	if err != nil {
		return err
	}
	return e.become(tree)
}

// fits tells what is wrong with a value for a type; nothing where it is removed.
func fits(value *node, kind reflect.Type, path string) error {
	if value == nil {
		return nil
	}
	d := newDecoder()
	d.decode(value, reflect.New(kind).Elem(), path)
	if len(d.problems) == 0 {
		return nil
	}
	found := d.problems[0]
	found.Line = 0
	if found.Path == path {
		found.Path = ""
	}
	return errors.New(found.String())
}

// valueNode is a Go value as the file's, by way of its JSON; nil for nil.
func valueNode(value any) (*node, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	if bytes.Contains(text, []byte(`\ufffd`)) { // which is how JSON writes what is none
		return nil, errors.New("the value is not UTF-8")
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	made, err := resolved(document.Content[0])
	if err != nil || made.tag == "!!null" {
		return nil, err
	}
	return made.withoutNulls(), nil
}

// RemoveHost takes a host out of the file.
func (e *Editor) RemoveHost(name string) error {
	if err := e.removeHost(name); err != nil {
		return fmt.Errorf("remove host %s from the cluster file: %w", name, err)
	}
	return nil
}

func (e *Editor) removeHost(name string) error {
	read, err := readText(e.text)
	if err != nil {
		return err
	}
	at, err := read.hostAt(name)
	if err != nil {
		return err
	}
	list := read.tree.field("hosts")
	rest := &node{tag: "!!seq", items: slices.Delete(slices.Clone(list.items), at, at+1)}
	return e.become(read.tree.replaced("hosts", "hosts", rest))
}

// RenameHost gives a host of the file another name.
func (e *Editor) RenameHost(name, to string) error {
	if err := e.renameHost(name, to); err != nil {
		return fmt.Errorf("rename host %s in the cluster file to %s: %w", name, to, err)
	}
	return nil
}

func (e *Editor) renameHost(name, to string) error {
	read, err := readText(e.text)
	if err != nil {
		return err
	}
	at, err := read.hostAt(name)
	if err != nil {
		return err
	}
	if _, err := read.hostAt(to); err == nil && name != to {
		return errors.New("there is a host of that name")
	}
	return e.set(child(index("hosts", at), "name"), to)
}

// become makes the text say what is wanted, or fails and leaves it as it is.
func (e *Editor) become(want *node) error {
	text, err := spliced(e.text, want)
	if err != nil {
		var again error
		if text, again = rewritten(e.text, want); again != nil {
			return fmt.Errorf("the text cannot be changed to say that, and only that: %w; change it by hand", err)
		}
	}
	if len(text) > maxFile {
		return errors.New("the file would be larger than 1 MiB")
	}
	e.text = text
	return nil
}
