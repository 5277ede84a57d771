package workflow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/engine"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// content finds what a plan names by ref: what was rendered, then the bundle's blobs.
func (s *Session) content(contents plan.Contents) func(string) (hosts.Blob, bool) {
	return func(ref string) (hosts.Blob, bool) {
		if blob, ok := contents.Blob(ref); ok {
			return blob, true
		}
		if s.images != nil {
			return s.images.Blob(ref)
		}
		if s.archive == nil || !s.archive.Has(ref) {
			return hosts.Blob{}, false
		}
		return s.archiveBlob(ref)
	}
}

func (s *Session) archiveBlob(ref string) (hosts.Blob, bool) {
	section, err := s.archive.Blob(ref)
	if err != nil {
		return hosts.Blob{}, false
	}
	return hosts.Blob{
		Ref:    ref,
		SHA256: ref[len("sha256:"):],
		Size:   section.Size(),
		Open: func() (io.ReadCloser, error) {
			again, err := s.archive.Blob(ref)
			if err != nil {
				return nil, err
			}
			return io.NopCloser(again), nil
		},
	}, true
}

// apply carries a plan out, tells of it, and keeps its journal.
func (s *Session) apply(ctx context.Context, p Prepared) error {
	journal, err := s.journal()
	if err != nil {
		return err
	}
	defer journal.Close()
	options := engine.Options{
		Hosts:   s.hosts,
		APIPort: s.cluster.APIPort(),
		Content: s.content(p.Contents),
		Events: func(event plan.Event) {
			s.noteBegun(p.Plan, event)
			if event.Fix != "" && event.Stage == plan.StageRescue {
				event.Fix = cmp.Or(p.interrupted, event.Fix)
			}
			s.front.Event(event)
		},
		Journal: journal,
		Holder:  holder(),
		Lease:   s.answeringControlPlanes(),
		Waits:   s.leases,
		Leased:  p.fresh,
		Held:    s.held(),
	}
	if s.api != nil {
		options.Cluster = s.api
	}
	err = engine.Apply(ctx, p.Plan, options)
	if _, failed := errors.AsType[*engine.RunError](err); failed {
		s.front.Note("all that was done and seen is in %s", journal.Name())
	}
	return err
}

// answeringControlPlanes are leased with every plan: they stand for the cluster. One that fell
// silent when it was looked at could not be leased; whether it matters preflight has said.
func (s *Session) answeringControlPlanes() []string {
	var names []string
	for _, h := range s.cluster.ControlPlanes() {
		_, up := s.hosts[h.Name]
		if _, silent := s.down[h.Name]; up && !silent {
			names = append(names, h.Name)
		}
	}
	return names
}

// journal opens this run's log in the state folder, beside the clusters: it outlives them.
func (s *Session) journal() (*os.File, error) {
	folder, err := runsFolder()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the runs' journals: %w", err)
	}
	name := filepath.Join(folder, time.Now().UTC().Format(journalTime)+journalOf(s.cluster.Name))
	file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the run's journal: %w", err)
	}
	return file, nil
}
