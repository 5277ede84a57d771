package workflow

import (
	"context"
	"errors"

	"github.com/slipway-k8s/slipway/phases/checks"
)

// Preflight looks at hosts and cluster as a workflow does, and gives what all its checks have
// found; what shows only when the plan is made is among it. Nothing is changed.
func (s *Session) Preflight(ctx context.Context, r *Run) (Preflight, error) {
	r.checking = true
	if err := s.observed(ctx, r); err != nil {
		return Preflight{}, err
	}
	found, err := s.preflight(r)
	if err != nil {
		return Preflight{}, err
	}
	ready, err := s.planned(r)
	if refused, is := errors.AsType[*checks.Refused](err); is {
		found.Results, found.Refused = checks.With(found.Results, refused.Findings), true
		return found, nil
	}
	if err != nil {
		return Preflight{}, err
	}
	return found, s.verifyBundle(ctx, ready)
}
