package workflow

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// Prepare is the way of every workflow up to its plan: connect, observe, mint, preflight,
// plan. Nothing on any host has changed when it returns.
func (s *Session) Prepare(ctx context.Context, r *Run) (Prepared, error) {
	if err := s.observed(ctx, r); err != nil {
		return Prepared{}, err
	}
	if _, err := s.preflight(r); err != nil {
		return Prepared{}, err
	}
	end := s.span(StagePlan)
	ready, err := s.planned(r)
	if end(&err); err != nil {
		return Prepared{}, err
	}
	return ready, s.verifyBundle(ctx, ready)
}

// preflight asks the checks by what was observed, and tells the front end.
func (s *Session) preflight(r *Run) (Preflight, error) {
	in, err := s.inputOf(r)
	if err != nil {
		return Preflight{}, err
	}
	found := Preflight{Cluster: s.cluster.Name, Workflow: r.Name, Hosts: s.HostNames(), Results: checks.Report(r.inChecks(), in.View)}
	if r.traffic {
		found.Traffic = checks.Traffic(in.View)
	}
	found.Refused = len(checks.Errors(checks.Findings(found.Results))) > 0
	s.front.Preflight(found)
	return found, nil
}

// observed connects, and looks at all that the plan depends on.
func (s *Session) observed(ctx context.Context, r *Run) error {
	if err := s.known(r.Hosts); err != nil {
		return err
	}
	if r.begin != nil {
		if err := r.begin(ctx, s, r); err != nil {
			return err
		}
	}
	if err := s.reachAll(ctx, r); err != nil {
		return err
	}
	s.askHealth(ctx, r)
	s.askDeprecated(ctx, r)
	if err := s.askTraffic(ctx, r); err != nil {
		return err
	}
	return s.askWorkloads(ctx, r)
}

// known refuses names that the cluster file does not have.
func (s *Session) known(names []string) error {
	for _, name := range names {
		if _, ok := s.cluster.Host(name); !ok {
			return usagef("no host is called %s in %s: it has %s", name, s.File, strings.Join(s.HostNames(), ", "))
		}
	}
	return nil
}

// verifyBundle hashes the whole bundle before a plan that takes anything from it: a
// flipped byte is found while nothing has been touched.
func (s *Session) verifyBundle(ctx context.Context, ready Prepared) (err error) {
	defer s.span(StageVerifyBundle)(&err)
	if s.archive == nil {
		return nil
	}
	for _, step := range ready.Plan.Steps {
		for _, ref := range plan.Refs(step) {
			if s.archive.Has(ref) {
				return s.archive.Verify(ctx)
			}
		}
	}
	return nil
}

func (s *Session) planned(r *Run) (Prepared, error) {
	in, err := s.inputOf(r)
	if err != nil {
		return Prepared{}, err
	}
	made, contents, err := r.plan(s, in)
	if err != nil {
		return Prepared{}, fmt.Errorf("plan %s of %s: %w", r.Name, s.cluster.Name, err)
	}
	made.Bundle, made.Versions = s.BundleName(), s.leads(r, made)
	ready := Prepared{Plan: made, Contents: contents, ways: ways{hosts: maps.Clone(s.hosts), api: s.api, silent: !s.live.Reachable}}
	if r.forecast != nil {
		made, err := r.forecast(in)
		if err != nil {
			return Prepared{}, err
		}
		ready.Forecast = &made
	}
	return ready, nil
}

// BundleName is how a plan calls the session's bundle; nil where there is none.
func (s *Session) BundleName() *plan.Bundle {
	if s.archive == nil {
		return nil
	}
	return &plan.Bundle{Digest: s.archive.Digest(), Signature: s.archive.Signature().String()}
}

// sameSteps tells whether two plans do the same. Warnings may tell of what is measured, and
// reasons of how an API server was silent at the moment; what it leads to is told of the same steps.
func sameSteps(one, other plan.Plan) bool {
	return plan.Digest(withoutReasons(one)) == plan.Digest(withoutReasons(other))
}

func withoutReasons(p plan.Plan) plan.Plan {
	p.Warnings, p.Versions, p.Steps = nil, "", slices.Clone(p.Steps)
	for i := range p.Steps {
		p.Steps[i].Why = ""
	}
	return p
}
