package engine_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/phases/engine"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// TestEveryPlanComesToAnEnd applies made-up plans with made-up failures, every third of them
// interrupted, and holds what was told against the plan.
func TestEveryPlanComesToAnEnd(t *testing.T) {
	for seed := range uint64(400) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			act(t, func(t *testing.T, s *stage) {
				random := rand.New(rand.NewPCG(seed, 7))
				ctx, interrupt := context.WithCancel(t.Context())
				s.auto, s.cancel = true, interrupt
				steps := madeUp(random, s)
				if random.IntN(3) == 0 {
					s.breaks = steps[random.IntN(len(steps))].ID
				}
				s.begin(ctx, steps...)
				err := s.result()
				check(t, s, steps, err)
			})
		})
	}
}

func madeUp(random *rand.Rand, s *stage) []plan.Step {
	var steps, rescues []plan.Step
	for i := range 5 + random.IntN(40) {
		id := fmt.Sprintf("%c/%d", 'a'+rune(random.IntN(4)), i)
		lane := []string{work, images}[random.IntN(2)]
		one := step(id, lane, someOf(random, steps)...)
		if random.IntN(3) == 0 {
			ref := s.put(fmt.Sprint("blob-", random.IntN(10)), []int64{1, mega}[random.IntN(2)])
			one = write(id, lane, ref, one.After...)
		}
		if random.IntN(12) == 0 {
			s.fail[id] = errBroken
		}
		if random.IntN(4) == 0 && len(steps) > 0 {
			one.After, one.Rescues = someOf(random, rescues), idsOf(random, steps)
			rescues = append(rescues, one)
		} else {
			steps = append(steps, one)
		}
	}
	return append(steps, rescues...)
}

// someOf makes up what a step waits for.
func someOf(random *rand.Rand, steps []plan.Step) []plan.Dependency {
	var after []plan.Dependency
	for range random.IntN(3) {
		if len(steps) > 0 {
			after = append(after, plan.Dependency{Steps: idsOf(random, steps), Any: random.IntN(2) == 0})
		}
	}
	return after
}

func idsOf(random *rand.Rand, steps []plan.Step) []string {
	var ids []string
	for range 1 + random.IntN(3) {
		ids = append(ids, steps[random.IntN(len(steps))].ID)
	}
	return slices.Compact(slices.Sorted(slices.Values(ids)))
}

// cutOff is how a step ends that had begun when the run was interrupted.
const cutOff plan.EventType = "cut off"

func check(t *testing.T, s *stage, steps []plan.Step, err error) {
	t.Helper()
	ends := map[string]plan.EventType{}
	order := map[string]int{}
	for at, event := range s.events {
		switch event.Type {
		case plan.EventStepStarted:
			order[event.Step] = at
		case plan.EventStepFinished, plan.EventStepFailed, plan.EventStepSkipped, plan.EventStepCanceled, plan.EventStepNotNeeded:
			if ends[event.Step] != "" {
				t.Errorf("%s ended twice", event.Step)
			}
			ends[event.Step] = event.Type
			if _, begun := order[event.Step]; begun && event.Type == plan.EventStepCanceled {
				ends[event.Step] = cutOff
			}
			order["end of "+event.Step] = at
		}
	}
	last := map[string]string{}
	for _, one := range steps {
		needs := slices.Clone(one.After)
		lane := strings.Join(append([]string{one.Host, one.Lane}, one.Rescues...), " ")
		if previous := last[lane]; previous != "" {
			needs = append(needs, plan.All(previous))
		}
		last[lane] = one.ID
		wanted := plan.EventStepFinished
		for _, need := range needs {
			fulfilled := 0
			for _, id := range need.Steps {
				well := ends[id] == plan.EventStepFinished || ends[id] == plan.EventStepNotNeeded
				if well && (ends[one.ID] == plan.EventStepSkipped || order["end of "+id] < order[one.ID]) {
					fulfilled++
				}
			}
			if fulfilled < len(need.Steps) && !need.Any || fulfilled == 0 {
				wanted = plan.EventStepSkipped
			}
		}
		switch {
		case one.IsRescue() && !halfDone(one.Rescues, ends):
			wanted = plan.EventStepNotNeeded
		case wanted == plan.EventStepFinished && s.fail[one.ID] != nil:
			wanted = plan.EventStepFailed
		}
		if interrupted := errors.Is(err, engine.ErrInterrupted); interrupted && !one.IsRescue() && (ends[one.ID] == plan.EventStepCanceled || ends[one.ID] == cutOff) {
			wanted = ends[one.ID]
		}
		if ends[one.ID] != wanted {
			t.Errorf("%s ended as %q, should be %q", one.ID, ends[one.ID], wanted)
		}
		for _, id := range one.Rescues {
			if began, ran := order[one.ID]; ran && order["end of "+id] > began {
				t.Errorf("%s began before %s had ended, which it rescues", one.ID, id)
			}
		}
	}
	var run *engine.RunError
	whole := !slices.ContainsFunc(slices.Collect(maps.Values(ends)), func(end plan.EventType) bool {
		return end != plan.EventStepFinished && end != plan.EventStepNotNeeded
	})
	if whole == errors.As(err, &run) {
		t.Errorf("all is done: %v, but the run's error is %v", whole, err)
	}
}

// halfDone tells whether something of these has begun and not all of it is done.
func halfDone(ids []string, ends map[string]plan.EventType) bool {
	begun, whole := false, true
	for _, id := range ids {
		begun = begun || ends[id] == plan.EventStepFinished || ends[id] == plan.EventStepFailed || ends[id] == cutOff
		whole = whole && ends[id] == plan.EventStepFinished
	}
	return begun && !whole
}
