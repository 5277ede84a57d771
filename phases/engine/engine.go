// Package engine applies a plan: it takes the hosts' lease, brings content to the hosts,
// runs every step as soon as what it waits for is done, and tells what happened.
//
// It is the only caller of hosts.Host.Do. It decides nothing: the plan says what is done,
// where, and after what.
package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/slipway-k8s/slipway/phases/plan"
)

// Apply carries the plan out. The error is nil, or a *NotBegun where it came to no step, or a
// *RunError that says what failed, what was skipped for it and what was never begun.
func Apply(ctx context.Context, p plan.Plan, options Options) error {
	options = options.withDefaults()
	if err := errors.Join(plan.Validate(p), options.check(p)); err != nil {
		return &NotBegun{fmt.Errorf("apply the plan: %w", err)}
	}
	digest := plan.Digest(p)
	record := newRecorder(options, digest)
	began := options.Now()
	record.runStarted(p)
	err := apply(ctx, p, digest, options, record)
	record.runFinished(p, options.Now().Sub(began), err)
	if failure := record.failure(); failure != nil {
		err = errors.Join(err, fmt.Errorf("write the run's journal: %w", failure))
	}
	return err
}

func apply(ctx context.Context, p plan.Plan, digest string, options Options, record *recorder) error {
	if p.Empty() {
		return nil
	}
	release, err := takeLease(ctx, leased(p, options), digest, options)
	if err != nil {
		return &NotBegun{err}
	}
	if !options.Held {
		defer release()
	}
	if options.Leased != nil {
		if err := options.Leased(ctx); err != nil {
			return &NotBegun{err}
		}
	}
	run := newRun(ctx, p, options, record)
	run.loop()
	return run.result()
}

// leased lists, sorted, the hosts that a run takes.
func leased(p plan.Plan, options Options) []string {
	names := map[string]bool{}
	for _, step := range p.Steps {
		if step.Host != "" {
			names[step.Host] = true
		}
	}
	for _, name := range options.Lease {
		if _, connected := options.Hosts[name]; connected {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}
