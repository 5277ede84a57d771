package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/bundle/archive"
	"github.com/slipway-k8s/slipway/certs/store"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases"
	"github.com/slipway-k8s/slipway/phases/engine"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// changeFlags are the flags of every command that changes something.
type changeFlags struct {
	clusterFlags
	yes      bool
	output   string
	timeline string
}

func (f *changeFlags) add(command *cobra.Command) {
	command.Flags().BoolVar(&f.yes, "yes", false, "do it without asking")
	command.Flags().StringVarP(&f.output, "output", "o", formatText, "format: text, or json for one event per step")
	command.Flags().StringVar(&f.timeline, "timeline", "", "draw what took how long, a bar per step and host, into this SVG file")
	_ = command.MarkFlagFilename("timeline", "svg")
}

func (f *changeFlags) check() error {
	if f.output == formatYAML {
		return usagef("--output yaml: a run is shown as text or json")
	}
	return checkFormat(f.output)
}

// open checks the flags and loads what they name; the hosts named have to be in the file.
func (f *changeFlags) open(names []string) (*session, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	s, err := load(f.clusterFlags)
	if err != nil {
		return nil, err
	}
	if err := s.known(names); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// planner makes a workflow's plan out of what a session has observed.
type planner struct {
	workflow string
	// hosts are those that are reached and observed.
	hosts func(*cluster.Cluster) []cluster.Host
	// few are those of them that are reached first, where they may do, with the folder of
	// the cluster's keys; reach tells then, by what has been observed, whom the plan depends
	// on. Without few all are reached at once, as they are where the few do not reach the
	// cluster's API.
	few   func(*session) ([]cluster.Host, *store.Folder)
	reach func(phases.Input) []cluster.Host
	plan  func(phases.Input) (plan.Plan, plan.Contents, error)
	// query is what to look at on a host; phases.HostQuery unless said.
	query func(cluster.Host) hosts.Query
	// verify looks whether the work is done; by observing and planning again unless said.
	verify func(context.Context, *session) error
	// mints tells that the workflow may make a new cluster's keys.
	mints bool
	// alone tells that the workflow can do without the cluster's keys: reset can.
	alone bool
	// health tells that the plan goes by how the control planes' components are.
	health bool
}

// prepared is a plan that is ready to be shown and applied.
type prepared struct {
	plan     plan.Plan
	contents plan.Contents
	// fresh is asked when the hosts are leased, before the first step: errStale where the
	// plan no longer fits. Nil where they were leased before they were looked at.
	fresh func(context.Context) error
}

// prepare is the way of every command up to its plan: connect, observe, mint,
// preflight, plan. Nothing on any host has changed when it returns.
func (s *session) prepare(ctx context.Context, p planner) (prepared, error) {
	if err := s.reach(ctx, p); err != nil {
		return prepared{}, err
	}
	s.askHealth(ctx, p)
	planned := s.timeline.span("plan")
	ready, err := s.planned(p)
	if err != nil {
		return prepared{}, err
	}
	planned()
	defer s.timeline.span("verify the bundle")()
	return ready, s.verifyBundle(ctx, ready)
}

// verifyBundle hashes the whole bundle before a plan that takes anything from it: a
// flipped byte is found while nothing has been touched.
func (s *session) verifyBundle(ctx context.Context, ready prepared) error {
	if s.archive == nil {
		return nil
	}
	for _, step := range ready.plan.Steps {
		for _, ref := range plan.Refs(step) {
			if s.archive.Has(ref) {
				return s.archive.Verify(ctx, nil)
			}
		}
	}
	return nil
}

func (s *session) planned(p planner) (prepared, error) {
	in, err := s.input()
	if err != nil {
		return prepared{}, err
	}
	made, contents, err := p.plan(in)
	if err != nil {
		return prepared{}, fmt.Errorf("plan %s of %s: %w", p.workflow, s.cluster.Name, err)
	}
	made.Bundle = bundleOf(s.archive)
	return prepared{plan: made, contents: contents}, nil
}

// bundleOf names a bundle in a plan.
func bundleOf(a *archive.Archive) *plan.Bundle {
	if a == nil {
		return nil
	}
	return &plan.Bundle{Digest: a.Digest(), Signature: a.Signature().String()}
}

// input is what the planners compute from.
func (s *session) input() (phases.Input, error) {
	in := phases.Input{
		Cluster:      s.cluster,
		Bill:         s.bill,
		Facts:        s.facts,
		Unreached:    s.down,
		Observed:     s.seen,
		ClusterFacts: s.live,
		Now:          time.Now(),
	}
	if s.keys != nil {
		in.PKI, in.Leaves, in.ClusterID = s.keys.pki, s.keys.leaves, s.identity()
		in.Begun, in.JoinedBefore = s.noted((*store.Folder).Begun), s.noted((*store.Folder).Joined)
	}
	in.RegistryFiles = map[string][]byte{}
	for _, registry := range s.cluster.Registries {
		if err := readFiles(in.RegistryFiles, registry.CAFile, registry.CredentialsFile); err != nil {
			return phases.Input{}, fmt.Errorf("read a file of registry %s: %w", registry.Name, err)
		}
	}
	var err error
	in.EtcdFiles, err = s.etcdFiles()
	return in, err
}

// etcdFiles are the contents of the external etcd's files, where there is such an etcd.
func (s *session) etcdFiles() (map[string][]byte, error) {
	files := map[string][]byte{}
	if external := s.cluster.Etcd.External; external != nil {
		if err := readFiles(files, external.CAFile, external.CertFile, external.KeyFile); err != nil {
			return nil, fmt.Errorf("read a file of the external etcd: %w", err)
		}
	}
	return files, nil
}

// readFiles adds the files' contents by their paths; an empty path is none.
func readFiles(contents map[string][]byte, paths ...string) error {
	for _, path := range paths {
		if path == "" {
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		contents[path] = data
	}
	return nil
}

// content finds what a plan names by ref: what was rendered, then the bundle's blobs.
func (s *session) content(contents plan.Contents) func(string) (hosts.Blob, bool) {
	return func(ref string) (hosts.Blob, bool) {
		if blob, ok := contents.Blob(ref); ok {
			return blob, true
		}
		if s.images != nil {
			return s.images.Blob(ref)
		}
		if s.archive == nil || !s.archive.Has(ref) {
			return hosts.Blob{}, false
		}
		return s.archiveBlob(ref)
	}
}

func (s *session) archiveBlob(ref string) (hosts.Blob, bool) {
	section, err := s.archive.Blob(ref)
	if err != nil {
		return hosts.Blob{}, false
	}
	return hosts.Blob{
		Ref:    ref,
		SHA256: ref[len("sha256:"):],
		Size:   section.Size(),
		Open: func() (io.ReadCloser, error) {
			again, err := s.archive.Blob(ref)
			if err != nil {
				return nil, err
			}
			return io.NopCloser(again), nil
		},
	}, true
}

// apply carries a prepared plan out, shows it, and keeps its journal.
func (s *session) apply(ctx context.Context, p prepared, show front) error {
	journal, err := s.journal()
	if err != nil {
		return err
	}
	defer journal.Close()
	options := engine.Options{
		Hosts:   s.hosts,
		Content: s.content(p.contents),
		Events: func(event plan.Event) {
			s.noteBegun(p.plan, event, show)
			s.timeline.Event(event)
			show.Event(event)
		},
		Journal: journal,
		Holder:  holder(),
		Lease:   s.answeringControlPlanes(),
		Waits:   awaits,
		Leased:  p.fresh,
		Held:    s.leased,
	}
	if s.api != nil {
		options.Cluster = s.api
	}
	defer awaiting.through(func(line string) { show.Note("%s", line) })()
	err = engine.Apply(ctx, p.plan, options)
	if _, failed := errors.AsType[*engine.RunError](err); failed {
		show.Note("all that was done and seen is in %s", journal.Name())
	}
	return err
}

// answeringControlPlanes are leased with every plan: they stand for the cluster. One that fell
// silent when it was looked at could not be leased; whether it matters preflight has said.
func (s *session) answeringControlPlanes() []string {
	var names []string
	for _, h := range s.cluster.ControlPlanes() {
		_, up := s.hosts[h.Name]
		if _, silent := s.down[h.Name]; up && !silent {
			names = append(names, h.Name)
		}
	}
	return names
}

// journal opens this run's log in the state folder, beside the clusters: it outlives them.
func (s *session) journal() (*os.File, error) {
	root, err := store.DefaultRoot()
	if err != nil {
		return nil, err
	}
	folder := filepath.Join(root, "runs")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the runs' journals: %w", err)
	}
	name := filepath.Join(folder, time.Now().UTC().Format("20060102T150405.000Z")+"-"+s.cluster.Name+".jsonl")
	file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the run's journal: %w", err)
	}
	return file, nil
}

