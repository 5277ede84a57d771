package engine_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/slipway-k8s/slipway/phases/engine"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// TestEveryPlanComesToAnEnd applies made-up plans with made-up failures, and holds what
// was told against the plan.
func TestEveryPlanComesToAnEnd(t *testing.T) {
	for seed := range uint64(200) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			act(t, func(t *testing.T, s *stage) {
				random := rand.New(rand.NewPCG(seed, 7))
				s.auto = true
				steps := madeUp(random, s)
				s.begin(t.Context(), steps...)
				err := s.result()
				check(t, s, steps, err)
			})
		})
	}
}

func madeUp(random *rand.Rand, s *stage) []plan.Step {
	var steps []plan.Step
	for i := range 5 + random.IntN(40) {
		id := fmt.Sprintf("%c/%d", 'a'+rune(random.IntN(4)), i)
		var after []plan.Dependency
		for range random.IntN(3) {
			if i == 0 {
				break
			}
			var on []string
			for range 1 + random.IntN(3) {
				on = append(on, steps[random.IntN(i)].ID)
			}
			after = append(after, plan.Dependency{Steps: on, Any: random.IntN(2) == 0})
		}
		lane := []string{work, images}[random.IntN(2)]
		if random.IntN(3) == 0 {
			ref := s.put(fmt.Sprint("blob-", random.IntN(10)), []int64{1, mega}[random.IntN(2)])
			steps = append(steps, write(id, lane, ref, after...))
		} else {
			steps = append(steps, step(id, lane, after...))
		}
		if random.IntN(12) == 0 {
			s.fail[id] = errBroken
		}
	}
	return steps
}

func check(t *testing.T, s *stage, steps []plan.Step, err error) {
	t.Helper()
	ends := map[string]plan.EventType{}
	order := map[string]int{}
	for at, event := range s.events {
		switch event.Type {
		case plan.EventStepStarted:
			order[event.Step] = at
		case plan.EventStepFinished, plan.EventStepFailed, plan.EventStepSkipped, plan.EventStepCanceled:
			if ends[event.Step] != "" {
				t.Errorf("%s ended twice", event.Step)
			}
			ends[event.Step] = event.Type
			order["end of "+event.Step] = at
		}
	}
	last := map[string]string{}
	for _, one := range steps {
		needs := slices.Clone(one.After)
		lane := one.Host + "/" + one.Lane
		if previous := last[lane]; previous != "" {
			needs = append(needs, plan.All(previous))
		}
		last[lane] = one.ID
		wanted := plan.EventStepFinished
		for _, need := range needs {
			fulfilled := 0
			for _, id := range need.Steps {
				if ends[id] == plan.EventStepFinished && (ends[one.ID] == plan.EventStepSkipped || order["end of "+id] < order[one.ID]) {
					fulfilled++
				}
			}
			if fulfilled < len(need.Steps) && !need.Any || fulfilled == 0 {
				wanted = plan.EventStepSkipped
			}
		}
		if wanted == plan.EventStepFinished && s.fail[one.ID] != nil {
			wanted = plan.EventStepFailed
		}
		if ends[one.ID] != wanted {
			t.Errorf("%s ended as %q, should be %q", one.ID, ends[one.ID], wanted)
		}
	}
	var run *engine.RunError
	if failed := slices.Contains(slices.Collect(maps.Values(ends)), plan.EventStepFailed); failed != errors.As(err, &run) {
		t.Errorf("failed steps: %v, but the run's error is %v", failed, err)
	}
}
