package cluster

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// SetHost adds a host at the end of the file's list, or changes the one of that name where it
// differs: a field that is as the file says it, or as the defaults complete it, stays as it is
// written. An empty field removes what the file says. The name itself changes by RenameHost.
//
// A host that is added is written without what the defaults say.
func (e *Editor) SetHost(name string, h Host) error {
	if err := e.setHost(name, h); err != nil {
		return fmt.Errorf("set host %s in the cluster file: %w", name, err)
	}
	return nil
}

func (e *Editor) setHost(name string, h Host) error {
	if h.Name = cmp.Or(h.Name, name); name == "" || h.Name != name {
		return fmt.Errorf("the host is called %q", h.Name)
	}
	read, err := readText(e.text)
	if err != nil {
		return err
	}
	c, _, err := Draft(e.text)
	if err != nil {
		return err
	}
	at, err := read.hostAt(name)
	if err != nil {
		return e.addHost(read, c, h)
	}
	if list := read.tree.field("hosts"); at >= len(c.Hosts) || at >= len(list.items) {
		return errors.New("its entry cannot be read")
	}
	written := Host{}
	newDecoder().decode(read.tree.field("hosts").items[at], reflect.ValueOf(&written).Elem(), "")
	tree, err := changed(read.tree, index("hosts", at), reflect.ValueOf(h), reflect.ValueOf(written), reflect.ValueOf(c.Hosts[at]))
	if err != nil {
		return err
	}
	return e.become(tree)
}

// changed is the tree with the fields below a path that are neither as written nor as completed.
func changed(tree *node, path string, wanted, written, completed reflect.Value) (*node, error) {
	for i := range wanted.NumField() {
		name, _, _ := strings.Cut(wanted.Type().Field(i).Tag.Get("json"), ",")
		value, at := wanted.Field(i), child(path, name)
		if alike(value, written.Field(i)) || alike(value, completed.Field(i)) {
			continue
		}
		var err error
		if value.Type() == reflect.TypeFor[SSH]() && !value.IsZero() {
			tree, err = changed(tree, at, value, written.Field(i), completed.Field(i))
		} else {
			tree, err = withValue(tree, at, value)
		}
		if err != nil {
			return nil, err
		}
	}
	return tree, nil
}

// alike tells whether two values are the same to the file: an empty list is none.
func alike(a, b reflect.Value) bool {
	if (a.Kind() == reflect.Slice || a.Kind() == reflect.Map) && a.Len() == 0 && b.Len() == 0 {
		return true
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}

// withValue is the tree with a value at a path; an empty value removes what is there.
func withValue(tree *node, path string, value reflect.Value) (*node, error) {
	var made *node
	if empty := value.IsZero() || value.Kind() == reflect.Slice && value.Len() == 0; !empty {
		var err error
		if made, err = valueNode(value.Interface()); err != nil {
			return nil, err
		}
	}
	steps, err := parsePath(path)
	if err != nil {
		return nil, err
	}
	return tree.with(reflect.TypeFor[Cluster](), steps, made)
}

func (e *Editor) addHost(read *fileText, c *Cluster, h Host) error {
	completed := Host{Name: h.Name, Addresses: h.Addresses}
	inheritSSH(&completed.SSH, c.SSH)
	setDefault(&completed.SSH.Host, completed.Address())
	ssh, defaults := reflect.ValueOf(&h.SSH).Elem(), reflect.ValueOf(completed.SSH)
	for i := range ssh.NumField() {
		if alike(ssh.Field(i), defaults.Field(i)) {
			ssh.Field(i).SetZero()
		}
	}
	made, err := valueNode(h)
	if err != nil {
		return err
	}
	if list := made.field("addresses"); list != nil && len(list.items) == 1 {
		made = made.replaced("addresses", "address", list.items[0])
	}
	hosts := &node{tag: "!!seq"}
	if list := read.tree.field("hosts"); list != nil && list.tag == "!!seq" {
		hosts.items = append(hosts.items, list.items...)
	} else if list != nil && list.tag != "!!null" {
		return errors.New("hosts is no list")
	}
	hosts.items = append(hosts.items, made)
	return e.become(read.tree.replaced("hosts", "hosts", hosts))
}

// hostAt is the place of a host in the file's list.
func (f *fileText) hostAt(name string) (int, error) {
	if list := f.tree.field("hosts"); list != nil {
		for i, item := range list.items {
			if field := item.field("name"); field != nil && field.text == name {
				return i, nil
			}
		}
	}
	return 0, errors.New("there is no such host in the file")
}
