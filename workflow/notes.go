package workflow

import (
	"slices"

	"github.com/slipway-k8s/slipway/phases"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// noteBegun notes in the state folder that a host's member of etcd was let begin, before it
// does: the engine starts what waits for a step when its end has been told.
func (s *Session) noteBegun(p plan.Plan, event plan.Event) {
	if event.Type != plan.EventStepFinished || s.folder() == nil {
		return
	}
	at := slices.IndexFunc(p.Steps, func(step plan.Step) bool { return step.ID == event.Step })
	if at < 0 || !phases.LetsBegin(p.Steps[at]) {
		return
	}
	if err := s.folder().MarkBegun(event.Host); err != nil { // the host itself has noted it
		s.front.Note("warning: %v", err)
	}
}

// noteSeen notes for the next join which hosts it need not look at, and for every init on
// which hosts etcd has begun.
func (s *Session) noteSeen() error {
	if s.folder() == nil {
		return nil
	}
	in, err := s.input()
	if err != nil {
		return err
	}
	joined := phases.Joined(in)
	if len(joined) > 0 && in.ClusterFacts.Reachable {
		if err := s.folder().DropKept(); err != nil {
			return err
		}
	}
	for _, h := range joined {
		if err := s.folder().MarkJoined(h.Name); err != nil {
			return err
		}
	}
	for _, h := range phases.Begun(in) {
		if err := s.folder().MarkBegun(h.Name); err != nil {
			return err
		}
	}
	return nil
}
