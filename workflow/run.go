package workflow

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// Run carries out a workflow, any of the table. What it finds it tells the front end.
func (s *Session) Run(ctx context.Context, r *Run) error {
	switch {
	case r.ForecastOnly && r.forecast != nil:
		return s.showForecast(ctx, r)
	case r.carry != nil:
		return r.carry(ctx, s, r)
	}
	err := s.run(ctx, r)
	if r.after != nil {
		err = r.after(s, r, err)
	}
	if err != nil || !r.verified && !r.idle {
		return err
	}
	return s.askPromises(ctx, r)
}

// showForecast shows what a workflow's drains will do, and changes nothing.
func (s *Session) showForecast(ctx context.Context, r *Run) error {
	made, err := s.Forecast(ctx, r)
	if err != nil {
		return err
	}
	return s.front.Forecast(made)
}

func (s *Session) run(ctx context.Context, r *Run) error {
	s.first = r.Yes // nobody is asked, so nobody keeps others waiting
	defer s.giveBack()
	ready, err := s.Prepare(ctx, r)
	if err != nil {
		return err
	}
	r.left, r.planned = ready.Plan.Left, ready.Plan
	if ready.Plan.Empty() {
		s.warn(ready.Plan)
		s.nothing(r)
		r.idle = true
		return nil
	}
	if err := s.agreed(ctx, r, ready); err != nil {
		return err
	}
	if err := s.keys.save(s.cluster.Name); err != nil {
		return fmt.Errorf("save the cluster's keys: %w", err)
	}
	began := time.Now()
	ready.fresh, ready.interrupted = s.freshness(r, ready), r.Interrupted
	err = s.apply(ctx, ready)
	s.giveBack()
	if err != nil {
		return errors.Join(err, s.keys.forgetUnused(err))
	}
	if err := s.verified(ctx, r); err != nil {
		return &ChangedError{fmt.Errorf("verify: %w", err)}
	}
	s.front.Note("%s of %s done: %d steps in %.1fs", r.Name, s.cluster.Name, plan.Summarise(ready.Plan).Counts.Steps, time.Since(began).Seconds())
	return nil
}

// nothing says that there is nothing to do or, where something is left for later, nothing before that.
func (s *Session) nothing(r *Run) {
	switch {
	case len(r.left) > 0:
		s.front.Note("nothing to do on %s before what is left for later", s.cluster.Name)
	case r.inChecks().ChangesVersion():
		s.front.Note("nothing to do: %s has Kubernetes %s already", s.cluster.Name, s.cluster.KubernetesVersion)
	case r.already != "" && s.mayBeSkipped(r):
		s.front.Note("nothing to do: every host is %s, or skipped since its drain would not end", r.already)
	case r.already != "" && len(r.Hosts) > 0:
		s.front.Note("nothing to do: %s: %s", r.already, strings.Join(r.Hosts, ", "))
	case r.already != "":
		s.front.Note("nothing to do: %s", r.already)
	default:
		s.front.Note("nothing to do: %s is as the cluster file says", s.cluster.Name)
	}
}

// mayBeSkipped tells whether a host of a drain may have been left out, because its drain would not end.
func (s *Session) mayBeSkipped(r *Run) bool {
	_, onBlocked := s.drainOptions(r.Drain, r.Force)
	return r.forecast != nil && onBlocked == cluster.OnBlockedSkip
}

// warn says what a plan warns of, where the plan itself is not shown.
func (s *Session) warn(p plan.Plan) {
	for _, warning := range p.Warnings {
		s.front.Note("warning: %s", warning)
	}
}

// agreed shows the plan and asks; it gives ErrDeclined where the answer is no.
func (s *Session) agreed(ctx context.Context, r *Run, ready Prepared) error {
	if ready.Forecast != nil {
		if err := s.front.Forecast(*ready.Forecast); err != nil {
			return err
		}
	}
	if err := s.front.Plan(ready); err != nil || r.Yes {
		return err
	}
	yes, err := s.front.Ask(ctx, strings.TrimPrefix(ready.Plan.Versions+"\nApply this plan?", "\n"))
	if err == nil && !yes {
		return ErrDeclined
	}
	return err
}

// verified looks whether all is done, and notes what was seen for the next command.
func (s *Session) verified(ctx context.Context, r *Run) (err error) {
	defer s.span(StageVerify)(&err)
	verify := r.verify
	if verify == nil {
		verify = func(ctx context.Context, s *Session, r *Run) error { return s.planAgain(ctx, r) }
	}
	r.verified = true
	if err := verify(ctx, s, r); err != nil {
		return err
	}
	if err := s.noteSeen(); err != nil { // all is done: it costs the next join some logins
		s.front.Note("warning: %v", err)
	}
	return nil
}

// freshness plans once more when nobody else can change anything: a question gave somebody
// the time to. Where the hosts were leased before they were looked at there is no need.
func (s *Session) freshness(r *Run, shown Prepared) func(context.Context) error {
	if s.held() {
		return nil
	}
	return func(ctx context.Context) error {
		if err := s.lookAgain(ctx, r); err != nil {
			return err
		}
		again, err := s.planned(r)
		if err != nil {
			return err
		}
		if !sameSteps(again.Plan, shown.Plan) {
			return ErrStale
		}
		return nil
	}
}
