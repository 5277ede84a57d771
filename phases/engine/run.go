package engine

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/checks"
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
	stopped    bool // an interrupt was seen
	rescue     *rescue
	failures   map[int]*StepError
	evidence   map[string]*recentEvidence // by host
	pulse      *pulse
}

func newRun(ctx context.Context, p plan.Plan, options Options, record *recorder) *run {
	graph := newGraph(p.Steps)
	r := &run{
		ctx: ctx, options: options, graph: graph, record: record,
		deliveries: newDeliveries(p, options.Content),
		ready:      graph.in(ready), ended: make(chan func()), failures: map[int]*StepError{},
		rescue:  newRescue(ctx, graph, record),
		stepsOf: map[string][]int{}, evidence: noEvidence(options.Hosts), pulse: newPulse(),
	}
	for i, step := range p.Steps {
		r.stepsOf[step.Host] = append(r.stepsOf[step.Host], i)
	}
	return r
}

// heeds is the context of what is done for a step: an interrupt does not end a rescue step's.
func (r *run) heeds(step plan.Step) context.Context {
	if step.IsRescue() {
		return r.rescue.ctx
	}
	return r.ctx
}

// interrupted tells whether an error only says that the run was told to stop. A step that
// fails for a reason of its own just then has failed.
func (r *run) interrupted(step plan.Step, err error) bool {
	return !step.IsRescue() && r.ctx.Err() != nil && (errors.Is(err, r.ctx.Err()) || errors.Is(err, context.Canceled))
}

// launch does work beside the loop, and notes its end in the loop.
func (r *run) launch(work func() (note func())) {
	r.running++
	go func() { r.ended <- work() }()
}

// recentEvidence is what a host showed when it was last asked: several steps wait for the same
// host at a time, and gathering an answer costs it a whole step's work.
type recentEvidence struct {
	asking chan struct{} // holds one while the host is asked
	at     time.Time
	took   time.Duration // to tell it
	shown  checks.Shown
}

func noEvidence(all map[string]hosts.Host) map[string]*recentEvidence {
	none := map[string]*recentEvidence{}
	for name := range all {
		none[name] = &recentEvidence{asking: make(chan struct{}, 1)}
	}
	return none
}

// upload is content on its way to one host.
type upload struct {
	host  string
	step  plan.Step // the step that needs it first; none for the first upload
	blobs []hosts.Blob
	large bool
}

// startUploads gives every host that nothing is sent to what it needs next: first all that is
// small, then the large blobs of one step after another.
func (r *run) startUploads() {
	for _, name := range slices.Sorted(maps.Keys(r.deliveries)) {
		d := r.deliveries[name]
		if d.sending {
			continue
		}
		if next, found := r.nextUpload(name, d); found && (!next.large || r.large < r.options.Uploads) {
			r.send(next, d)
		}
	}
}

func (r *run) nextUpload(name string, d *delivery) (upload, bool) {
	if !r.stopped && !d.begun && len(d.small) > 0 {
		return upload{host: name, blobs: d.small}, true
	}
	// A step that waits for nothing but its content comes before one that waits for others. What
	// a rescue step needs beside the small is not sent before it is known that it is needed.
	for _, wanted := range []state{ready, waiting} {
		for _, i := range r.stepsOf[name] {
			step := r.graph.steps[i]
			if r.graph.states[i] != wanted || step.IsRescue() && wanted == waiting {
				continue
			}
			if blobs, err := d.missing(plan.Refs(step)); err == nil && len(blobs) > 0 {
				return upload{host: name, step: step, blobs: blobs, large: true}, true
			}
		}
	}
	return upload{}, false
}

func (r *run) send(u upload, d *delivery) {
	d.sending, d.begun = true, true
	if u.large {
		r.large++
	}
	progress := r.record.progress(plan.Event{Step: u.step.ID, Phase: u.step.Phase, Host: u.host, Kind: ActionUpload})
	r.launch(func() func() {
		defer r.pulse.begin(u.host)()
		err := r.options.Hosts[u.host].Upload(r.heeds(u.step), u.blobs, progress)
		return func() {
			if u.large {
				r.large--
			}
			d.sending = false
			if err == nil || !r.interrupted(u.step, err) { // what an interrupt kept, a rescue step may still get
				d.note(u.blobs, err)
			}
		}
	})
}
