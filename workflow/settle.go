package workflow

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// After a run an API server may just then be started anew, by its kubelet or by another: what is
// left to do in the cluster alone, and not on any host, is looked at this often, so far apart. Looks at
// which no API server answers do not count: that one has as long as a component has for its start.
const (
	settleLooks = 10
	settlePause = 3 * time.Second
)

// agreeLooks is how often it is looked whether one host alone has the virtual address: keepalived's adverts go
// out each second, so those that hear each other have agreed by then.
const agreeLooks = 3

// tellSilence is from when on it is told that an API server is waited for: its kubelet starts it anew in less.
const tellSilence = 20 * time.Second

// planAgain observes and plans again: after a run nothing may be left to do.
func (s *Session) planAgain(ctx context.Context, r *Run) error {
	most := time.Duration(s.cluster.Timeouts.ControlPlaneComponentHealthCheck)
	told := false
	return settled(ctx, most, func(silent time.Duration) (glance, error) {
		if err := s.look(ctx, r); err != nil {
			return glance{}, err
		}
		if err := s.askWorkloads(ctx, r); err != nil {
			return glance{}, err
		}
		if !s.live.Reachable && !told && silent > tellSilence {
			told = true
			s.front.Note("every step was done, and now no API server answers: it is waited for, %s at most (timeouts.controlPlaneComponentHealthCheck)", plan.Spent(most))
		}
		return s.glance(r, silent), nil
	})
}

// glance is what a look after a run has found.
type glance struct {
	answers bool  // an API server does
	left    error // what is left to do, or is wrong; nil: all is as it should be
	looks   int   // at how many looks it may still be so; at none, if it does not pass by itself
}

// glance tells what is left to do, by what the session has just looked at.
func (s *Session) glance(r *Run, silent time.Duration) glance {
	again, err := s.planned(r)
	found := glance{answers: s.live.Reachable, left: err}
	switch {
	case err != nil && s.live.Reachable:
	case err != nil: // it may be for want of an API server
		found.looks = settleLooks
	case again.Plan.Empty():
		found.left, found.looks = s.sharedAddress(), agreeLooks
	case !phases.MaySettle(again.Plan):
		found.left = leftOver(again.Plan)
	case !s.live.Reachable:
		found.left, found.looks = s.ceased(silent), settleLooks
	default:
		found.left, found.looks = leftOver(again.Plan), settleLooks
	}
	return found
}

func leftOver(p plan.Plan) error {
	return fmt.Errorf("every step was done, and yet not all is as it should be:\n%s", plan.Text(p))
}

// settled looks until nothing is left, or what is left does not pass by itself. silent is how long no API server
// has answered, which may be for as long as most.
func settled(ctx context.Context, most time.Duration, look func(silent time.Duration) (glance, error)) error {
	for looks, answered := 0, time.Now(); ; {
		found, err := look(time.Since(answered))
		if err != nil {
			return err
		}
		silent := !found.answers && found.looks > 0 && time.Since(answered) < most
		if found.answers {
			looks, answered = looks+1, time.Now()
		}
		if found.left == nil || !silent && (!found.answers || looks >= found.looks) {
			return found.left
		}
		if err := hosts.Pause(ctx, settlePause); err != nil {
			return err
		}
	}
}

// ceased is that no API server answers any more, though all was done.
func (s *Session) ceased(silent time.Duration) error {
	return &hosts.Error{
		Kind: hosts.KindUnreachable, Op: "look at the cluster once more",
		Err: fmt.Errorf("every step was done, and then no API server answered for %s: %s", plan.Spent(silent), s.live.Cause),
		Fix: "see what is not well: slipway status; then run the same command again: it goes on from there",
	}
}

// sharedAddress is the virtual address being on several hosts at once: clients reach now one and now another.
func (s *Session) sharedAddress() error {
	holders := s.holders()
	if len(holders) < 2 {
		return nil
	}
	return &hosts.Error{
		Kind: hosts.KindBroken, Op: "give the virtual address " + s.cluster.VirtualAddress() + " to one host",
		Err: fmt.Errorf("%s have it at the same time: keepalived's adverts (VRRP, IP protocol 112) do not pass between them", strings.Join(holders, ", ")),
		Fix: "let IP protocol 112 pass between these hosts, in their packet filters and in what filters between them; slipway status shows who has the address",
	}
}
