// Package engine applies a plan: it takes the hosts' lease, brings content to the hosts,
// runs every step as soon as what it waits for is done, and tells what happened.
//
// Of what changes a host it is the only caller of hosts.Host.Do. It decides nothing: the plan says what is done,
// where, and after what.
package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
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

// releaseTime bounds how long a run waits for hosts to free the lease: whatever does not
// answer frees it when its connection ends.
const releaseTime = 5 * time.Second

// Hold takes the lease of all connected hosts for several plans that belong together, with
// nobody in between, or before the first look. The plans are applied with Options.Held;
// release gives it back. Hosts that are held already stay so.
func Hold(ctx context.Context, options Options) (release func(), err error) {
	return takeLease(ctx, slices.Sorted(maps.Keys(options.Hosts)), "", options)
}

// takeLease takes the hosts in the order given, all or none, and answers what gives
// them back. One order for every operator, so that of two one gets all.
func takeLease(ctx context.Context, names []string, digest string, options Options) (release func(), err error) {
	var taken []string
	release = func() { releaseLease(ctx, taken, options) }
	for _, name := range names {
		if err := takeOne(ctx, name, digest, options); err != nil {
			release()
			return nil, leaseError(name, err)
		}
		taken = append(taken, name)
	}
	return release, nil
}

// takeOne asks one host, and has it told that this one is waited for.
func takeOne(ctx context.Context, name, digest string, options Options) error {
	if options.Waits != nil {
		defer options.Waits(name, "taking the lease")()
	}
	_, err := options.Hosts[name].Do(ctx, hosts.TakeLease{Holder: options.Holder, Plan: digest}, nil)
	return err
}

// releaseLease frees the hosts at once. It does so after an interrupt as well, and a host
// that fails to has lost its connection, which frees it too.
func releaseLease(ctx context.Context, names []string, options Options) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
	defer cancel()
	var group sync.WaitGroup
	for _, name := range names {
		group.Go(func() { _, _ = options.Hosts[name].Do(ctx, hosts.ReleaseLease{}, nil) })
	}
	group.Wait()
}

// leaseError names the host and, where another operator has it, who that is.
func leaseError(name string, err error) error {
	var known *hosts.Error
	if !errors.As(err, &known) || known.Kind != hosts.KindLease {
		if errors.Is(err, context.Canceled) {
			return fmt.Errorf("take the lease on %s: %w: %w", name, ErrInterrupted, err)
		}
		return fmt.Errorf("take the lease on %s: %w", name, err)
	}
	cause := known.Err
	var holder hosts.LeaseHolder
	if errors.As(err, &holder) {
		cause = holder
	}
	return &NotLeased{Host: name, Err: &hosts.Error{
		Kind: hosts.KindLease, Host: name, Op: "take the lease", Err: cause,
		Fix: "wait until the other run has ended; one that is gone frees the host within 15 s, or when the action that it was in is done",
	}}
}
