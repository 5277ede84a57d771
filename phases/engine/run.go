package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// run is one application of a plan. Its fields but the last belong to the goroutine in loop;
// steps and uploads run in their own and hand back what is to be noted.
type run struct {
	ctx       context.Context
	options   Options
	graph     *graph
	record    *recorder
	holds     map[string]*hold // by host
	hostNames []string         // sorted
	stepsOf   map[string][]int // by host
	large     int              // hosts that large blobs are on their way to
	ready     []int            // steps that may begin once their content is there, in the plan's order
	inHand    int              // steps and uploads under way
	settled   chan func()
	failures  map[int]*StepError
	last      map[string]*lastEvidence // by host
}

func newRun(ctx context.Context, p plan.Plan, options Options, record *recorder) *run {
	graph := newGraph(p.Steps)
	r := &run{
		ctx: ctx, options: options, graph: graph, record: record,
		holds: newHolds(p, options.Content), stepsOf: map[string][]int{},
		ready: graph.in(ready), settled: make(chan func()), failures: map[int]*StepError{},
		last: noEvidence(slices.Collect(maps.Keys(options.Hosts))),
	}
	for i, step := range p.Steps {
		r.stepsOf[step.Host] = append(r.stepsOf[step.Host], i)
	}
	r.hostNames = slices.Sorted(maps.Keys(r.holds))
	return r
}

// loop begins whatever may begin and notes whatever has ended, until nothing is in hand.
// After an interrupt it begins nothing more, and waits for what is in hand.
func (r *run) loop() {
	interrupt := r.ctx.Done()
	for {
		if r.ctx.Err() == nil {
			r.startSteps()
			r.startUploads()
		}
		if r.inHand == 0 {
			break
		}
		select {
		case note := <-r.settled:
			r.inHand--
			note()
		case <-interrupt:
			interrupt = nil
		}
	}
	r.cancelRest()
}

// launch does work beside the loop, and notes its end in the loop.
func (r *run) launch(work func() (note func())) {
	r.inHand++
	go func() { r.settled <- work() }()
}

// startSteps begins the ready steps whose content is there, and fails those whose
// content will not come.
func (r *run) startSteps() {
	var kept []int
	for _, i := range r.ready {
		step := r.graph.steps[i]
		there, err := r.content(step)
		switch {
		case err != nil:
			r.fail(i, r.failure(step, actionUpload, err), 0)
		case there:
			r.start(i)
		default:
			kept = append(kept, i)
		}
	}
	r.ready = kept
}

// content tells whether a step's content is on its host. Cluster steps carry theirs.
func (r *run) content(step plan.Step) (bool, error) {
	hold, needed := r.holds[step.Host]
	if !needed {
		return true, nil
	}
	return hold.holds(plan.Refs(step))
}

func (r *run) start(i int) {
	step := r.graph.steps[i]
	r.graph.states[i] = running
	r.record.started(step)
	began := r.options.Now()
	r.launch(func() func() {
		outcome, err := r.do(step)
		took := r.options.Now().Sub(began)
		if err == nil {
			return func() { r.finish(i, outcome, took) }
		}
		if r.interrupted(err) {
			return func() { r.breakOff(i) }
		}
		failure := r.failure(step, plan.Kind(step), err)
		r.explain(step, failure)
		return func() { r.fail(i, failure, took) }
	})
}

// interrupted tells whether an error only says that the run was told to stop. A step that
// fails for a reason of its own just then has failed.
func (r *run) interrupted(err error) bool {
	return r.ctx.Err() != nil && (errors.Is(err, r.ctx.Err()) || errors.Is(err, context.Canceled))
}

func (r *run) do(step plan.Step) (hosts.Outcome, error) {
	progress := r.record.progress(about(step, plan.EventStepProgress))
	defer r.askWhileWaiting(step, func(cause Cause) { r.record.known(step, cause) })()
	if step.Cluster != nil {
		return r.options.Cluster.Do(r.ctx, step.Cluster, r.bytes, progress)
	}
	return r.options.Hosts[step.Host].Do(r.ctx, step.Action, progress)
}

