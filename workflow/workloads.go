package workflow

import "context"

// askWorkloads looks at what runs, and asks whether it may go, where the plan is made by a forecast.
func (s *Session) askWorkloads(ctx context.Context, r *Run) (err error) {
	s.workloads, s.willDrain = nil, nil
	if r.forecast == nil || !s.live.Reachable {
		return nil
	}
	if r.drains != nil {
		in, err := s.inputOf(r)
		if err != nil {
			return err
		}
		if s.willDrain = r.drains(in); len(s.willDrain) == 0 {
			return nil // what runs is left where it is
		}
	}
	at, end := s.stage(StageWorkloads, "", "looking at what runs")
	defer func() { end(err) }()
	state, err := s.api.Workloads(ctx)
	if err != nil {
		return err
	}
	s.workloads = &state
	in, err := s.inputOf(r)
	if err != nil {
		return err
	}
	first, err := r.forecast(in)
	if err != nil {
		return nil // it is told with the plan
	}
	at("asking whether its Pods may go")
	state.Refused, err = s.api.AskEvictions(ctx, first.Asked())
	return err
}
