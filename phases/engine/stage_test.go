package engine_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/engine"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// stage is all hosts of a test and the cluster. Every action waits there until the test
// ends it, so that the test sees what runs at the same time.
type stage struct {
	t        *testing.T
	mu       sync.Mutex
	pending  map[string]chan error
	log      []string // what was asked of the hosts, in order
	holders  map[string]hosts.LeaseHolder
	evidence map[string][]hosts.Evidence
	signs    func(host string) []hosts.Sign
	auto     bool // actions end by themselves
	fail     map[string]error
	deaf     map[string]bool // actions that do not heed their context
	breaks   string          // an action that the operator's interrupt breaks off
	cancel   func()          // the operator's interrupt
	events   []plan.Event
	journal  strings.Builder
	content  map[string]hosts.Blob
	done     chan error
	lease    []string
	leased   func(context.Context) error
	uploads  int
	held     bool
	hung     string // a host that never says what it shows
}

func newStage(t *testing.T) *stage {
	return &stage{
		t: t, pending: map[string]chan error{}, holders: map[string]hosts.LeaseHolder{},
		evidence: map[string][]hosts.Evidence{}, fail: map[string]error{}, deaf: map[string]bool{},
		content: map[string]hosts.Blob{}, done: make(chan error, 1),
	}
}

// host is one machine on the stage.
type host struct {
	*stage
	name string
}

func (h host) Close() error { return nil }

func (h host) Dial(context.Context, string, string) (net.Conn, error) {
	return nil, errors.New("nothing listens on a stage")
}

func (h host) Journal(context.Context, string, int, bool) (io.ReadCloser, error) {
	return nil, errors.New("nothing is logged on a stage")
}

func (h host) Observe(ctx context.Context, query hosts.Query) (hosts.Facts, error) {
	if !query.Evidence {
		return hosts.Facts{}, errors.New("asked for something other than evidence")
	}
	h.note("observe " + h.name)
	if h.hung == h.name {
		<-ctx.Done()
		return hosts.Facts{}, ctx.Err()
	}
	facts := hosts.Facts{Evidence: h.evidence[h.name]}
	if h.signs != nil {
		facts.Signs = h.signs(h.name)
	}
	return facts, nil
}

func (h host) Upload(ctx context.Context, blobs []hosts.Blob, progress func(hosts.Progress)) error {
	var refs []string
	for _, blob := range blobs {
		refs = append(refs, blob.Ref)
	}
	err := h.perform(ctx, "upload "+h.name+" "+strings.Join(refs, ","))
	if err == nil {
		progress(hosts.Progress{Done: 1, Total: 1})
	}
	return err
}

func (h host) Do(ctx context.Context, action hosts.Action, progress func(hosts.Progress)) (hosts.Outcome, error) {
	switch action := action.(type) {
	case hosts.TakeLease:
		h.note("take " + h.name)
		if holder, held := h.holders[h.name]; held {
			return hosts.Outcome{}, &hosts.Error{Kind: hosts.KindLease, Op: "take the lease", Err: holder}
		}
	case hosts.ReleaseLease:
		h.note("release " + h.name)
		if ctx.Err() != nil {
			h.t.Errorf("%s is to release the lease with a context that has ended", h.name)
		}
	default:
		return hosts.Outcome{Result: hosts.Changed}, h.perform(ctx, identity(action))
	}
	return hosts.Outcome{Result: hosts.Changed}, nil
}

// identity is what the actions of these tests are told apart by.
func identity(action hosts.Action) string {
	switch action := action.(type) {
	case hosts.SetSysctl:
		return action.Key
	case hosts.WriteFile:
		return action.Path
	case hosts.SetUnit:
		return action.Name
	case hosts.LoadImage:
		return action.Reference
	}
	panic(fmt.Sprintf("the tests have no such action: %T", action))
}

// clusterOf does the cluster's steps on the stage.
type clusterOf struct{ *stage }

func (c clusterOf) Do(ctx context.Context, action plan.ClusterAction, content func(string) ([]byte, error),
	_ func(hosts.Progress),
) (hosts.Outcome, error) {
	switch action := action.(type) {
	case plan.Apply:
		body, err := content(action.Content)
		if err != nil {
			return hosts.Outcome{}, err
		}
		return hosts.Outcome{Result: hosts.Changed}, c.perform(ctx, "apply "+string(body))
	case plan.WaitAPI:
		return hosts.Outcome{Result: hosts.Unchanged}, c.wait(ctx, "wait-api "+action.Host, action.Timeout)
	case plan.WaitAvailable:
		return hosts.Outcome{Result: hosts.Unchanged}, c.perform(ctx, "wait-available "+action.Object.Name)
	}
	panic(fmt.Sprintf("the tests have no such action: %T", action))
}

