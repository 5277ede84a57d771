package workflow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases"
)

// look observes the hosts, finds or mints the keys, and observes the cluster; it observes hosts
// once more where the cluster tells that they have changed since.
func (s *Session) look(ctx context.Context, r *Run) error {
	if err := s.lookOnce(ctx, r); err != nil {
		return err
	}
	return s.lookAtBegun(ctx, r)
}

// lookAtBegun observes the hosts again where etcd, which was asked later, knows a member that by
// what was seen of its host has not begun: an init that was killed has let it, a moment before.
func (s *Session) lookAtBegun(ctx context.Context, r *Run) error {
	in, err := s.input()
	if err != nil || len(phases.BegunMeanwhile(in)) == 0 {
		return err
	}
	return s.observeHosts(ctx, r)
}

func (s *Session) lookOnce(ctx context.Context, r *Run) error {
	if s.keys != nil {
		if err := s.lookAtBoth(ctx, r); err != nil {
			return err
		}
		return s.mint(r)
	}
	if err := s.observeHosts(ctx, r); err != nil {
		return err
	}
	if err := s.settleKeys(ctx, r); err != nil || s.keys == nil {
		return err
	}
	if err := s.mint(r); err != nil {
		return err
	}
	return s.observeCluster(ctx)
}

// askHealth asks the control planes' components how they are, where the plan goes by it and an
// API server answers. It is asked once, before the plan: after a run the plan's own waits tell.
func (s *Session) askHealth(ctx context.Context, r *Run) {
	if !r.health || !s.live.Reachable {
		return
	}
	_, end := s.stage(StageHealth, "", "asking how they are")
	defer end(nil)
	s.live.Health = s.api.Health(ctx)
}

// askDeprecated asks what still needs APIs that go away, before the cluster goes to another minor version.
// Like askHealth it does so once.
func (s *Session) askDeprecated(ctx context.Context, r *Run) {
	live, err := cluster.ParseVersion(s.live.Version)
	target, other := cluster.ParseVersion(s.bill.KubernetesVersion)
	if !r.deprecated || !s.live.Reachable || err != nil || other != nil || live.MinorString() == target.MinorString() {
		return
	}
	_, end := s.stage(StageAPIs, "", "asking each API server which deprecated APIs are used")
	defer end(nil)
	found := s.api.DeprecatedAPIs(ctx, strings.TrimPrefix(target.MinorString(), "v"))
	s.live.DeprecatedAPIs = &found
}

// lookAgain is look without what takes time to measure, or changes by itself, and is nobody's
// doing: how fast a disk is, who answers for an address, what traffic passes, how components are, and
// what clients ask for.
// That is as it was.
func (s *Session) lookAgain(ctx context.Context, r *Run) error {
	before, query, live := maps.Clone(s.facts), s.query(r), s.live
	again := *r
	again.query = func(_ *Session, h cluster.Host) hosts.Query {
		q := query(h)
		if _, measured := before[h.Name]; measured {
			q.Sync, q.VirtualIP, q.Conditions = "", nil, nil
		}
		return q
	}
	if err := s.look(ctx, &again); err != nil {
		return err
	}
	s.live.Health, s.live.DeprecatedAPIs = live.Health, live.DeprecatedAPIs
	for name, facts := range s.facts {
		if old, measured := before[name]; measured {
			facts.Sync, facts.VirtualIP, facts.Conditions, facts.Traffic = old.Sync, old.VirtualIP, old.Conditions, old.Traffic
			s.facts[name] = facts
		}
	}
	return nil
}

// lookAtBoth observes the hosts and, with keys that are known, the cluster at the same time.
func (s *Session) lookAtBoth(ctx context.Context, r *Run) error {
	ask, err := s.askCluster()
	if err != nil {
		return err
	}
	group, within := errgroup.WithContext(ctx)
	group.Go(func() error { return s.observeHosts(within, r) })
	group.Go(func() error { return ask(within) })
	return group.Wait()
}

func (s *Session) mint(r *Run) (err error) {
	defer s.span(StageMint)(&err)
	for _, h := range r.reach(s.cluster, r.Request) {
		if err := s.keys.mint(s.cluster, h.Name, certs.Specs(s.cluster, h)...); err != nil {
			return fmt.Errorf("mint certificates for %s: %w", h.Name, err)
		}
	}
	return nil
}

func (s *Session) observeHosts(ctx context.Context, r *Run) (err error) {
	defer s.span(StageHosts)(&err)
	return s.observe(ctx, s.query(r))
}

// observe looks at every connected host.
func (s *Session) observe(ctx context.Context, query func(cluster.Host) hosts.Query) error {
	var errs []error
	for _, next := range atOnce(slices.Sorted(maps.Keys(s.hosts)), func(name string) arrival {
		h, _ := s.cluster.Host(name)
		facts, err := s.lookAt(ctx, name, s.hosts[name], query(h))
		return arrival{name: name, facts: facts, err: err}
	}) {
		switch {
		case next.err == nil:
			s.note(next.name, next.facts)
			delete(s.down, next.name)
		case ctx.Err() == nil && isSilent(next.err):
			s.down[next.name] = next.err
			delete(s.facts, next.name)
		default:
			errs = append(errs, fmt.Errorf("observe %s: %w", next.name, next.err))
		}
	}
	return errors.Join(errs...)
}

// query is what the workflow looks at on a host.
func (s *Session) query(r *Run) func(cluster.Host) hosts.Query {
	return func(h cluster.Host) hosts.Query {
		if r.query != nil {
			return r.query(s, h)
		}
		query := phases.HostQuery(s.cluster, s.bill, h)
		if r.traffic {
			query.Conditions = phases.ConditionsQuery(s.cluster, s.bill, h)
		}
		return query
	}
}

func (s *Session) observeCluster(ctx context.Context) error {
	ask, err := s.askCluster()
	if err != nil {
		return err
	}
	return ask(ctx)
}

// askCluster gets ready to observe the cluster. What it gives reads nothing that observing
// hosts writes.
func (s *Session) askCluster() (func(context.Context) error, error) {
	if err := s.openClient(); err != nil {
		return nil, err
	}
	in, err := s.input()
	if err != nil {
		return nil, err
	}
	query, err := phases.ClusterQuery(in)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		_, end := s.stage(StageCluster, "", "looking at the cluster")
		live, err := s.api.Observe(ctx, query)
		end(err)
		s.live = live
		return err
	}, nil
}
