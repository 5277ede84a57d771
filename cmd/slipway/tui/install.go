package tui

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
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
	said     string // what came of the last key among the hosts
	// lastLook shows what changes in the file before it is written and the installer left.
	lastLook func(end func() tea.Cmd) screen
}

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
var errChanged = errors.New("somebody else has changed it since it was read here")

// write writes the file, unless somebody else has done so meanwhile.
func (in *installer) write() error {
	file := in.options.File
	now, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the cluster file again: %w", err)
	}
	if !bytes.Equal(now, in.onDisk) {
		return fmt.Errorf("write the cluster file %s: %w", file, errChanged)
	}
	data := in.editor.Bytes()
	if err := workflow.WriteClusterFile(file, data); err != nil {
		return err
	}
	in.onDisk = slices.Clone(data)
	return nil
}

// readAgain takes the file as it is by now; what was changed here is lost.
func (in *installer) readAgain() error {
	data, err := os.ReadFile(in.options.File)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the cluster file again: %w", err)
	}
	editor, err := cluster.NewEditor(data)
	if err != nil {
		return fmt.Errorf("%s: %w", in.options.File, err)
	}
	in.onDisk, in.editor = data, editor
	return in.read()
}

// release gives up the connections by which hosts were looked at, since a workflow makes its own: close ends them, beside the
// program. Who looks again connects again.
func (in *installer) release() (end func()) {
	old := in.probe
	in.probe = workflow.NewProbe(in.options.Probe)
	for _, at := range in.looks {
		at.state = lookNone
		at.tries++
	}
	return old.Close
}

// endLooks ends the connections when the installer is left.
func (in *installer) endLooks() { in.work.Go(in.probe.Close) }

// host is a host of the draft.
func (in *installer) host(name string) (cluster.Host, bool) {
	for _, h := range in.draft.Hosts {
		if h.Name == name {
			return h, true
		}
	}
	return cluster.Host{}, false
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

// leaveStep is how a step is left: by Esc to the one before, by Ctrl-C once it is known what is to become of the file.
func (in *installer) leaveStep(quitting bool) (bool, tea.Cmd) {
	if quitting {
		return in.leaving(in.quit)
	}
	return true, nil
}

// leaving asks what is to become of changes that are not written yet.
func (in *installer) leaving(end func() tea.Cmd) (bool, tea.Cmd) {
	if !in.unsaved() {
		return true, nil
	}
	ask := newChoiceScreen(in.shared, words(text.LeaveTitle), words(text.LeaveUnsaved, in.options.File),
		option{words(text.LeaveWrite), func() tea.Cmd {
			in.pop()
			if in.lastLook == nil { // no step of the installer lies below
				return in.failed(in.write())
			}
			return in.push(in.lastLook(end))
		}},
		option{words(text.LeaveDrop), end},
		option{words(text.LeaveStay), in.pop},
	)
	ask.onQuit = in.quit
	return false, in.push(ask)
}

// setText writes a text that has changed; an empty one goes out of the file.
func setText(e *cluster.Editor, path, now, was string) error {
	switch {
	case now == was:
		return nil
	case now == "":
		return e.Set(path, nil)
	}
	return e.Set(path, now)
}

// setNumber writes a number that has changed; 0 goes out of the file.
func setNumber(e *cluster.Editor, path string, now, was int) error {
	switch {
	case now == was:
		return nil
	case now == 0:
		return e.Set(path, nil)
	}
	return e.Set(path, now)
}

func (in *installer) checkPort(port string) error {
	if n, err := strconv.Atoi(port); port != "" && (err != nil || n < 1 || n > 65535) {
		return errors.New(in.say(text.HostPortBad))
	}
	return nil
}

// setList writes a list that has changed; an empty one goes out of the file.
func setList(e *cluster.Editor, path string, now, was []string) error {
	switch {
	case slices.Equal(now, was):
		return nil
	case len(now) == 0:
		return e.Set(path, nil)
	}
	return e.Set(path, now)
}

// failed shows what went wrong, if anything.
func (in *installer) failed(err error) tea.Cmd {
	if err == nil {
		return nil
	}
	return in.push(newErrorScreen(in.shared, err))
}
