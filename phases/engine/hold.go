package engine

import (
	"fmt"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// smallBlob is the size up to which content travels with the first upload. Larger
// blobs come one step's at a time, so that what is needed first is there first.
const smallBlob = 256 << 10

// hold is what one host needs of content, and what of it is already there.
type hold struct {
	blobs    map[string]hosts.Blob
	aboard   map[string]bool
	lost     map[string]error // refs whose upload failed
	small    []hosts.Blob     // for the first upload, in the order of need
	sending  bool             // one upload at a time
	sentOnce bool             // the first upload has begun
}

// newHolds sorts the content of each host's steps.
func newHolds(p plan.Plan, content func(string) (hosts.Blob, bool)) map[string]*hold {
	holds := map[string]*hold{}
	for _, step := range p.Steps {
		if step.Host == "" {
			continue
		}
		h := holds[step.Host]
		if h == nil {
			h = &hold{blobs: map[string]hosts.Blob{}, aboard: map[string]bool{}, lost: map[string]error{}}
			holds[step.Host] = h
		}
		for _, ref := range plan.Refs(step) {
			h.add(ref, content)
		}
	}
	return holds
}

func (h *hold) add(ref string, content func(string) (hosts.Blob, bool)) {
	if _, known := h.blobs[ref]; known {
		return
	}
	blob, _ := content(ref) // Options.suit has seen that it is there
	h.blobs[ref] = blob
	if blob.Size <= smallBlob {
		h.small = append(h.small, blob)
	}
}

// holds tells whether all refs are on the host; an error, that one of them will not be.
func (h *hold) holds(refs []string) (bool, error) {
	all := true
	for _, ref := range refs {
		if err := h.lost[ref]; err != nil {
			return false, err
		}
		all = all && h.aboard[ref]
	}
	return all, nil
}

// missing lists those of the refs that are neither there nor lost.
func (h *hold) missing(refs []string) []hosts.Blob {
	var found []hosts.Blob
	for _, ref := range refs {
		if !h.aboard[ref] && h.lost[ref] == nil {
			found = append(found, h.blobs[ref])
		}
	}
	return found
}

// note records how an upload ended.
func (h *hold) note(blobs []hosts.Blob, err error) {
	h.sending = false
	for _, blob := range blobs {
		if err != nil {
			h.lost[blob.Ref] = fmt.Errorf("upload: %w", err)
		} else {
			h.aboard[blob.Ref] = true
		}
	}
}

// upload is content on its way to one host.
type upload struct {
	host  string
	step  plan.Step // the step that needs it first; none for the first upload
	blobs []hosts.Blob
	large bool
}

// startUploads gives every host that is not being sent to what it needs next: first all
// that is small, then the large blobs of one step after another.
func (r *run) startUploads() {
	for _, name := range r.hostNames {
		h := r.holds[name]
		if h.sending {
			continue
		}
		if next, found := r.nextUpload(name, h); found && (!next.large || r.large < r.options.Uploads) {
			r.send(next, h)
		}
	}
}

func (r *run) nextUpload(name string, h *hold) (upload, bool) {
	if !h.sentOnce && len(h.small) > 0 {
		return upload{host: name, blobs: h.small}, true
	}
	// A step that waits for nothing but its content comes before one that waits for others.
	for _, wanted := range []state{ready, waiting} {
		for _, i := range r.stepsOf[name] {
			if r.graph.states[i] != wanted {
				continue
			}
			if blobs := h.missing(plan.Refs(r.graph.steps[i])); len(blobs) > 0 {
				return upload{host: name, step: r.graph.steps[i], blobs: blobs, large: true}, true
			}
		}
	}
	return upload{}, false
}

func (r *run) send(u upload, h *hold) {
	h.sending, h.sentOnce = true, true
	if u.large {
		r.large++
	}
	event := plan.Event{Step: u.step.ID, Phase: u.step.Phase, Subject: plan.Subject{Host: u.host}, Host: u.host, Kind: actionUpload}
	progress := r.record.progress(event)
	r.launch(func() func() {
		err := r.options.Hosts[u.host].Upload(r.ctx, u.blobs, progress)
		return func() {
			if u.large {
				r.large--
			}
			h.note(u.blobs, err)
		}
	})
}
