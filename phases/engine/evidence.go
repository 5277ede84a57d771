package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// evidenceTime bounds how long a failed step waits for the hosts to say why: longer than a
// host takes to tell what of it does not answer, which may be slow.
const evidenceTime = 45 * time.Second

// lookInterval is between two looks at what a wait goes by.
const lookInterval = 12 * time.Second

// askOnce tells what a host showed within half of the time between two questions of one wait, or twice the
// time that it took to tell, and asks it where nobody has since: a slow host has other things to do.
func (r *run) askOnce(ctx context.Context, name string) (checks.Shown, error) {
	last := r.evidence[name]
	select {
	case <-ctx.Done():
		return checks.Shown{}, ctx.Err()
	case last.asking <- struct{}{}:
		defer func() { <-last.asking }()
	}
	if time.Since(last.at) < max(lookInterval/2, 2*last.took) {
		return last.shown, nil
	}
	began := time.Now()
	shown, err := r.ask(ctx, name)
	if err == nil {
		last.at, last.took, last.shown = time.Now(), time.Since(began), shown
	}
	return shown, err
}

// ask has a host gather what it shows.
func (r *run) ask(ctx context.Context, name string) (checks.Shown, error) {
	facts, err := r.options.Hosts[name].Observe(ctx, hosts.Query{Evidence: true, APIPort: r.options.APIPort})
	for _, one := range facts.Unanswered {
		facts.Evidence = append(facts.Evidence, hosts.Evidence{Source: hosts.SourceHost, Lines: []string{one.String()}})
	}
	return checks.Shown{Evidence: facts.Evidence, Signs: facts.Signs}, err
}

// diagnoseAll finds the first host, in the order given, that shows a known cause.
func diagnoseAll(step plan.Step, names []string, seen map[string]checks.Shown) (checks.Finding, bool) {
	for _, name := range names {
		if cause, known := checks.DiagnoseFor(step, name, seen[name].Evidence); known {
			return cause, true
		}
	}
	return checks.Finding{}, false
}

// explain asks the hosts why a wait failed, and adds what they show to the failure.
func (r *run) explain(step plan.Step, failure *StepError) {
	names := r.concerned(step)
	if len(names) == 0 {
		return
	}
	seen := r.shownOf(r.heeds(step), step, names, r.ask)
	for _, name := range names {
		for _, one := range seen[name].Evidence {
			if len(names) > 1 {
				one.Source = name + ": " + one.Source
			}
			failure.Evidence = append(failure.Evidence, one)
		}
	}
	if cause, known := diagnoseAll(step, names, seen); known {
		failure.Cause, failure.Fix = &cause, cause.Fix
	}
}

// concerned lists the hosts that may show why a step failed: where the thing that was
// waited for runs, else all that are connected.
func (r *run) concerned(step plan.Step) []string {
	var wanted string
	switch action := step.Cluster.(type) {
	case plan.WaitAPI:
		wanted = action.Host
	case plan.WaitPods:
		wanted = action.Host
	case plan.WaitNode:
		wanted = action.Node
	case plan.MemberPromote:
		wanted = action.Name
	case plan.WaitAvailable, plan.WaitEndpoint: // any host may be to blame
	default:
		switch step.Action.(type) {
		case hosts.SetUnit, hosts.StopUnits:
			wanted = step.Host
		default:
			return nil
		}
	}
	if _, connected := r.options.Hosts[wanted]; connected {
		return []string{wanted}
	}
	return slices.Sorted(maps.Keys(r.options.Hosts))
}

// shownOf asks hosts at once for what concerns a step. That one does not answer is told too.
func (r *run) shownOf(ctx context.Context, step plan.Step, names []string,
	ask func(context.Context, string) (checks.Shown, error),
) map[string]checks.Shown {
	within, cancel := context.WithTimeout(ctx, evidenceTime)
	defer cancel()
	concerned := checks.Concerns(step)
	var mu sync.Mutex
	var group sync.WaitGroup
	all := map[string]checks.Shown{}
	for _, name := range names {
		group.Go(func() {
			shown, err := ask(within, name)
			if err != nil && (ctx.Err() != nil || within.Err() == nil) {
				return
			}
			if err != nil {
				silence := hosts.Evidence{Source: hosts.SourceHost, Lines: []string{fmt.Sprintf("no answer within %s", evidenceTime)}}
				shown = checks.Shown{Evidence: []hosts.Evidence{silence}, Silent: true}
			}
			kept := checks.Shown{Signs: shown.Signs, Silent: shown.Silent}
			for _, one := range shown.Evidence {
				if concerned(one.Source) {
					kept.Evidence = append(kept.Evidence, one)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			all[name] = kept
		})
	}
	group.Wait()
	return all
}
