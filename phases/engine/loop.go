package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// loop begins whatever may begin and notes whatever has ended, until nothing runs. After an
// interrupt it begins nothing more, and waits for what runs.
func (r *run) loop() {
	interrupt := r.ctx.Done()
	for {
		if r.ctx.Err() == nil {
			r.startSteps()
			r.startUploads()
		}
		if r.running == 0 {
			break
		}
		select {
		case note := <-r.ended:
			r.running--
			note()
		case <-interrupt:
			interrupt = nil
		}
	}
	r.cancelRest()
}

// startSteps begins the ready steps whose content is there, and fails those whose
// content will not come.
func (r *run) startSteps() {
	var kept []int
	for _, i := range r.ready {
		step := r.graph.steps[i]
		missing, err := r.missing(step)
		switch {
		case err != nil:
			r.fail(i, newStepError(step, actionUpload, err), 0)
		case len(missing) == 0:
			r.start(i)
		default:
			kept = append(kept, i)
		}
	}
	r.ready = kept
}

// missing is what of a step's content is not on its host. Cluster steps carry theirs.
func (r *run) missing(step plan.Step) ([]hosts.Blob, error) {
	d, needed := r.deliveries[step.Host]
	if !needed {
		return nil, nil
	}
	return d.missing(plan.Refs(step))
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
		failure := newStepError(step, plan.Kind(step), err)
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
	defer r.askWhileWaiting(step, func(cause checks.Finding) { r.record.known(step, cause) })()
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

// result is the run's error, or nil where all is done.
func (r *run) result() error {
	result := &RunError{Interrupted: len(r.graph.in(canceled)) > 0}
	for i, step := range r.graph.steps {
		switch r.graph.states[i] {
		case failed:
			result.Failed = append(result.Failed, r.failures[i])
		case skipped:
			result.Skipped = append(result.Skipped, SkippedStep{Step: step.ID, Because: r.graph.steps[r.graph.because[i]].ID})
		case canceled:
			result.Canceled = append(result.Canceled, step.ID)
		case waiting, ready, running, done:
		}
	}
	if len(result.Failed) == 0 && !result.Interrupted {
		return nil
	}
	slices.SortStableFunc(result.Failed, func(a, b *StepError) int { return strings.Compare(a.Host, b.Host) })
	return result
}
