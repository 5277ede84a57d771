package engine

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// witnessTime bounds how long a failed step waits for the hosts to say why.
const witnessTime = 10 * time.Second

// explain asks the hosts why a wait failed, and adds what they show to the failure.
func (r *run) explain(step plan.Step, failure *StepError) {
	names := r.witnesses(step)
	if len(names) == 0 {
		return
	}
	seen := r.testimony(names)
	for _, name := range names {
		evidence := seen[name]
		for _, one := range evidence {
			if len(names) > 1 {
				one.Source = name + ": " + one.Source
			}
			failure.Evidence = append(failure.Evidence, one)
		}
		if failure.Cause != nil {
			continue
		}
		if cause, known := Diagnose(name, evidence); known {
			failure.Cause, failure.Fix = &cause, cause.Fix
		}
	}
}

// witnesses lists the hosts that may show why a step failed: where the thing that was
// waited for runs, else all that are connected.
func (r *run) witnesses(step plan.Step) []string {
	var wanted string
	switch action := step.Cluster.(type) {
	case plan.WaitAPI:
		wanted = action.Host
	case plan.WaitNode:
		wanted = action.Node
	case plan.WaitAvailable:
	default:
		if _, unit := step.Action.(hosts.SetUnit); !unit {
			return nil
		}
		wanted = step.Host
	}
	if _, connected := r.options.Hosts[wanted]; connected {
		return []string{wanted}
	}
	return slices.Sorted(maps.Keys(r.options.Hosts))
}

// testimony observes hosts at once; one that does not answer says nothing.
func (r *run) testimony(names []string) map[string][]hosts.Evidence {
	ctx, cancel := context.WithTimeout(r.ctx, witnessTime)
	defer cancel()
	var mu sync.Mutex
	var group sync.WaitGroup
	seen := map[string][]hosts.Evidence{}
	for _, name := range names {
		group.Go(func() {
			facts, err := r.options.Hosts[name].Observe(ctx, hosts.Query{Evidence: true})
			if err != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			seen[name] = facts.Evidence
		})
	}
	group.Wait()
	return seen
}
