package tui

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/workflow"
)

// installer is what the installer's screens share: the cluster file under edit, and what is known of its hosts. It
// changes nothing but that file, and that only when the user has seen what changes.
type installer struct {
	*shared
	onDisk   []byte // the file as it was read; nil: there is none
	editor   *cluster.Editor
	draft    *cluster.Cluster
	problems []cluster.Problem
	probe    *workflow.Probe
	looks    map[string]*look // what is known of the hosts, by their names
	unnamed  map[string]bool  // hosts that are to be called as they call themselves
	bundle   workflow.FoundBundle
}

// look is what is known of a host.
type look struct {
	state lookState
	what  string // what is being done
	facts hosts.Facts
	err   error
	key   *workflow.HostKey // the host's key, which is not known yet
	tried cluster.Host      // how it was reached
}

// lookState is how far the look at a host is.
type lookState int

const (
	lookNone lookState = iota
	lookTries
	lookWell
	lookFailed
	lookKey // its key is to be compared
)

// Messages about hosts that are looked at.
type (
	probedMsg struct {
		name   string
		probed workflow.Probed
	}
	probingMsg struct{ name, what string }
)

// newInstaller reads the cluster file, where there is one.
func newInstaller(s *shared) (*installer, error) {
	in := &installer{shared: s, looks: map[string]*look{}, unnamed: map[string]bool{}, probe: workflow.NewProbe(s.options.Probe)}
	data, err := os.ReadFile(s.options.File)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the cluster file: %w", err)
	}
	in.onDisk = data
	if in.editor, err = cluster.NewEditor(data); err != nil {
		return nil, fmt.Errorf("%s: %w", s.options.File, err)
	}
	if len(data) == 0 {
		if err := in.editor.Set("name", defaultName(s.options.File)); err != nil {
			return nil, err
		}
	}
	return in, in.read()
}

// defaultName is what a new cluster is called: as its file is, where that is a name, else cluster.
func defaultName(file string) string {
	name := filepath.Base(file)
	name = name[:len(name)-len(filepath.Ext(name))]
	if isName(name) {
		return name
	}
	return "cluster"
}

// read makes the draft of the text.
func (in *installer) read() (err error) {
	in.draft, in.problems, err = cluster.Draft(in.editor.Bytes())
	return err
}

// edit changes the text; where that fails, nothing is changed.
func (in *installer) edit(change func(*cluster.Editor) error) error {
	if err := change(in.editor); err != nil {
		return err
	}
	return in.read()
}

// changed tells whether the text differs from the file.
func (in *installer) unsaved() bool {
	return !bytes.Equal(in.editor.Bytes(), in.onDisk) && len(in.draft.Hosts)+len(in.onDisk) > 0
}

// errChanged tells that somebody else has written the file meanwhile.
var errChanged = errors.New("changed by somebody else")

// write writes the file: beside it, and then in its place, so that there is never half of it.
func (in *installer) write() error {
	file := in.options.File
	now, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the cluster file again: %w", err)
	}
	if !bytes.Equal(now, in.onDisk) {
		return errChanged
	}
	data := in.editor.Bytes()
	if err := writeFile(file, data); err != nil {
		return fmt.Errorf("write the cluster file: %w", err)
	}
	in.onDisk = slices.Clone(data)
	return nil
}

// writeFile writes a file whole, or not at all; one that is there keeps its mode.
func writeFile(path string, data []byte) error {
	mode := fs.FileMode(0o644)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // the link stays one
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), ".slipway-*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name()) // where it is still there
	_, err = temporary.Write(data)
	err = errors.Join(err, temporary.Chmod(mode), temporary.Sync(), temporary.Close())
	if err != nil {
		return err
	}
	return os.Rename(temporary.Name(), path)
}

// host is a host of the draft.
func (in *installer) host(name string) (cluster.Host, bool) {
	for _, h := range in.draft.Hosts {
		if h.Name == name {
			return h, true
		}
	}
	return cluster.Host{}, false
}