// change is the whole way of a command that changes something.
func change(ctx context.Context, flags changeFlags, p planner) error {
	s, err := flags.open(nil)
	if err != nil {
		return err
	}
	defer s.Close()
	return s.change(ctx, flags, p)
}

func (s *session) change(ctx context.Context, flags changeFlags, p planner) error {
	if flags.timeline != "" {
		s.timeline = newTimeline(s.hostNames())
	}
	err := s.changed(ctx, flags, p)
	if s.timeline != nil {
		err = errors.Join(err, s.timeline.save(flags.timeline))
	}
	tellJSON(newShown(os.Stdout), flags.output, err)
	return err
}

func (s *session) changed(ctx context.Context, flags changeFlags, p planner) error {
	if flags.yes { // nobody is asked, so nobody keeps others waiting
		s.leasing = true
		defer func() { s.release() }()
	}
	ready, err := s.prepare(ctx, p)
	if err != nil {
		return err
	}
	if ready.plan.Empty() {
		display := newFront(flags.output, os.Stdout)
		defer display.Close()
		for _, warning := range ready.plan.Warnings {
			display.Note("warning: %s", warning)
		}
		display.Note("nothing to do: %s is as the cluster file says", s.cluster.Name)
		return nil
	}
	if err := s.agreed(ctx, flags, ready); err != nil {
		return err
	}
	if s.keys != nil {
		if err := s.keys.save(s.cluster.Name); err != nil {
			return fmt.Errorf("save the cluster's keys: %w", err)
		}
	}
	display := newFront(flags.output, os.Stdout)
	if flags.output == formatJSON {
		if from := ready.plan.Bundle; from != nil {
			display.Note("bundle %s: %s", from.Digest, from.Signature)
		}
		for _, warning := range ready.plan.Warnings {
			display.Note("warning: %s", warning)
		}
	}
	began := time.Now()
	ready.fresh = s.freshness(p, ready)
	err = s.apply(ctx, ready, display)
	s.release()
	display.Close()
	if err != nil {
		return errors.Join(err, s.keys.forgetUnused(err))
	}
	verify := p.verify
	if verify == nil {
		verify = func(ctx context.Context, s *session) error { return s.planAgain(ctx, p) }
	}
	defer s.timeline.span("verify")()
	if err := verify(ctx, s); err != nil {
		return &changedError{fmt.Errorf("verify: %w", err)}
	}
	if err := s.noteSeen(); err != nil { // all is done: it costs the next join some logins
		display.Note("warning: %v", err)
	}
	display.Note("%s of %s done: %d steps in %.1fs", p.workflow, s.cluster.Name, len(ready.plan.Steps), time.Since(began).Seconds())
	return nil
}

