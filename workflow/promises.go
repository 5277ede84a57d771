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
	if len(report.Promises) > 0 {
		s.front.Note("smoke: %s", report)
	}
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
	if len(r.left) > 0 {
		done = fmt.Sprintf("%s is done as far as it was asked for", r.Name)
	}
	broken, is := errors.AsType[*api.SmokeError](err)
	if !is {
		return &ChangedError{fmt.Errorf("%s; but the cluster could not be asked for its promises: %w; %s", done, err, todo)}
	}
	var lines strings.Builder
	for _, one := range broken.Broken {
		fmt.Fprintf(&lines, "\n  %s", one)
	}
	return &ChangedError{fmt.Errorf("%s; but %w%s\n%s", done, err, lines.String(), todo)}
}
