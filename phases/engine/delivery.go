package engine

import (
	"fmt"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// smallBlob is the size up to which content travels with the first upload. Larger
// blobs come one step's at a time, so that what is needed first is there first.
const smallBlob = 256 << 10

// delivery is the content that one host needs, and what of it is there.
type delivery struct {
	blobs   map[string]hosts.Blob
	present map[string]bool
	failed  map[string]error // refs whose upload failed
	small   []hosts.Blob     // for the first upload, in the order of need
	sending bool             // one upload at a time
	begun   bool             // the first upload has
}

// newDeliveries sorts the content of each host's steps.
func newDeliveries(p plan.Plan, content func(string) (hosts.Blob, bool)) map[string]*delivery {
	all := map[string]*delivery{}
	for _, step := range p.Steps {
		if step.Host == "" {
			continue
		}
		d := all[step.Host]
		if d == nil {
			d = &delivery{blobs: map[string]hosts.Blob{}, present: map[string]bool{}, failed: map[string]error{}}
			all[step.Host] = d
		}
		for _, ref := range plan.Refs(step) {
			d.add(ref, content)
		}
	}
	return all
}

func (d *delivery) add(ref string, content func(string) (hosts.Blob, bool)) {
	if _, known := d.blobs[ref]; known {
		return
	}
	blob, _ := content(ref) // Options.check has seen that it is there
	d.blobs[ref] = blob
	if blob.Size <= smallBlob {
		d.small = append(d.small, blob)
	}
}

// missing lists those of the refs that are not on the host yet; an error, that one of them will
// not be.
func (d *delivery) missing(refs []string) ([]hosts.Blob, error) {
	var found []hosts.Blob
	for _, ref := range refs {
		if err := d.failed[ref]; err != nil {
			return nil, err
		}
		if !d.present[ref] {
			found = append(found, d.blobs[ref])
		}
	}
	return found, nil
}

// note records how an upload ended.
func (d *delivery) note(blobs []hosts.Blob, err error) {
	for _, blob := range blobs {
		if err != nil {
			d.failed[blob.Ref] = fmt.Errorf("upload: %w", err)
		} else {
			d.present[blob.Ref] = true
		}
	}
}