// errDeclined tells that the user was asked, and said no.
var errDeclined = errors.New("not agreed to: nothing was changed")

// agreed shows the plan and asks; it gives errDeclined where the answer is no.
func (s *session) agreed(ctx context.Context, flags changeFlags, ready prepared) error {
	if flags.output == formatJSON {
		if !flags.yes {
			return usagef("--output json asks nothing: say --yes")
		}
		return nil
	}
	if flags.yes {
		_, err := fmt.Fprintln(newShown(os.Stdout), plan.Summary(ready.plan))
		return err
	}
	if _, err := io.WriteString(newShown(os.Stdout), plan.Text(ready.plan)); err != nil {
		return err
	}
	yes, err := confirm(ctx, os.Stdin, os.Stdout, "Apply this plan?")
	if err == nil && !yes {
		return errDeclined
	}
	return err
}

// errStale tells that something changed between the plan and the lease.
var errStale = errors.New("the plan is stale: the hosts changed since it was shown; nothing was done: run the command again")

// freshness plans once more when nobody else can change anything: a question gave somebody
// the time to. Where the hosts were leased before they were looked at there is no need.
func (s *session) freshness(p planner, shown prepared) func(context.Context) error {
	if s.leased {
		return nil
	}
	return func(ctx context.Context) error {
		if err := s.lookAgain(ctx, p); err != nil {
			return err
		}
		again, err := s.planned(p)
		if err != nil {
			return err
		}
		if !sameSteps(again.plan, shown.plan) {
			return errStale
		}
		return nil
	}
}

// sameSteps tells whether two plans do the same. Warnings may tell of what is measured, and
// reasons of how an API server was silent at the moment.
func sameSteps(one, other plan.Plan) bool {
	return plan.Digest(withoutReasons(one)) == plan.Digest(withoutReasons(other))
}

func withoutReasons(p plan.Plan) plan.Plan {
	p.Warnings, p.Steps = nil, slices.Clone(p.Steps)
	for i := range p.Steps {
		p.Steps[i].Why = ""
	}
	return p
}

// After a run an API server may just then be started anew, by its kubelet or by another: what is
// left to do in the cluster alone, and not on any host, is looked at this often, so far apart.
const (
	settleLooks = 10
	settlePause = 3 * time.Second
)

// planAgain observes and plans again: after a run nothing may be left to do.
func (s *session) planAgain(ctx context.Context, p planner) error {
	for looks := 1; ; looks++ {
		if err := s.look(ctx, p); err != nil {
			return err
		}
		again, err := s.planned(p)
		if err == nil && again.plan.Empty() {
			return nil
		}
		mayPass := err == nil && phases.MaySettle(again.plan) || err != nil && !s.live.Reachable
		switch {
		case mayPass && looks < settleLooks:
		case err != nil:
			return err
		default:
			return fmt.Errorf("every step was done, and yet not all is as it should be:\n%s", plan.Text(again.plan))
		}
		if err := pause(ctx, settlePause); err != nil {
			return err
		}
	}
}

// pause waits, or answers why not.
func pause(ctx context.Context, length time.Duration) error {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
