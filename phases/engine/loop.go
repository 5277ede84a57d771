package engine

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// loop begins whatever may begin and notes whatever has ended, until nothing runs. After an
// interrupt it begins nothing more but rescue steps, and waits for what runs.
func (r *run) loop() {
	defer r.rescue.end()
	interrupt := r.ctx.Done()
	for {
		if r.ctx.Err() != nil {
			r.stop()
		}
		r.startSteps()
		r.startUploads()
		if r.running == 0 {
			return
		}
		select {
		case note := <-r.ended:
			r.running--
			note()
		case <-interrupt:
			interrupt = nil
		}
	}
}

// stop notes, once, what an interrupted run never begins. What it rescues has a time of its own.
func (r *run) stop() {
	if r.stopped {
		return
	}
	r.stopped = true
	r.rescue.hurry()
	unbegun, changed := r.graph.stop()
	for _, i := range unbegun {
		r.record.canceled(r.graph.steps[i], "")
	}
	r.ready = slices.DeleteFunc(r.ready, func(i int) bool { return r.graph.states[i] == canceled })
	r.note(changed)
}

// startSteps begins the ready steps whose content is there, and fails those whose
// content will not come.
func (r *run) startSteps() {
	var kept []int
	for len(r.ready) > 0 { // a failure may add to it
		i := r.ready[0]
		r.ready = r.ready[1:]
		step := r.graph.steps[i]
		missing, err := r.missing(step)
		switch {
		case err != nil:
			r.fail(i, newStepError(step, ActionUpload, err), 0)
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
	r.rescue.begun(i)
	r.record.started(step, r.graph.cause(i))
	began := r.options.Now()
	r.launch(func() func() {
		outcome, watch, err := r.do(step)
		took := r.options.Now().Sub(began)
		if err == nil {
			return func() { r.finish(i, outcome, took) }
		}
		if r.interrupted(step, err) {
			return func() { r.breakOff(i) }
		}
		failure := newStepError(step, plan.Kind(step), r.rescue.explained(step, err))
		r.explain(step, failure)
		watch.judged(failure)
		return func() { r.fail(i, failure, took) }
	})
}

func (r *run) do(step plan.Step) (hosts.Outcome, *watch, error) {
	ctx, watch, end := r.beginWatch(step)
	defer end()
	if works(step) {
		defer r.pulse.begin(step.Host)()
	}
	progress := watch.noting(r.record.progress(about(step, plan.EventStepProgress)))
	var outcome hosts.Outcome
	var err error
	if step.Cluster != nil {
		outcome, err = r.options.Cluster.Do(ctx, step.Cluster, r.bytes, progress)
	} else {
		outcome, err = r.options.Hosts[step.Host].Do(ctx, step.Action, progress)
	}
	return outcome, watch, err
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
	r.note(r.graph.finish(i))
}

// note takes over what became of other steps.
func (r *run) note(changed change) {
	for _, i := range changed.lost {
		r.record.skipped(r.graph.steps[i], r.graph.steps[r.graph.because[i]].ID)
	}
	for _, i := range changed.unneeded {
		r.record.notNeeded(r.graph.steps[i])
	}
	r.ready = append(r.ready, changed.freed...)
	slices.Sort(r.ready)
	r.rescue.ended()
}

func (r *run) fail(i int, failure *StepError, took time.Duration) {
	r.failures[i] = failure
	r.record.failed(r.graph.steps[i], failure, took)
	r.note(r.graph.fail(i))
}

// breakOff notes a running step that ended at an interrupt without being done.
func (r *run) breakOff(i int) {
	r.record.canceled(r.graph.steps[i], "end")
	r.note(r.graph.breakOff(i))
}

// result is the run's error, or nil where all is done.
func (r *run) result() error {
	result := &RunError{}
	for i, step := range r.graph.steps {
		switch r.graph.states[i] {
		case failed:
			if step.IsRescue() {
				result.NotRescued = append(result.NotRescued, r.failures[i])
			} else {
				result.Failed = append(result.Failed, r.failures[i])
			}
		case skipped:
			result.Skipped = append(result.Skipped, SkippedStep{Step: step.ID, Because: r.graph.steps[r.graph.because[i]].ID})
		case canceled, cut:
			result.Canceled = append(result.Canceled, step.ID)
			if r.graph.states[i] == cut {
				result.BrokenOff = append(result.BrokenOff, step.ID)
			}
			result.Interrupted = true
		case done:
			if step.IsRescue() {
				result.Rescued = append(result.Rescued, step.ID)
			}
		case waiting, ready, running, notNeeded:
		}
	}
	if len(result.Failed) == 0 && !result.Interrupted {
		return nil
	}
	slices.SortStableFunc(result.Failed, func(a, b *StepError) int { return strings.Compare(a.Host, b.Host) })
	return result
}
