package engine

import (
	"maps"
	"slices"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

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
	if !d.begun && len(d.small) > 0 {
		return upload{host: name, blobs: d.small}, true
	}
	// A step that waits for nothing but its content comes before one that waits for others.
	for _, wanted := range []state{ready, waiting} {
		for _, i := range r.stepsOf[name] {
			step := r.graph.steps[i]
			if r.graph.states[i] != wanted {
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
	progress := r.record.progress(plan.Event{Step: u.step.ID, Phase: u.step.Phase, Host: u.host, Kind: actionUpload})
	r.launch(func() func() {
		err := r.options.Hosts[u.host].Upload(r.ctx, u.blobs, progress)
		return func() {
			if u.large {
				r.large--
			}
			d.note(u.blobs, err)
		}
	})
}
