package workflow

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/phases"
	"github.com/slipway-k8s/slipway/phases/engine/api"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// TestPromisesAreAskedForAtTheEnd: under the lease, when all is done; a broken one says that it is done, what
// proves that it is broken, and what to do.
func TestPromisesAreAskedForAtTheEnd(t *testing.T) {
	broken := api.SmokeResult{
		Promise: "Service by name", Outcome: api.SmokeBroken, Object: "Pod x/web", Node: "worker-1", Cause: "no answer", Evidence: []string{"Pod web says: bad address"},
	}
	for name, test := range map[string]struct {
		request Request
		left    []string
		err     error
		asked   bool
		says    []string
	}{
		"all kept":          {asked: true},
		"one broken":        {asked: true, err: &api.SmokeError{Broken: []api.SmokeResult{broken}, Of: 20}, says: []string{"init is done, and every host is as it should be", "1 of 20 promises are broken", "Service by name: Pod x/web on worker-1: no answer (Pod web says: bad address)", "slipway smoke -f my.yaml"}},
		"no answer":         {asked: true, err: errors.New("connection refused"), says: []string{"init is done", "the cluster could not be asked for its promises: connection refused"}},
		"a part is left":    {asked: true, left: []string{"worker-1"}, err: &api.SmokeError{Broken: []api.SmokeResult{broken}, Of: 20}, says: []string{"done as far as it was asked for"}},
		"planes are left":   {left: []string{"cp-3", "worker-1"}},
		"--skip-smoke":      {request: Request{SkipSmoke: true}},
		"what fails before": {},
	} {
		t.Run(name, func(t *testing.T) {
			s := scene{kept: "try/A", records: all("try/A")}.session(t)
			s.File = "my.yaml"
			r := onePlanned()
			r.Request = test.request
			r.Yes = true
			asked := false
			r.smoke = func(_ context.Context, s *Session, tell func(api.SmokeResult)) (SmokeReport, error) {
				asked = true
				if !s.held() {
					t.Error("the hosts are not leased")
				}
				tell(broken)
				return SmokeReport{Promises: []api.SmokeResult{broken}}, test.err
			}
			failed := errors.New("it failed")
			r.after = func(_ *Session, r *Run, err error) error {
				r.left = test.left
				if name == "what fails before" {
					return failed
				}
				return err
			}
			err := s.Run(t.Context(), r)
			if asked != test.asked || s.held() {
				t.Errorf("asked: %v; the lease is held at the end: %v", asked, s.held())
			}
			if told := len(s.front.(*fake).promises); asked && told != 1 {
				t.Errorf("%d promises are told", told)
			}
			if name == "what fails before" {
				if err != failed {
					t.Errorf("it ends with %v", err)
				}
				return
			}
			if _, late := errors.AsType[*ChangedError](err); late != (test.err != nil) || !late && err != nil {
				t.Fatalf("it ends with %v", err)
			}
			for _, text := range test.says {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("it does not say %q: %v", text, err)
				}
			}
		})
	}
}

// TestPromisesAreAskedForWhereNothingWasToDo: an upgrade that was done, and then failed for a broken promise,
// fails for it again.
func TestPromisesAreAskedForWhereNothingWasToDo(t *testing.T) {
	s := scene{kept: "try/A", records: all("try/A")}.session(t)
	r := onePlanned()
	r.Yes = true
	r.plan = func(*Session, phases.Input) (plan.Plan, plan.Contents, error) { return plan.Plan{}, nil, nil }
	r.smoke = func(context.Context, *Session, func(api.SmokeResult)) (SmokeReport, error) {
		return SmokeReport{}, &api.SmokeError{Of: 20}
	}
	err := s.Run(t.Context(), r)
	if err == nil || !strings.Contains(err.Error(), "init had nothing to do; but ") {
		t.Errorf("it ends with %v", err)
	}
	if _, late := errors.AsType[*ChangedError](err); late {
		t.Error("it says that hosts were changed")
	}
}

// TestABrokenPromiseAfterAnUpgradeTellsTheWayBack, and after the way back it does not.
func TestABrokenPromiseAfterAnUpgradeTellsTheWayBack(t *testing.T) {
	s := scene{}.session(t)
	for _, w := range []Workflow{UpgradeApply, UpgradeRollback} {
		err := s.notSmoked(&Run{Workflow: w}, &api.SmokeError{Of: 1})
		if back := strings.Contains(err.Error(), "slipway upgrade rollback"); back != (w.Name == UpgradeApply.Name) {
			t.Errorf("%s: %v", w.Name, err)
		}
		if w.smoke == nil {
			t.Errorf("%s does not ask for promises", w.Name)
		}
	}
}
