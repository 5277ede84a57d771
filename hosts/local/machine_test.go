//go:build linux

package local_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
	"github.com/slipway-k8s/slipway/hosts/local"
)

// machine is a scratch directory that stands for a machine, with daemons made up.
type machine struct {
	t          *testing.T
	root       string
	systemd    *fakeSystemd
	containerd *fakeContainerd
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{t: t, root: t.TempDir(), systemd: newFakeSystemd(), containerd: &fakeContainerd{images: map[string]string{}}}
	m.write("/proc/sys/kernel/hostname", "old\n")
	m.write("/scratch/.keep", "")
	return m
}

// host opens the machine.
func (m *machine) host() *local.Host {
	m.t.Helper()
	return m.open(local.Options{})
}

// open opens the machine with options that say no more than what is special.
func (m *machine) open(options local.Options) *local.Host {
	m.t.Helper()
	options.Root, options.Systemd, options.Containerd, options.Holder = m.root, m.systemd, m.containerd, "tester"
	host, err := local.New(options)
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = host.Close() })
	return host
}

func (m *machine) at(path string) string { return filepath.Join(m.root, path) }

func (m *machine) write(path, content string) {
	m.t.Helper()
	if err := os.MkdirAll(filepath.Dir(m.at(path)), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(m.at(path), []byte(content), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) read(path string) string {
	m.t.Helper()
	data, err := os.ReadFile(m.at(path))
	if err != nil {
		m.t.Fatal(err)
	}
	return string(data)
}

func (m *machine) readJSON(path string, into any) {
	m.t.Helper()
	if err := json.Unmarshal([]byte(m.read(path)), into); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) writeJSON(path string, value any) {
	m.t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		m.t.Fatal(err)
	}
	m.write(path, string(data))
}

func (m *machine) has(path string) bool {
	_, err := os.Lstat(m.at(path))
	return err == nil
}

// do carries out an action that must end as wanted, and again with nothing to do.
func (m *machine) do(host hosts.Host, action hosts.Action) hosts.Outcome {
	m.t.Helper()
	outcome := m.once(host, action, hosts.Changed)
	m.once(host, action, hosts.Unchanged)
	return outcome
}

func (m *machine) once(host hosts.Host, action hosts.Action, want hosts.Result) hosts.Outcome {
	m.t.Helper()
	outcome, err := host.Do(m.t.Context(), action, nil)
	if err != nil {
		m.t.Fatalf("%s: %v", hosts.Describe(action).Deed, err)
	}
	if outcome.Result != want {
		m.t.Fatalf("%s is %s (%s), want %s", hosts.Describe(action).Deed, outcome.Result, outcome.Detail, want)
	}
	return outcome
}

func (m *machine) fails(host hosts.Host, action hosts.Action) *hosts.Error {
	m.t.Helper()
	_, err := host.Do(m.t.Context(), action, nil)
	var known *hosts.Error
	if !errors.As(err, &known) {
		m.t.Fatalf("%s ends with %v, want a *hosts.Error", hosts.Describe(action).Deed, err)
	}
	return known
}

func (m *machine) observe(host hosts.Host, query hosts.Query) hosts.Facts {
	m.t.Helper()
	facts, err := host.Observe(m.t.Context(), query)
	if err != nil {
		m.t.Fatal(err)
	}
	return facts
}

func (m *machine) record(host hosts.Host) *hosts.Record { return m.observe(host, hosts.Query{}).Record }

func (m *machine) upload(host hosts.Host, blobs ...hosts.Blob) {
	m.t.Helper()
	if err := host.Upload(m.t.Context(), blobs, nil); err != nil {
		m.t.Fatal(err)
	}
}

// writeFile uploads content and is the action that writes it.
func (m *machine) writeFile(host hosts.Host, path, content string, mode uint32) hosts.WriteFile {
	m.t.Helper()
	blob := hosttest.Content([]byte(content))
	m.upload(host, blob)
	return hosts.WriteFile{Path: path, Mode: mode, Content: blob.Ref, Size: blob.Size}
}

// look reads a file and its mode.
func (m *machine) look(path string) (string, os.FileMode) {
	m.t.Helper()
	info, err := os.Lstat(m.at(path))
	if err != nil {
		m.t.Fatal(err)
	}
	return m.read(path), info.Mode().Perm()
}

// put writes a file with a mode, as somebody else would.
func (m *machine) put(path, content string, mode os.FileMode) {
	m.t.Helper()
	m.write(path, content)
	if err := os.Chmod(m.at(path), mode); err != nil {
		m.t.Fatal(err)
	}
}

// fakeSystemd is a systemd of a few units, which notes what it was asked to do.
type fakeSystemd struct {
	slowJournal bool // reading it takes longer than anybody waits
	mu          sync.Mutex
	units       map[string]local.UnitState
	jobs        []string
	failing     map[string]error
	silent      map[string]error           // what comes instead of a unit's state
	pending     map[string]local.UnitState // unit files that a reload shows
	journal     []string
	environment []string
	begun       func()   // called when a job begins
	unloaded    []string // units that nothing has had systemd load
}

func newFakeSystemd() *fakeSystemd {
	return &fakeSystemd{units: map[string]local.UnitState{}, failing: map[string]error{}, pending: map[string]local.UnitState{}}
}

func (f *fakeSystemd) Manager(context.Context) (hosts.Systemd, error) {
	return hosts.Systemd{Version: 252, State: "running"}, nil
}

func (f *fakeSystemd) Environment(context.Context) ([]string, error) { return f.environment, nil }

func (f *fakeSystemd) Unit(_ context.Context, name string) (local.UnitState, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.silent[name]; err != nil {
		return local.UnitState{}, err
	}
	if state, ok := f.units[name]; ok {
		return state, nil
	}
	return local.UnitState{Load: "not-found", Active: "inactive"}, nil
}

func (f *fakeSystemd) List(_ context.Context, patterns ...string) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var names []string
	for name := range f.units {
		if slices.Contains(f.unloaded, name) {
			continue
		}
		for _, pattern := range patterns {
			if ok, _ := filepath.Match(pattern, name); ok {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names, nil
}

func (f *fakeSystemd) Reload(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.jobs = append(f.jobs, "daemon-reload")
	for name, state := range f.pending {
		f.units[name] = state
	}
	clear(f.pending)
	for name, state := range f.units {
		state.NeedsReload = false
		f.units[name] = state
	}
	return nil
}

func (f *fakeSystemd) Change(_ context.Context, change local.UnitChange, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.jobs = append(f.jobs, string(change)+" "+name)
	state := f.units[name]
	switch change {
	case local.UnitEnable:
		state.Enabled = "enabled"
	case local.UnitDisable:
		state.Enabled = "disabled"
	case local.UnitMask:
		state.Load, state.Enabled = "masked", "masked"
	case local.UnitUnmask:
		state.Load, state.Enabled = "loaded", "disabled"
	}
	f.units[name] = state
	return nil
}

func (f *fakeSystemd) Run(ctx context.Context, job local.UnitJob, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if f.begun != nil {
		f.begun()
	}
	f.jobs = append(f.jobs, string(job)+" "+name)
	if err := f.failing[name]; err != nil {
		return err
	}
	state := f.units[name]
	state.Active = "active"
	if job == local.JobStop {
		state.Active = "inactive"
	}
	f.units[name] = state
	return nil
}

func (f *fakeSystemd) Reboot(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.jobs = append(f.jobs, "reboot")
	return nil
}

func (f *fakeSystemd) Journal(ctx context.Context, _ string, _ int) ([]string, error) {
	if f.slowJournal {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return f.journal, nil
}

func (f *fakeSystemd) Close() error { return nil }

// took returns what was done since it was last asked.
func (f *fakeSystemd) took() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	jobs := f.jobs
	f.jobs = nil
	return jobs
}

// fakeContainerd is a containerd that reads what it is given.
type fakeContainerd struct {
	mu         sync.Mutex
	images     map[string]string // those that are pinned
	unpinned   []string
	used       map[string]bool
	pods       []string
	system     []string // Pods of kube-system that run
	ended      []string
	grace      time.Duration
	containers []local.Container
	hung       bool  // it answers nothing, as one that was stopped
	refuses    error // to remove an image
	fetched    int64
}

func (f *fakeContainerd) Images(_ context.Context, references []string) (map[string]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.images == nil {
		return nil, nil // it does not run
	}
	found := map[string]string{}
	for _, reference := range references {
		if digest, ok := f.images[reference]; ok {
			found[reference] = digest
		}
	}
	return found, nil
}

func (f *fakeContainerd) Load(_ context.Context, image hosts.LoadImage, open func(string) (io.ReadCloser, error), counted func(int64)) error {
	for _, blob := range append(image.Blobs, image.Manifest) {
		source, err := open(blob.Digest)
		if err != nil {
			return err
		}
		n, err := io.Copy(io.Discard, source)
		source.Close()
		if err != nil {
			return err
		}
		counted(n)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.images[image.Reference] = image.Manifest.Digest
	return nil
}

func (f *fakeContainerd) Name(_ context.Context, reference, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.images[name] = f.images[reference]
	return nil
}

func (f *fakeContainerd) ImageInUse(_ context.Context, reference string) (bool, error) {
	return f.used[reference], nil
}

func (f *fakeContainerd) Unpin(_ context.Context, reference string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.images, reference)
	f.unpinned = append(f.unpinned, reference)
	return nil
}

func (f *fakeContainerd) Unload(_ context.Context, reference, digest string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuses == nil && f.images[reference] == digest {
		delete(f.images, reference)
	}
	return f.refuses
}

func (f *fakeContainerd) Pods(context.Context) ([]string, error) { return f.pods, nil }

func (f *fakeContainerd) StopPods(_ context.Context, grace time.Duration, _ func(string)) error {
	f.pods, f.grace = nil, grace
	return nil
}

func (f *fakeContainerd) Running(_ context.Context, names []string) ([]string, error) {
	return slices.DeleteFunc(slices.Clone(f.system), func(pod string) bool { return !slices.Contains(names, pod) }), nil
}

func (f *fakeContainerd) EndPods(_ context.Context, names []string, grace time.Duration, _ func(string)) error {
	f.ended, f.grace = append(f.ended, names...), grace
	f.system = slices.DeleteFunc(f.system, func(pod string) bool { return slices.Contains(names, pod) })
	return nil
}

func (f *fakeContainerd) Containers(ctx context.Context) ([]local.Container, error) {
	if f.hung {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return f.containers, nil
}

func (f *fakeContainerd) Fetched(context.Context) (int64, error) { return f.fetched, nil }

func (f *fakeContainerd) Close() error { return nil }
