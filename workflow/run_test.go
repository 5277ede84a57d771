package workflow

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// onePlanned is an init that makes a folder on cp-1, and whose hosts are connected.
func onePlanned() *Run {
	r := connected(run(Init))
	r.plan = func(*Session, phases.Input) (plan.Plan, plan.Contents, error) { return onePlan(), nil, nil }
	r.verify = func(context.Context, *Session, *Run) error { return nil }
	return r
}

// TestTheLastLookComesAfterTheChange, and its refusal is told so.
func TestTheLastLookComesAfterTheChange(t *testing.T) {
	s := scene{kept: "try/A", records: all("try/A")}.session(t)
	r := onePlanned()
	r.Yes = true
	r.verify = func(context.Context, *Session, *Run) error { return &checks.Refused{} }
	err := s.Run(t.Context(), r)
	if changed, late := errors.AsType[*ChangedError](err); !late || changed.Error() != "verify: "+(&checks.Refused{}).Error() {
		t.Errorf("it ends with %v", err)
	}
}

// TestWhoIsAskedDecides: with a no nothing is changed; with --yes there is no question.
func TestWhoIsAskedDecides(t *testing.T) {
	for name, test := range map[string]struct {
		request Request
		answer  bool
		done    bool
		asked   []string
	}{
		"yes":   {answer: true, done: true, asked: []string{"Apply this plan?"}},
		"no":    {asked: []string{"Apply this plan?"}},
		"--yes": {request: Request{Yes: true}, done: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := scene{kept: "try/A", records: all("try/A")}.session(t)
			front := &fake{answer: test.answer}
			s.front = front
			r := onePlanned()
			r.Request = test.request
			err := s.Run(t.Context(), r)
			if !slices.Equal(front.asked, test.asked) {
				t.Errorf("asked is %q", front.asked)
			}
			facts, look := s.hosts["cp-1"].Observe(t.Context(), hosts.Query{Paths: []string{"/opt/x"}})
			if look != nil {
				t.Fatal(look)
			}
			if _, made := facts.Files["/opt/x"]; made != test.done || (err == nil) != test.done || !test.done && !errors.Is(err, ErrDeclined) {
				t.Errorf("it was done: %v; error: %v", made, err)
			}
		})
	}
}

// TestWhatIsMoreThanOnePlanIsNotRunAsOne: the plan of ha test stops every control plane.
func TestWhatIsMoreThanOnePlanIsNotRunAsOne(t *testing.T) {
	s := scene{kept: "try/A", records: all("try/A")}.session(t)
	front := &fake{answer: true}
	s.front = front
	r, err := New(HATest, Request{Yes: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context(), r); err == nil || !strings.Contains(err.Error(), "carried out by Session.HATest") {
		t.Errorf("it ends with %v", err)
	}
	if len(front.events) > 0 {
		t.Errorf("something was begun: %v", front.events)
	}
}
