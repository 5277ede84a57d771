package engine

import (
	"context"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// run is one application of a plan. Its fields belong to the goroutine in loop, but for the
// evidence; steps and uploads run in their own and hand back what is to be noted.
type run struct {
	ctx        context.Context
	options    Options
	graph      *graph
	record     *recorder
	deliveries map[string]*delivery // by host
	stepsOf    map[string][]int     // by host
	large      int                  // hosts that large blobs are on their way to
	ready      []int                // steps that may begin once their content is there, in the plan's order
	running    int                  // steps and uploads
	ended      chan func()
	failures   map[int]*StepError
	evidence   map[string]*recentEvidence // by host
}

func newRun(ctx context.Context, p plan.Plan, options Options, record *recorder) *run {
	graph := newGraph(p.Steps)
	r := &run{
		ctx: ctx, options: options, graph: graph, record: record,
		deliveries: newDeliveries(p, options.Content),
		ready:      graph.in(ready), ended: make(chan func()), failures: map[int]*StepError{},
		stepsOf: map[string][]int{}, evidence: noEvidence(options.Hosts),
	}
	for i, step := range p.Steps {
		r.stepsOf[step.Host] = append(r.stepsOf[step.Host], i)
	}
	return r
}

// launch does work beside the loop, and notes its end in the loop.
func (r *run) launch(work func() (note func())) {
	r.running++
	go func() { r.ended <- work() }()
}

// recentEvidence is what a host showed when it was last asked: several steps wait for the same
// host at a time, and gathering an answer costs it a whole step's work.
type recentEvidence struct {
	asking   chan struct{} // holds one while the host is asked
	at       time.Time
	evidence []hosts.Evidence
}

func noEvidence(all map[string]hosts.Host) map[string]*recentEvidence {
	none := map[string]*recentEvidence{}
	for name := range all {
		none[name] = &recentEvidence{asking: make(chan struct{}, 1)}
	}
	return none
}