// of is what is known of a host.
func (in *installer) of(name string) *look {
	if in.looks[name] == nil {
		in.looks[name] = &look{}
	}
	return in.looks[name]
}

// tryAll looks at all hosts of which nothing is known yet, or that are reached in another way by now.
func (in *installer) tryAll() tea.Cmd {
	var all []tea.Cmd
	for _, h := range in.draft.Hosts {
		at := in.of(h.Name)
		if at.state == lookNone || at.tried.SSH != h.SSH || at.tried.Address() != h.Address() {
			all = append(all, in.try(h))
		}
	}
	return tea.Batch(all...)
}

// try looks at a host, beside the program.
func (in *installer) try(h cluster.Host) tea.Cmd {
	at := in.of(h.Name)
	if at.state == lookTries {
		return nil
	}
	at.state, at.what, at.tried = lookTries, "", h
	return func() tea.Msg {
		probed := in.probe.Try(in.ctx, h, func(what string) { in.send(probingMsg{h.Name, what}) })
		return probedMsg{h.Name, probed}
	}
}

// took takes note of what a look at a host has found.
func (in *installer) took(msg probedMsg) tea.Cmd {
	at := in.of(msg.name)
	h, there := in.host(msg.name)
	if !there {
		delete(in.looks, msg.name)
		return nil
	}
	at.facts, at.err, at.key = msg.probed.Facts, msg.probed.Err, msg.probed.Key
	switch {
	case at.key != nil:
		at.state = lookKey
	case at.err != nil:
		at.state = lookFailed
	default:
		at.state = lookWell
	}
	if at.tried.SSH != h.SSH || at.tried.Address() != h.Address() { // it was changed meanwhile
		at.state = lookNone
		return in.try(h)
	}
	if at.state == lookWell {
		in.fillIn(h, at)
	}
	return nil
}

// fillIn takes from a host what the file does not say of it: its address, and its name.
func (in *installer) fillIn(h cluster.Host, at *look) {
	if h.Address() == "" {
		if address := ownAddress(at.facts); address != "" {
			h.Addresses = []string{address}
			if h.SSH.Host == address {
				h.SSH.Host = ""
			}
			if err := in.edit(func(e *cluster.Editor) error { return e.SetHost(h.Name, h) }); err == nil {
				at.tried.Addresses = h.Addresses
			}
		}
	}
	if !in.unnamed[h.Name] {
		return
	}
	name := freeName(at.facts.Hostname, in.namesBut(h.Name))
	delete(in.unnamed, h.Name)
	if name == h.Name || in.edit(func(e *cluster.Editor) error { return e.RenameHost(h.Name, name) }) != nil {
		return
	}
	in.looks[name] = at
	at.tried.Name = name
	delete(in.looks, h.Name)
}

func (in *installer) namesBut(but string) []string {
	var names []string
	for _, h := range in.draft.Hosts {
		if h.Name != but {
			names = append(names, h.Name)
		}
	}
	return names
}

// tellOf takes messages about hosts; it tells whether it was one.
func (in *installer) tellOf(msg tea.Msg) (tea.Cmd, bool) {
	switch msg := msg.(type) {
	case probedMsg:
		return in.took(msg), true
	case probingMsg:
		in.of(msg.name).what = clean(msg.what)
		return nil, true
	}
	return nil, false
}

// leaving asks what is to become of changes that are not written yet.
func (in *installer) leaving(end tea.Cmd) (bool, tea.Cmd) {
	if !in.unsaved() {
		return true, nil
	}
	ask := newChoiceScreen(in.shared, in.say(text.LeaveTitle), []string{in.say(text.LeaveUnsaved, in.options.File)},
		option{in.say(text.LeaveWrite), func() tea.Msg {
			if err := in.write(); err != nil {
				return pushMsg{newErrorScreen(in.shared, err)}
			}
			return end()
		}},
		option{in.say(text.LeaveDrop), end},
		option{in.say(text.LeaveStay), pop},
	)
	ask.onQuit = quit
	return false, push(ask)
}
