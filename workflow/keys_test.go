package workflow

import (
	"errors"
	"testing"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/engine"
)

// TestKeysOfARunThatHasBegunStay: whatever ends a run after its first step, the keys that it
// made are those of hosts that live.
func TestKeysOfARunThatHasBegunStay(t *testing.T) {
	lease := &hosts.Error{Kind: hosts.KindLease, Host: "cp-1", Op: "write /etc/x", Err: hosts.LeaseHolder{Holder: "lee@lab"}}
	for name, test := range map[string]struct {
		err  error
		gone bool
	}{
		"the lease was not taken":         {&engine.NotBegun{Err: &engine.NotLeased{Host: "cp-1", Err: lease}}, true},
		"the plan is stale":               {&engine.NotBegun{Err: ErrStale}, true},
		"a step failed":                   {&engine.RunError{Failed: []*engine.StepError{{Err: errors.New("no space")}}}, false},
		"a step missed the lease":         {&engine.RunError{Failed: []*engine.StepError{{Err: lease}}}, false},
		"a host missed the lease midway":  {lease, false},
		"one of many errors is the lease": {errors.Join(errors.New("x"), lease), false},
	} {
		t.Run(name, func(t *testing.T) {
			s := scene{}.session(t)
			s.mintKeys(t)
			if err := s.keys.save("try"); err != nil {
				t.Fatal(err)
			}
			if err := s.keys.forgetUnused(test.err); err != nil {
				t.Fatal(err)
			}
			states, err := openStates()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := states.Load("try"); (err != nil) != test.gone {
				t.Errorf("the keys are gone: %v, want %v", err != nil, test.gone)
			}
		})
	}
}

// mintKeys gives a session the keys of a new cluster; no folder has them.
func (s *Session) mintKeys(t *testing.T) {
	t.Helper()
	minted, err := newCluster(s.cluster)
	if err != nil {
		t.Fatal(err)
	}
	s.keys = minted
}
