package workflow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/phases/engine/api"
	"github.com/slipway-k8s/slipway/phases/view"
)

// askPromises asks for every promise at the end of a workflow that has it so. While control planes are left
// for later there is nothing to say of the cluster that is to be.
func (s *Session) askPromises(ctx context.Context, r *Run) error {
	isLeft := func(h cluster.Host) bool { return slices.Contains(r.left, h.Name) }
	if r.smoke == nil || r.SkipSmoke || slices.ContainsFunc(s.cluster.ControlPlanes(), isLeft) {
		return nil
	}
	if err := s.takeLease(ctx); err != nil {
		return s.notSmoked(r, err)
	}
	defer s.giveBack()
	report, err := r.smoke(ctx, s, s.front.Promise)
	s.tellSmoke(report)
	return s.notSmoked(r, err)
}

// notSmoked says that the workflow itself is done, what is broken all the same, and what to do; nil where
// nothing is.
func (s *Session) notSmoked(r *Run, err error) error {
	if err == nil {
		return nil
	}
	todo := fmt.Sprintf("see to it, and ask again by: slipway smoke -f %s", s.File)
	if r.inChecks() == view.Upgrade {
		todo += fmt.Sprintf("; or go back by: slipway upgrade rollback -f %s", s.File)
	}
	done := fmt.Sprintf("%s is done, and every host is as it should be", r.Name)
	switch {
	case r.idle:
		done = fmt.Sprintf("%s had nothing to do", r.Name)
	case len(r.Without) > 0:
		done = fmt.Sprintf("%s is done, but for %s", r.Name, strings.Join(r.Without, ", "))
	case len(r.left) > 0:
		done = fmt.Sprintf("%s is done as far as it was asked for", r.Name)
	}
	broken, is := errors.AsType[*api.SmokeError](err)
	if !is {
		return r.changed(fmt.Errorf("%s; but the cluster could not be asked for its promises: %w; %s", done, err, todo))
	}
	var lines strings.Builder
	for _, one := range broken.Broken {
		fmt.Fprintf(&lines, "\n  %s", one)
	}
	return r.changed(fmt.Errorf("%s; but %w%s\n%s", done, err, lines.String(), todo))
}

// changed marks an error after which hosts are other than before; where there was nothing to do they are not.
func (r *Run) changed(err error) error {
	if r.idle {
		return err
	}
	return &ChangedError{err}
}