// bytes reads the content behind a ref for a cluster action.
func (r *run) bytes(ref string) ([]byte, error) {
	blob, found := r.options.Content(ref)
	if !found {
		return nil, fmt.Errorf("read content %s: neither rendered nor in the bundle", ref)
	}
	reader, err := blob.Open()
	if err != nil {
		return nil, fmt.Errorf("read content %s: %w", ref, err)
	}
	defer reader.Close()
	data, err := io.ReadAll(reader)
	if err != nil {
		return nil, fmt.Errorf("read content %s: %w", ref, err)
	}
	return data, nil
}

func (r *run) finish(i int, outcome hosts.Outcome, took time.Duration) {
	r.record.finished(r.graph.steps[i], outcome, took)
	r.ready = append(r.ready, r.graph.finish(i)...)
	slices.Sort(r.ready)
}

func (r *run) fail(i int, failure *StepError, took time.Duration) {
	step := r.graph.steps[i]
	r.failures[i] = failure
	r.record.failed(step, failure, took)
	for _, lost := range r.graph.fail(i) {
		r.record.skipped(r.graph.steps[lost], step.ID)
	}
}

// breakOff notes a running step that ended at an interrupt without being done.
func (r *run) breakOff(i int) {
	r.graph.states[i] = canceled
	r.record.canceled(r.graph.steps[i], "end")
}

// cancelRest notes what an interrupted run never began.
func (r *run) cancelRest() {
	for i, s := range r.graph.states {
		if s == waiting || s == ready {
			r.graph.states[i] = canceled
			r.record.canceled(r.graph.steps[i], "")
		}
	}
}

func (r *run) failure(step plan.Step, action string, err error) *StepError {
	failure := &StepError{Step: step.ID, Phase: step.Phase, Host: step.Host, Action: action, Err: err}
	var known *hosts.Error
	if errors.As(err, &known) {
		failure.Fix = known.Fix
		if failure.Fix == "" {
			failure.Fix = fixes[known.Kind]
		}
	}
	return failure
}

// fixes is what to do about a host's error that does not say so itself.
var fixes = map[hosts.ErrorKind]string{
	hosts.KindCut:         "see that the host is up, then run the same command again: it goes on from here",
	hosts.KindUnreachable: "see that the host is up and reached by SSH, then run the same command again",
	hosts.KindStuck:       "see what the host waits for, a disk or a network file system, then run the same command again",
	hosts.KindDiskFull:    "make room on the host's disk, then run the same command again",
}

// verdict is the run's error, or nil where all is done.
func (r *run) verdict() error {
	verdict := &RunError{Interrupted: len(r.graph.in(canceled)) > 0, Places: r.places()}
	for i, step := range r.graph.steps {
		switch r.graph.states[i] {
		case failed:
			verdict.Failed = append(verdict.Failed, r.failures[i])
		case skipped:
			because := r.graph.steps[r.graph.because[i]].ID
			verdict.Skipped = append(verdict.Skipped, SkippedStep{Step: step.ID, Host: step.Host, Because: because})
		case canceled:
			verdict.Cancelled = append(verdict.Cancelled, step.ID)
		case waiting, ready, running, done:
		}
	}
	if len(verdict.Failed) == 0 && !verdict.Interrupted {
		return nil
	}
	slices.SortStableFunc(verdict.Failed, func(a, b *StepError) int { return strings.Compare(a.Host, b.Host) })
	return verdict
}

// places counts each place's steps by what became of them.
func (r *run) places() []PlaceState {
	places := map[string]PlaceState{}
	for i, step := range r.graph.steps {
		place := places[step.Host]
		place.Host = step.Host
		place.Steps++
		switch r.graph.states[i] {
		case done:
			place.Done++
		case failed:
			place.Failed++
		case skipped:
			place.Skipped++
		case canceled:
			place.Cancelled++
		case waiting, ready, running:
		}
		places[step.Host] = place
	}
	return slices.SortedFunc(maps.Values(places), func(a, b PlaceState) int { return strings.Compare(a.Host, b.Host) })
}
