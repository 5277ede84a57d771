package engine

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/slipway-k8s/slipway/phases/plan"
)

// RescueWithin is how long a run may take to end after an interrupt where it has rescue steps to do.
const RescueWithin = 5 * time.Minute

// rescue is what the rescue steps of a run have of their own: a context that an interrupt does not
// end, and that the front end is told that something must not be cut short. It belongs to the
// goroutine in loop.
type rescue struct {
	ctx    context.Context
	end    context.CancelFunc
	graph  *graph
	record *recorder
	// pending are the rescue steps that may still run, or do, since something that they rescue has begun.
	pending map[int]bool
}

func newRescue(ctx context.Context, graph *graph, record *recorder) *rescue {
	own, end := context.WithCancel(context.WithoutCancel(ctx))
	return &rescue{ctx: own, end: end, graph: graph, record: record, pending: map[int]bool{}}
}

// hurry bounds the rescue steps' time, from an interrupt on.
func (r *rescue) hurry() {
	late := time.AfterFunc(RescueWithin, r.end)
	context.AfterFunc(r.ctx, func() { late.Stop() })
}

// begun notes that a step begins, and so what may have to be put back. The front end learns of
// that before an interrupt comes.
func (r *rescue) begun(step int) {
	none := len(r.pending) == 0
	for _, i := range r.graph.rescued[step] {
		r.pending[i] = true
	}
	if r.graph.steps[step].IsRescue() {
		r.pending[step] = true
	}
	if none && len(r.pending) > 0 {
		r.record.rescues(true)
	}
}

// ended notes that steps have ended.
func (r *rescue) ended() {
	if len(r.pending) == 0 {
		return
	}
	maps.DeleteFunc(r.pending, func(i int, _ bool) bool { return r.graph.states[i].ended() })
	if len(r.pending) == 0 {
		r.record.rescues(false)
	}
}

// explained is the error of a step, with the reason where the time for rescue steps is over.
func (r *rescue) explained(step plan.Step, err error) error {
	if step.IsRescue() && r.ctx.Err() != nil {
		return fmt.Errorf("not done within %s of the interrupt: %w", RescueWithin, err)
	}
	return err
}