// wait is perform for a wait that has its time, and ends as those of the real cluster do.
func (c clusterOf) wait(ctx context.Context, id string, seconds int) error {
	if seconds == 0 {
		return c.perform(ctx, id)
	}
	began, limit := time.Now(), time.Duration(seconds)*time.Second
	within, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := c.perform(within, id)
	late := &plan.WaitError{For: id, After: time.Since(began), Last: "connection refused"}
	var stuck *plan.StuckError
	switch {
	case errors.As(context.Cause(ctx), &stuck):
		late.Stuck = stuck.Why
		return late
	case ctx.Err() == nil && within.Err() != nil:
		return late
	}
	return err
}

func (s *stage) note(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, what)
}

// perform waits until the test ends the action, or its context does.
func (s *stage) perform(ctx context.Context, id string) error {
	s.mu.Lock()
	s.log = append(s.log, id)
	if s.auto {
		s.mu.Unlock()
		if s.breaks == id {
			s.cancel()
		}
		return cmp.Or(ctx.Err(), s.fail[id])
	}
	end := make(chan error)
	s.pending[id] = end
	deaf := s.deaf[id]
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.pending, id)
		s.mu.Unlock()
	}()
	if deaf {
		return <-end
	}
	select {
	case err := <-end:
		return err
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", id, ctx.Err())
	}
}

// begin applies a plan of these steps beside the test.
func (s *stage) begin(ctx context.Context, steps ...plan.Step) {
	all := map[string]hosts.Host{}
	for _, step := range steps {
		if step.Host != "" {
			all[step.Host] = host{s, step.Host}
		}
		if wait, ok := step.Cluster.(plan.WaitAPI); ok {
			all[wait.Host] = host{s, wait.Host}
		}
	}
	for _, name := range s.lease {
		all[name] = host{s, name}
	}
	options := engine.Options{
		Hosts: all, Cluster: clusterOf{s}, Journal: &s.journal, Holder: "kim@desk", Lease: s.lease, Leased: s.leased, Held: s.held, Uploads: s.uploads,
		Content: func(ref string) (hosts.Blob, bool) { blob, found := s.content[ref]; return blob, found },
		Events:  func(event plan.Event) { s.events = append(s.events, event) },
	}
	go func() { s.done <- engine.Apply(ctx, plan.Plan{Workflow: "init", Steps: steps}, options) }()
}

// now says what is in hand once everything that can begin has begun.
func (s *stage) now(want ...string) {
	s.t.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for id := range s.pending {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	slices.Sort(want)
	if !slices.Equal(ids, want) {
		s.t.Fatalf("in hand are %q, should be %q", ids, want)
	}
}

// end ends an action that is in hand.
func (s *stage) end(id string, err error) {
	s.t.Helper()
	s.mu.Lock()
	pending := s.pending[id]
	s.mu.Unlock()
	if pending == nil {
		s.t.Fatalf("%s is not in hand", id)
	}
	pending <- err
}

// result is what Apply answered; it must have ended.
func (s *stage) result() error {
	s.t.Helper()
	synctest.Wait()
	select {
	case err := <-s.done:
		return err
	default:
		s.t.Fatal("the run has not ended")
		return nil
	}
}

// told lists the events of a type as step ids.
func (s *stage) told(what plan.EventType) []string {
	var steps []string
	for _, event := range s.events {
		if event.Type == what {
			steps = append(steps, event.Step)
		}
	}
	return steps
}

// put makes content of a size known by a ref.
func (s *stage) put(ref string, size int64) string {
	s.content[ref] = hosts.Blob{Ref: ref, Size: size, Open: func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader("content of " + ref)), nil
	}}
	return ref
}

// step makes a step on a host: its action's identity is its id.
func step(id, lane string, after ...plan.Dependency) plan.Step {
	name, _, _ := strings.Cut(id, "/")
	return plan.Step{ID: id, Phase: "test", Host: name, Lane: lane, After: after, Action: hosts.SetSysctl{Key: id}}
}

// write makes a step on a host that needs content.
func write(id, lane, ref string, after ...plan.Dependency) plan.Step {
	s := step(id, lane, after...)
	s.Action = hosts.WriteFile{Path: id, Content: ref}
	return s
}

// rescuing makes a step that runs only where one of others has not come to its end.
func rescuing(id string, of []string, after ...plan.Dependency) plan.Step {
	s := step(id, work, after...)
	s.Rescues = of
	return s
}

func waitAPI(name string, after ...plan.Dependency) plan.Step {
	return plan.Step{ID: "cluster/wait/" + name, Phase: "test", Lane: "wait-" + name, After: after, Cluster: plan.WaitAPI{Host: name}}
}

// act runs a test where time stands still until nothing else is left to do.
func act(t *testing.T, play func(t *testing.T, s *stage)) {
	synctest.Test(t, func(t *testing.T) { play(t, newStage(t)) })
}

const work, images = plan.LaneWork, plan.LaneImages

var errBroken = errors.New("it broke")
